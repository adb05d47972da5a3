"""A worker is killed while it has the lock of a queue that processes share, and the next one waits for it for good."""

import multiprocessing
import os
import signal

from scene import role


def die(lock):
    role("victim")
    lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def take(lock):
    role("taker")
    lock.acquire()


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    role("starter")
    lock = multiprocessing.Lock()
    victim = multiprocessing.Process(target=die, args=(lock,))
    victim.start()
    victim.join()
    taker = multiprocessing.Process(target=take, args=(lock,))
    taker.start()
    taker.join()
