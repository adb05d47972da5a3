"""Healthy: a lock file of a dead program lies about, and what polls waits for something else, which comes."""

import os
import sys
import time

from scene import child, role


def leave():
    with open(sys.argv[1] + ".lock", "w") as file:
        file.write(f"{os.getpid()}\n")


def deliver():
    time.sleep(5)
    with open(sys.argv[1], "w") as file:
        file.write("done\n")


role("poller")
os.waitpid(child("left", leave), 0)
pid = child("worker", deliver)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.1)
os.waitpid(pid, 0)
