"""One program at a time, by a directory: mkdir is atomic. The first is killed; the second polls."""

import os
import signal
import sys
import time

from scene import child, role

path = sys.argv[1] + ".lock"


def work(is_killed):
    while True:
        try:
            os.mkdir(path)
            break
        except FileExistsError:
            time.sleep(0.2)
    if is_killed:
        # It is at work for a while.
        time.sleep(1.5)
        os.kill(os.getpid(), signal.SIGKILL)
    os.rmdir(path)


role("starter")
os.waitpid(child("first", lambda: work(True)), 0)
os.waitpid(child("second", lambda: work(False)), 0)
