"""A process is joined before its queue is read: its feeder thread waits for room in the pipe (docs of multiprocessing)."""

import multiprocessing

from scene import role


def fill(queue):
    role("producer")
    queue.put(b"x" * (1 << 20))


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    role("consumer")
    queue = multiprocessing.Queue()
    producer = multiprocessing.Process(target=fill, args=(queue,))
    producer.start()
    producer.join()
    queue.get()
