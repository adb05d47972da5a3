#!/usr/bin/env python3
# Two threads take locks A and B in opposite order (a true ABBA cycle); main joins both without limit.
# Looks like: deadlock-cycle, all three threads in private futex waits.
# Ended by: one side's acquire(timeout=6), which fails, lets go of its lock and tries again.
import threading
a, b = threading.Lock(), threading.Lock()
bar = threading.Barrier(2)
done = []
def one():
    with a:
        bar.wait()
        with b:
            done.append(1)
def two():
    with b:
        bar.wait()
        if a.acquire(timeout=6):
            raise SystemExit("no conflict?")
    with a, b:
        done.append(2)
ts = [threading.Thread(target=f) for f in (one, two)]
for t in ts: t.start()
for t in ts: t.join()
raise SystemExit(0 if sorted(done) == [1, 2] else 1)
