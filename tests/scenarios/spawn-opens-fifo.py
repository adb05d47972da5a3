"""A process in vfork waits until its child runs a program, and the child waits for a writer of a FIFO (omicron#10359)."""

import os
import sys

from scene import role

os.mkfifo(sys.argv[1])
role("spawner")
actions = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]
pid = os.posix_spawn("/bin/true", ["true"], os.environ, file_actions=actions)
os.waitpid(pid, 0)
