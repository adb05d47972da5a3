#!/usr/bin/env python3
# Five processes in a row, each in read() of a pipe that the next one writes; every child also inherits all the
# earlier pipes' ends (so each reader holds its own pipe's write end too).
# Looks like: orphan/self-held pipes, a whole tree asleep without timers but the last.
# Ended by: the fifth process, in nanosleep for 6 s, then the wake-ups ripple back.
import os, sys, time
def level(n, out):
    if n == 5:
        time.sleep(6); os.write(out, b"5"); os._exit(0)
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        level(n + 1, w)
    d = os.read(r, 10)            # w stays open here on purpose
    _, st = os.waitpid(pid, 0)
    if out is None: return d, st
    os.write(out, str(n).encode() if d == str(n + 1).encode() else b"?"); os._exit(st != 0)
d, st = level(1, None)
sys.exit(0 if d == b"2" and st == 0 else 1)
