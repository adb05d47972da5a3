# Two threads take the same two locks, each in its own order.
import threading

import hangdog

orders, stock, both = threading.Lock(), threading.Lock(), threading.Barrier(2)


def book(first, held, second, wanted):
    with first, hangdog.phase("book", hang_hold=held):
        both.wait()
        with hangdog.phase("take the second lock", hang_wait=wanted), second:
            print("booked")


threading.Thread(target=book, args=(orders, "lock:orders", stock, "lock:stock")).start()
book(stock, "lock:stock", orders, "lock:orders")
