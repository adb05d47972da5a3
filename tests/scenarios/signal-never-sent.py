"""A worker waits for a signal that its parent should send, and the parent waits for the worker."""

import os
import signal

from scene import child, role

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
role("parent")
os.waitpid(child("worker", lambda: signal.sigwait({signal.SIGUSR1})), 0)
