"""A job of a pool with one thread gives another job to the pool and waits for it."""

import concurrent.futures

from scene import role

role("pool")
with concurrent.futures.ThreadPoolExecutor(1) as pool:
    pool.submit(lambda: pool.submit(int).result()).result()
