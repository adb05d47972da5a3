#!/usr/bin/env python3
# A shell on a pty prompts "Password:" and reads; its controlling terminal's master is held by the parent, which joins a thread.
# Looks like: terminal-prompt that no person will answer.
# Ended by: the parent, which types the answer after 6 s (threading.Timer).
import os, pty, sys, threading
pid, fd = pty.fork()
if pid == 0:
    os.execv("/bin/bash", ["bash", "-c", 'read -r -s -p "Password: " x </dev/tty; [ "$x" = sesame ]'])
buf = b""
while b"Password:" not in buf: buf += os.read(fd, 100)
t = threading.Timer(6, lambda: os.write(fd, b"sesame\n")); t.start(); t.join()
try:
    while os.read(fd, 100): pass
except OSError: pass
_, st = os.waitpid(pid, 0); sys.exit(0 if st == 0 else 1)
