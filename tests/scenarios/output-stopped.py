"""Output to a terminal is stopped (Ctrl-S), and a program waits to write to it."""

import os
import pty
import termios

from scene import child, role


def write():
    termios.tcflow(1, termios.TCOOFF)
    os.write(1, b"hello\n" * 100)


pid, master = pty.fork()
if pid == 0:
    role("writer")
    write()
    os._exit(0)
role("terminal")
while True:
    try:
        if not os.read(master, 1024):
            break
    except OSError:
        break
