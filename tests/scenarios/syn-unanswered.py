"""A connection is asked for from a host that the routes know and that is not there: nobody answers, nobody refuses."""

import os
import socket
import subprocess

from scene import child, role

# Two ends of a cable in a network of their own; the neighbour's address is known, and nobody has it.
for line in (
    "link add near type veth peer name far",
    "address add 192.0.2.1/24 dev near",
    "link set near up",
    "link set far up",
    "neighbor add 192.0.2.2 lladdr 02:00:00:00:00:02 dev near",
):
    subprocess.run(["ip", *line.split()], check=True)


def ask():
    connection = socket.socket()
    connection.connect(("192.0.2.2", 80))


pid = child("asker", ask)
role("starter")
os.waitpid(pid, 0)
