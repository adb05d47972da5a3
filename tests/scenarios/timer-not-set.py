"""A program waits at a timer that it never set."""

import ctypes
import os

from scene import role

role("waiter")
timer = ctypes.CDLL(None).timerfd_create(1, 0)
os.read(timer, 8)
