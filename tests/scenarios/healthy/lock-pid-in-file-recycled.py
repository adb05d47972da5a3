#!/usr/bin/env python3
# A classic O_EXCL lock file with the pid of a live process that is somebody else altogether (the interpreter's own parent);
# the program waits for the file to go away by inotify (IN_DELETE_SELF), without limit.
# Looks like: stale lock held by a wrong process, waiter in read() of an inotify fd.
# Ended by: the lock's true owner, a daemonised process that sleeps 6 s and removes the file.
import ctypes, os, shutil, sys, tempfile, time
d = tempfile.mkdtemp(); f = d + "/LOCK"
with open(f, "x") as h: h.write(f"{os.getppid()}\n")
libc = ctypes.CDLL(None); fd = libc.inotify_init1(os.O_CLOEXEC); assert libc.inotify_add_watch(fd, f.encode(), 0x400) > 0
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.closerange(0, 64); time.sleep(6); os.unlink(f)
    os._exit(0)
os.wait(); os.read(fd, 4096)
gone = not os.path.exists(f); shutil.rmtree(d); sys.exit(0 if gone else 1)
