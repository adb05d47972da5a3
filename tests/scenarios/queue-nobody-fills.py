"""A thread waits for work from a queue, the main thread for the thread, and nobody puts anything in."""

import queue
import threading

from scene import role

role("worker")
jobs = queue.Queue()
worker = threading.Thread(target=jobs.get)
worker.start()
worker.join()
