#!/usr/bin/env python3
# The sender is stuck in sendall(): the peer's window is zero, both kernels' buffers are full.
# Looks like: a dead or deadlocked peer: the peer does not read; it is blocked in a thread join.
# Ended by: a thread of the peer process that sleeps 6 s; then its main thread reads on.
import os, socket, sys, threading, time
l = socket.create_server(("127.0.0.1", 0))
k = os.fork()
if k == 0:
    c = socket.create_connection(l.getsockname()); l.close(); c.sendall(b"x" * 30_000_000); c.close(); os._exit(0)
c, _ = l.accept()
t = threading.Thread(target=time.sleep, args=(6,)); t.start(); t.join()
n = 0
while d := c.recv(1 << 20): n += len(d)
_, st = os.waitpid(k, 0)
sys.exit(0 if n == 30_000_000 and st == 0 else 1)
