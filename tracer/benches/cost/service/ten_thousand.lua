-- Some 10,000 requests a second over 40 connections: each waits 3 or 4 ms before the next request.
function delay()
   return math.random(3, 4)
end
