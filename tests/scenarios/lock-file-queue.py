"""Healthy: programs wait for a lock file whose owner lives, works, and removes it."""

import os
import sys
import time

from scene import child, role

path = sys.argv[1] + ".lock"


def work():
    while True:
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            break
        except FileExistsError:
            time.sleep(0.1)
    os.write(file, f"{os.getpid()}\n".encode())
    os.close(file)
    time.sleep(4)
    os.unlink(path)


role("starter")
for pid in [child("one", work), child("two", work)]:
    os.waitpid(pid, 0)
