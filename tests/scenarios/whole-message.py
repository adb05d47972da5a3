"""A client wants more bytes than the answer has (MSG_WAITALL), and the server waits for the next request."""

import os
import socket

from scene import child, role

listener = socket.create_server(("127.0.0.1", 0))


def serve():
    connection, _ = listener.accept()
    while connection.recv(100):
        connection.sendall(b"1234")


server = child("server", serve)
client = socket.create_connection(listener.getsockname())
listener.close()
role("client")
client.sendall(b"ask")
print(client.recv(8, socket.MSG_WAITALL))
os.kill(server, 9)
