#!/usr/bin/env python3
# A Lock was taken by a thread that has ended; three threads wait for it without limit.
# Looks like: orphaned lock (owner dead), everything in private futexes.
# Ended by: another thread, asleep for 6 s, which releases the lock on behalf of the dead one (legal: it is a binary semaphore).
import threading, time
l = threading.Lock(); t = threading.Thread(target=l.acquire); t.start(); t.join()
n = []
def use():
    with l: n.append(1)
ts = [threading.Thread(target=use) for _ in range(3)]
def free(): time.sleep(6); l.release()
ts.append(threading.Thread(target=free))
for x in ts: x.start()
for x in ts: x.join()
raise SystemExit(0 if len(n) == 3 else 1)
