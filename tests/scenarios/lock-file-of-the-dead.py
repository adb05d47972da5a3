"""One program at a time, by a lock file (O_EXCL) with the owner's number. The first is killed; the second polls."""

import os
import signal
import sys
import time

from scene import child, role

path = sys.argv[1] + ".lock"


def work(is_killed):
    while True:
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            break
        except FileExistsError:
            time.sleep(0.2)
    os.write(file, f"{os.getpid()}\n".encode())
    os.close(file)
    if is_killed:
        os.kill(os.getpid(), signal.SIGKILL)
    os.unlink(path)


role("starter")
os.waitpid(child("first", lambda: work(True)), 0)
os.waitpid(child("second", lambda: work(False)), 0)
