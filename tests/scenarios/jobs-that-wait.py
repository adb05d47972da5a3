"""Two threads take two locks in different order, and the main thread joins them; none of these locks names its holder."""

import threading

from scene import role

role("joiner")
orders, stock, both = threading.Lock(), threading.Lock(), threading.Barrier(2)


def take(first, then):
    with first:
        both.wait()
        with then:
            pass


threads = [threading.Thread(target=take, args=pair) for pair in ((orders, stock), (stock, orders))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
