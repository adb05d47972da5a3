"""A unix socket whose queue of connections is full, and a server that waits for its client first."""

import os
import socket
import sys

from scene import child, role

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(0)


def connect():
    listener.close()
    kept = []
    for _ in range(3):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(sys.argv[1])
        kept.append(connection)


role("server")
os.waitpid(child("client", connect), 0)
