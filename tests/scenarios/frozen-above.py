"""A control group is frozen, and who is waited for lives in a group below it (runc#2105). Needs root and cgroup v2."""

import os
import sys

from scene import child, role, until, wchan

above = next(
    os.path.join(root, f"hangdog-scenario-{os.getpid()}")
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    if os.path.exists(os.path.join(root, "cgroup.procs")) and os.path.exists(os.path.join(root, "cgroup.controllers"))
)
below = os.path.join(above, "box")
os.makedirs(below)
with open(sys.argv[1], "w") as file:
    file.write(f"{below}\n{above}\n")


def write(directory, name, text):
    with open(os.path.join(directory, name), "w") as file:
        file.write(text)


def work():
    while True:
        os.read(os.pipe()[0], 1)


role("runner")
pid = child("boxed", work)
until(lambda: "pipe" in wchan(pid))
write(below, "cgroup.procs", str(pid))
write(above, "cgroup.freeze", "1")
until(lambda: "frozen 1" in open(os.path.join(below, "cgroup.events")).read())
os.waitpid(pid, 0)
