"""Two programs send to each other more than their sockets hold, and neither reads."""

import os
import socket

from scene import child, role

listener = socket.create_server(("127.0.0.1", 0))
ours = socket.create_connection(listener.getsockname())
theirs, _ = listener.accept()
listener.close()
MUCH = b"x" * (64 << 20)


def other():
    ours.close()
    theirs.sendall(MUCH)
    theirs.recv(1)


pid = child("other", other)
theirs.close()
role("one")
ours.sendall(MUCH)
os.waitpid(pid, 0)
