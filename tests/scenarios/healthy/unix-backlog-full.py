#!/usr/bin/env python3
# connect() on a unix stream socket blocks because the listener's backlog is full.
# Looks like: dead peer: the connector's socket has no peer yet, the server is asleep in something else.
# Ended by: the server, which sleeps 6 s and then accepts everybody.
import os, socket, sys, tempfile, time, shutil
d = tempfile.mkdtemp(); me = os.getpid()
try:
    p = d + "/s"
    l = socket.socket(socket.AF_UNIX); l.bind(p); l.listen(0)
    k = os.fork()
    if k == 0:
        l.close()
        cs = []
        for i in range(3):
            c = socket.socket(socket.AF_UNIX); c.connect(p); c.send(b"x"); cs.append(c)
        os._exit(0)
    time.sleep(6)
    n = 0
    for i in range(3):
        c, _ = l.accept(); n += len(c.recv(1))
    _, st = os.waitpid(k, 0)
    sys.exit(0 if n == 3 and st == 0 else 1)
finally:
    if os.getpid() == me: shutil.rmtree(d)
