#!/usr/bin/env python3
# Ten children have exited and are not reaped; one thread waits for a lock, the other sleeps and reaps only later.
# Looks like: zombies and a lock that nobody gives back (a lost SIGCHLD).
# Ended by: the sleeping thread (time.sleep(6)), which reaps them and releases the lock.
import os, threading, time
ks = []
for _ in range(10):
    k = os.fork()
    if k == 0: os._exit(0)
    ks.append(k)
l = threading.Lock(); l.acquire()
def reap():
    time.sleep(6)
    for k in ks: os.waitpid(k, 0)
    l.release()
t = threading.Thread(target=reap); t.start()
l.acquire(); t.join()
