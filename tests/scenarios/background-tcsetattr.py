"""A background process changes its terminal and is stopped by SIGTTOU; its parent waits for it (virtme-ng#453)."""

import os
import pty
import signal
import termios

from scene import child, role


def change():
    os.setpgid(0, 0)
    attributes = termios.tcgetattr(0)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, attributes)


pid, master = pty.fork()
if pid == 0:
    role("shell")
    # As a shell does, so that it may itself use the terminal later.
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    os.waitpid(child("changer", change), 0)
    os._exit(0)
role("terminal")
while True:
    try:
        if not os.read(master, 1024):
            break
    except OSError:
        break
os.waitpid(pid, 0)
