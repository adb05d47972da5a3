#!/usr/bin/env python3
# read() of an inotify descriptor without limit; nobody has anything below the directory open.
# Looks like: orphan wait on an anon_inode that only the reader holds.
# Ended by: a daemonised sleeper that creates a file there after 6 s.
import ctypes, os, shutil, sys, tempfile, time
d = tempfile.mkdtemp()
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.inotify_init1(os.O_CLOEXEC)
assert libc.inotify_add_watch(fd, d.encode(), 0x100) > 0
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 64); time.sleep(6); open(d + "/now", "w").close()
    os._exit(0)
os.wait()
ev = os.read(fd, 4096)
shutil.rmtree(d)
sys.exit(0 if b"now" in ev else 1)
