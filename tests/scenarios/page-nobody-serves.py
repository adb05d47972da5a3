"""A thread touches a page that user space is to fill (userfaultfd), and nobody does."""

import ctypes
import fcntl
import mmap
import os
import platform
import struct

from scene import role

NUMBER = {"x86_64": 323, "aarch64": 282}[platform.machine()]
UFFDIO_API, UFFDIO_REGISTER = 0xC018AA3F, 0xC020AA00
libc = ctypes.CDLL(None, use_errno=True)
role("toucher")
fd = libc.syscall(NUMBER, os.O_CLOEXEC | 1)
if fd < 0:
    raise OSError(ctypes.get_errno(), "userfaultfd")
fcntl.ioctl(fd, UFFDIO_API, bytearray(struct.pack("QQQ", 0xAA, 0, 0)))
memory = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
fcntl.ioctl(fd, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", address, mmap.PAGESIZE, 1, 0)))
print(memory[0])
