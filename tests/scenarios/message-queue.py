"""A program waits for a message in a System V queue into which nobody puts one."""

import ctypes

from scene import role

role("receiver")
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.msgget(0, 0o1600)
buffer = ctypes.create_string_buffer(64)
libc.msgctl  # the queue goes with its namespace
libc.msgrcv(queue, buffer, ctypes.c_size_t(8), ctypes.c_long(0), 0)
