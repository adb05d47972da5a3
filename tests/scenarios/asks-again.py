"""A client asks its server again and again, each time with a time limit, and the server waits for the client's end."""

import os
import select
import socket

from scene import child, role

listener = socket.create_server(("127.0.0.1", 0))


def ask():
    connection = socket.create_connection(listener.getsockname())
    listener.close()
    connection.sendall(b"ask")
    while not select.select([connection], [], [], 1)[0]:
        pass
    connection.recv(1)


role("server")
os.waitpid(child("client", ask), 0)
listener.accept()
