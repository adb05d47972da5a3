"""A client is to say over a pair of sockets that all is sent, before the server accepts the connection that takes it."""

import os
import socket

from scene import child, role

listener = socket.create_server(("127.0.0.1", 0))
ours, theirs = socket.socketpair()


def send():
    address = listener.getsockname()
    listener.close()
    ours.close()
    connection = socket.create_connection(address)
    connection.sendall(b"x" * 30_000_000)
    theirs.sendall(b"sent")


role("server")
pid = child("client", send)
theirs.close()
ours.recv(4)
listener.accept()
os.waitpid(pid, 0)
