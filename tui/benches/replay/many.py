"""Forty processes of ten threads, two phases each at a time: a large capture that was really recorded.

    $ PYTHONPATH=tracer/clients/python hangdog run -o many.hang -- python3 tui/benches/replay/many.py
    $ cargo bench -p hangdog-tui -- many.hang
"""

import os
import threading
import time

import hangdog


def work():
    for number in range(400):
        with hangdog.phase("job", number=number), hangdog.phase("step"):
            time.sleep(0.1)


for _ in range(40):
    if os.fork() == 0:
        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
for _ in range(40):
    os.wait()
