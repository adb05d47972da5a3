#!/usr/bin/env python3
# poll(-1) on the pidfd of a process that is no child: double-forked, own session, all its fds closed.
# Looks like: a wait on an fd nobody serves (anon_inode), wait without limit.
# Ended by: the stranger's exit after sleeping 6 s.
import os, select, sys, time
t = time.monotonic()
r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(w, str(os.getpid()).encode()); os.closerange(0, 64); time.sleep(6); os._exit(0)
    os._exit(0)
os.wait()
pid = int(os.read(r, 20)); os.close(r); os.close(w)
fd = os.pidfd_open(pid)
p = select.poll(); p.register(fd, select.POLLIN)
p.poll()
sys.exit(0 if time.monotonic() - t > 4 else 1)
