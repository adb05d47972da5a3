#!/usr/bin/env python3
# asyncio: two tasks in an ABBA cycle over asyncio locks, a third awaits a future; one thread, in epoll_wait.
# Looks like: deadlocked async tasks, event loop idle.
# Ended by: loop.call_later(6) that cancels one of the tasks (as a supervisor would).
import asyncio
async def main():
    a, b, loop = asyncio.Lock(), asyncio.Lock(), asyncio.get_running_loop()
    async def take(x, y):
        async with x:
            await asyncio.sleep(0.05)
            async with y: return 1
    t, u = asyncio.create_task(take(a, b)), asyncio.create_task(take(b, a))
    loop.call_later(6, t.cancel)
    return await asyncio.gather(t, u, return_exceptions=True)
r = asyncio.run(main())
raise SystemExit(0 if isinstance(r[0], asyncio.CancelledError) and r[1] == 1 else 1)
