#!/bin/bash
# A test of a deadlock: the child is truly deadlocked (two threads, two locks, no timeouts).
# Looks like: deadlock-cycle, certain -- and it is one, but the RUN is healthy: the root waits for it with a limit.
# Ended by: timeout(1), started by the script itself, after 6 s; the script expects 124 and goes on.
set -u
timeout 6 python3 -c '
import threading, time
a, b, bar = threading.Lock(), threading.Lock(), threading.Barrier(2)
def f(x, y):
    with x:
        bar.wait()
        with y: pass
t = threading.Thread(target=f, args=(a, b)); t.start()
f(b, a)
' 2>/dev/null
[ $? = 124 ]
