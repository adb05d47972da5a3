#!/usr/bin/env python3
# close() of a TCP socket blocks (SO_LINGER, unsent data); the peer is paused for good in sigwait and never reads.
# Looks like: dead peer, close() stuck without a timeout argument, peer process waits for a signal only.
# Ended by: the kernel's linger time of 6 s; the parent then signals the peer, which exits 0.
import os, signal, socket, struct, sys, time
l = socket.create_server(("127.0.0.1", 0))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
k = os.fork()
if k == 0:
    c = socket.create_connection(l.getsockname()); l.close(); signal.sigwait({signal.SIGUSR1}); os._exit(0)
c, _ = l.accept(); l.close()
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 6))
c.setblocking(False)
try:
    while True: c.send(b"x" * 65536)
except BlockingIOError: pass
c.setblocking(True)
t = time.monotonic(); c.close(); dt = time.monotonic() - t
os.kill(k, signal.SIGUSR1); _, st = os.waitpid(k, 0)
sys.exit(0 if st == 0 and dt > 4 else 1)
