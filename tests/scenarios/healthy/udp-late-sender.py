#!/usr/bin/env python3
# recvfrom() without timeout on an unconnected UDP socket; no other process has any socket.
# Looks like: orphan or idle wait (external).
# Ended by: a daemonised process that sleeps 6 s, then makes a socket and sends one datagram.
import os, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        s.close(); os.closerange(0, 64); time.sleep(6)
        c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.sendto(b"x", ("127.0.0.1", port))
    os._exit(0)
os.wait()
sys.exit(0 if s.recvfrom(10)[0] == b"x" else 1)
