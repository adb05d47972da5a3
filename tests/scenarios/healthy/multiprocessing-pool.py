#!/usr/bin/env python3
# multiprocessing.Pool: four workers; one sleeps in its job, the others wait for the shared queue lock (POSIX semaphore
# in shared memory) or read the task pipe, five threads in the parent sit in read, poll and lock waits.
# Looks like: pool with everybody idle, waiting for a lock held by an idle reader (a process that holds the lock while in read()).
# Ended by: the one worker's time.sleep(6).
import multiprocessing as mp, time
def job(i):
    if i == 0: time.sleep(6)
    return i * i
if __name__ == "__main__":
    with mp.get_context("fork").Pool(4) as p:
        r = p.map(job, range(8), chunksize=1)
        p.close(); p.join()
    raise SystemExit(0 if r == [i * i for i in range(8)] else 1)
