"""Two programs lock two ranges of a file in different order, by open file description (F_OFD_SETLKW)."""

import fcntl
import os
import struct
import sys

from scene import child, role

F_OFD_SETLKW = 38
taken = [os.pipe(), os.pipe()]


def lock(file, start):
    fcntl.fcntl(file, F_OFD_SETLKW, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, start, 10, 0))


def take(own, first, then):
    file = open(sys.argv[1], "r+")
    lock(file, first)
    os.write(taken[own][1], b"x")
    os.read(taken[1 - own][0], 1)
    lock(file, then)


open(sys.argv[1], "w").close()
role("starter")
pids = [child("taker-a", lambda: take(0, 0, 100)), child("taker-b", lambda: take(1, 100, 0))]
for pid in pids:
    os.waitpid(pid, 0)
