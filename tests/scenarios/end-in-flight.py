"""A pipe's write end lies unread in a unix socket, so the pipe never comes to its end."""

import os
import socket

from scene import child, role

reads, writes = os.pipe()
ours, theirs = socket.socketpair()
socket.send_fds(ours, [b"take"], [writes])
os.close(writes)


def idle():
    os.close(reads)
    ours.close()
    other, _ = socket.socketpair()
    # It waits for something else, and the message stays where it is.
    other.recv(1)


pid = child("receiver", idle)
theirs.close()
role("reader")
os.read(reads, 1)
