"""Healthy: a script takes a lock by a command (`mkdir`), which ends at once, works, and removes it; another one waits."""

import os
import subprocess
import sys
import time

from scene import child, role

path = sys.argv[1] + ".lock"


def work():
    while subprocess.call(["mkdir", path], stderr=subprocess.DEVNULL) != 0:
        time.sleep(0.2)
    time.sleep(3)
    os.rmdir(path)


role("starter")
for pid in [child("one", work), child("two", work)]:
    os.waitpid(pid, 0)
