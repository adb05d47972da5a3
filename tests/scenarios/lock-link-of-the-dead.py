"""One program at a time, by a symbolic link that points at the owner's number. The first is killed; the second polls."""

import os
import signal
import sys
import time

from scene import child, role

path = os.path.join(os.path.dirname(sys.argv[1]), "lock")


def work(is_killed):
    while True:
        try:
            os.symlink(f"{os.uname().nodename}:{os.getpid()}", path)
            break
        except FileExistsError:
            time.sleep(0.2)
    if is_killed:
        os.kill(os.getpid(), signal.SIGKILL)
    os.unlink(path)


role("starter")
os.waitpid(child("first", lambda: work(True)), 0)
os.waitpid(child("second", lambda: work(False)), 0)
