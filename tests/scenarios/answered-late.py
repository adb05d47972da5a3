"""Healthy: a client asks again and again, each time with a time limit, and the server answers when it is done."""

import os
import select
import socket
import time

from scene import child, role

listener = socket.create_server(("127.0.0.1", 0))


def ask():
    connection = socket.create_connection(listener.getsockname())
    listener.close()
    connection.sendall(b"ask")
    while not select.select([connection], [], [], 0.3)[0]:
        pass
    connection.recv(1)


role("server")
pid = child("client", ask)
connection, _ = listener.accept()
time.sleep(5)
connection.sendall(b"x")
os.waitpid(pid, 0)
