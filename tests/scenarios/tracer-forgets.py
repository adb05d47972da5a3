"""A tracer stops a program at its start and then waits for something else."""

import ctypes
import os

from scene import child, role

libc = ctypes.CDLL(None, use_errno=True)


def traced():
    libc.ptrace(0, 0, 0, 0)
    os.kill(os.getpid(), 19)


def trace():
    pid = child("tracee", traced)
    os.waitpid(pid, 0)
    # The stop was taken; it never says PTRACE_CONT, and waits for the end.
    os.waitpid(pid, 0)


role("starter")
os.waitpid(child("tracer", trace), 0)
