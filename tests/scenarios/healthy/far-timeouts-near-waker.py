#!/usr/bin/env python3
# Everybody waits with a timeout of an hour (Condition.wait(3600), Queue.get(timeout=3600), Event.wait(3600)) on somebody else.
# Looks like: live only far beyond any patience, a row of threads behind one another.
# Ended by: a threading.Timer of 6 s that sets the event at the head of the row.
import queue, threading
e, q, c, ok = threading.Event(), queue.Queue(), threading.Condition(), []
def a():
    e.wait(3600); q.put(1)
def b():
    q.get(timeout=3600)
    with c: ok.append(1); c.notify_all()
ts = [threading.Thread(target=f) for f in (a, b)]
for t in ts: t.start()
threading.Timer(6, e.set).start()
with c: c.wait_for(lambda: ok, 3600)
for t in ts: t.join()
