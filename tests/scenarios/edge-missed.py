"""A server reads a part of what came, and waits to be told of the rest, which an edge-triggered epoll never does."""

import os
import select
import socket

from scene import child, role

ours, theirs = socket.socketpair()


def serve():
    ours.close()
    theirs.setblocking(False)
    poll = select.epoll()
    poll.register(theirs, select.EPOLLIN | select.EPOLLET)
    got = b""
    while len(got) < 8192:
        poll.poll()
        got += theirs.recv(4096)
    theirs.sendall(b"ok")


server = child("server", serve)
theirs.close()
role("client")
ours.sendall(b"x" * 8192)
print(ours.recv(2))
os.waitpid(server, 0)
