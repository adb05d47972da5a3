#!/usr/bin/env python3
# poll(POLLPRI, no limit) on /proc/self/mountinfo in a mount namespace of its own.
# Looks like: a poll on a plain proc file that nobody serves.
# Ended by: a child in the same mount namespace that sleeps 6 s and then mounts a tmpfs.
import ctypes, os, select, shutil, sys, tempfile, time
libc = ctypes.CDLL(None, use_errno=True)
d = tempfile.mkdtemp()
try:
    if libc.unshare(0x20000) and libc.unshare(0x10020000):      # with a user namespace, if not root
        print("no right to make a mount namespace: only sleeping"); time.sleep(6); sys.exit(0)
    assert libc.mount(b"none", b"/", None, 0x44000, None) == 0      # MS_REC | MS_PRIVATE
    fd = os.open("/proc/self/mountinfo", os.O_RDONLY)
    def seen():
        os.lseek(fd, 0, 0); t = b""
        while x := os.read(fd, 65536): t += x
        return d.encode() in t
    assert not seen()
    k = os.fork()
    if k == 0:
        os.close(fd); time.sleep(6)
        os._exit(0 if libc.mount(b"x", d.encode(), b"tmpfs", 0, None) == 0 else 1)
    p = select.poll(); p.register(fd, select.POLLPRI)
    while True:
        p.poll()
        if seen(): break
    _, st = os.waitpid(k, 0)
    libc.umount2(d.encode(), 2)
finally:
    for _ in range(20):
        shutil.rmtree(d, ignore_errors=True)
        if not os.path.exists(d): break
        time.sleep(0.05)
sys.exit(0 if st == 0 else 1)
