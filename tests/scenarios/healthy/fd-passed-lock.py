#!/usr/bin/env python3
# A flock whose only open file description is in flight in a unix socket: its taker has exited, no process has it open.
# Looks like: stale lock, no holder anywhere in /proc/*/fd.
# Ended by: the receiver: it sleeps 6 s in sock.settimeout/recv on another socket, then receives the fd and closes it.
import fcntl, os, shutil, socket, sys, tempfile
d = tempfile.mkdtemp(); a, b = socket.socketpair()
if os.fork() == 0:
    f = os.open(d + "/L", os.O_RDWR | os.O_CREAT, 0o600); fcntl.flock(f, fcntl.LOCK_EX); socket.send_fds(a, [b"f"], [f]); os._exit(0)
os.wait()
k = os.fork()
if k == 0:
    x, y = socket.socketpair(); x.settimeout(6)
    try: x.recv(1)
    except TimeoutError: pass
    _, fds, _, _ = socket.recv_fds(b, 10, 1); os.close(fds[0]); os._exit(0)
f = os.open(d + "/L", os.O_RDWR); fcntl.flock(f, fcntl.LOCK_EX)
_, st = os.waitpid(k, 0); shutil.rmtree(d); sys.exit(1 if st else 0)
