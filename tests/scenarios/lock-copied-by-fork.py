"""A thread holds a lock while another one forks: in the child the lock is held, and nobody has it (gperftools#178)."""

import os
import threading

from scene import child, role

lock = threading.Lock()
holds, ends = threading.Event(), threading.Event()


def hold():
    with lock:
        holds.set()
        ends.wait()


role("parent")
holder = threading.Thread(target=hold)
holder.start()
holds.wait()
pid = child("child", lock.acquire)
ends.set()
holder.join()
os.waitpid(pid, 0)
