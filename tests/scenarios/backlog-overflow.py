"""A listener with no room for more connections, and a server that waits for its client before it accepts (ibrdtn#235)."""

import os
import socket

from scene import child, role

listener = socket.create_server(("127.0.0.1", 0), backlog=0)
address = listener.getsockname()


def connect():
    listener.close()
    kept = [socket.create_connection(address) for _ in range(3)]
    print(len(kept))


role("server")
client = child("client", connect)
os.waitpid(client, 0)
for _ in range(3):
    listener.accept()
