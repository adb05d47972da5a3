"""What scenarios share: taking a role, sleeping until killed, waiting for a condition."""

import ctypes
import os
import time

_libc = ctypes.CDLL(None, use_errno=True)


def role(name):
    """Takes `name` as short name of this thread and notes `name pid` in the file named by SCENARIO_ROLES."""
    _libc.prctl(15, name.encode()[:15], 0, 0, 0)
    path = os.environ.get("SCENARIO_ROLES")
    if path:
        with open(path, "a") as roles:
            roles.write(f"{name} {os.getpid()}\n")


def child(name, work):
    """A process of its own with this role; returns its number."""
    pid = os.fork()
    if pid == 0:
        try:
            role(name)
            work()
        finally:
            os._exit(0)
    return pid


def until(condition):
    """Waits for a condition."""
    while not condition():
        time.sleep(0.01)


def wchan(pid):
    """The kernel function in which the first thread of a process sleeps."""
    with open(f"/proc/{pid}/wchan") as file:
        return file.read()
