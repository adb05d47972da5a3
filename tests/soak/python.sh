# Python: threads, processes, asyncio, and what they wait for.

#: subprocess-captured | python3
python3 -c 'import os, subprocess
assert subprocess.run(["sh", "-c", "sleep $P; echo x"], capture_output=True, check=True).stdout == b"x\n"'

#: thread-lock-held-for-a-while | python3
python3 - <<'EOT'
import os, threading, time
lock = threading.Lock(); lock.acquire()
waiters = [threading.Thread(target=lambda: lock.acquire() and lock.release()) for _ in range(4)]
def later(): time.sleep(float(os.environ["P"])); lock.release()
for t in [*waiters, threading.Thread(target=later)]: t.start()
for t in waiters: t.join()
EOT

#: condition-event-queue | python3
python3 - <<'EOT'
import os, queue, threading, time
q, done, cond = queue.Queue(), threading.Event(), threading.Condition()
def worker():
    while (item := q.get()) is not None: time.sleep(item); q.task_done()
    with cond: cond.notify_all()
    done.set()
threading.Thread(target=worker).start()
for _ in range(3): q.put(float(os.environ["P"]) / 3)
q.join()
with cond: q.put(None); cond.wait()
done.wait()
EOT

#: executor | python3
python3 -c 'import os, time
from concurrent.futures import ThreadPoolExecutor as E
with E(2) as e: assert list(e.map(lambda n: time.sleep(float(os.environ["P"]) / 3) or n, range(5)))'

#: process-pool | python3
python3 - <<'EOT'
import multiprocessing, os, time
def work(n): time.sleep(float(os.environ["P"]) / 2); return n
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool: assert pool.map(work, range(5)) == list(range(5)); pool.close(); pool.join()
EOT

#: process-executor | python3
python3 - <<'EOT'
import os, time
from concurrent.futures import ProcessPoolExecutor
def work(n): time.sleep(float(os.environ["P"]) / 2); return n
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as e: assert list(e.map(work, range(4))) == [0, 1, 2, 3]
EOT

#: multiprocessing-primitives | python3
python3 - <<'EOT'
import multiprocessing as mp, os, time
P = float(os.environ["P"])
def child(event, barrier, q, lock):
    event.wait(); barrier.wait(); q.put(1)
    with lock: pass
if __name__ == "__main__":
    event, barrier, q, lock = mp.Event(), mp.Barrier(3), mp.Queue(), mp.Lock()
    children = [mp.Process(target=child, args=(event, barrier, q, lock)) for _ in range(2)]
    lock.acquire()
    for c in children: c.start()
    time.sleep(P / 2); event.set(); time.sleep(P / 2); barrier.wait(); q.get(); q.get(); time.sleep(2); lock.release()
    for c in children: c.join()
EOT

#: multiprocessing-manager | python3
python3 - <<'EOT'
import multiprocessing as mp, os, time
def child(q): time.sleep(float(os.environ["P"])); q.put(1)
if __name__ == "__main__":
    with mp.Manager() as m: q = m.Queue(); c = mp.Process(target=child, args=(q,)); c.start(); assert q.get() == 1; c.join()
EOT

#: multiprocessing-spawned | python3
cat > t.py <<'EOT'
import multiprocessing as mp, os, time
def child(c): time.sleep(float(os.environ["P"])); c.send(1)
if __name__ == "__main__":
    mp.set_start_method("spawn"); a, b = mp.Pipe(); p = mp.Process(target=child, args=(b,)); p.start(); assert a.recv() == 1; p.join()
EOT
python3 t.py

#: asyncio-sleeps-and-children | python3
python3 - <<'EOT'
import asyncio, os
async def main():
    P = float(os.environ["P"]); event = asyncio.Event()
    async def later(): await asyncio.sleep(P); event.set()
    child = await asyncio.create_subprocess_exec("sleep", str(P))
    await asyncio.gather(later(), event.wait(), child.wait(), asyncio.to_thread(__import__("time").sleep, P))
asyncio.run(main())
EOT

#: asyncio-only-a-child | python3
python3 -c 'import asyncio, os
async def main(): await (await asyncio.create_subprocess_exec("sleep", os.environ["P"])).wait()
asyncio.run(main())'

#: asyncio-server-and-slow-client | python3
python3 - <<'EOT'
import asyncio, os
P = float(os.environ["P"])
async def serve(r, w): w.write(await r.readline()); await w.drain(); w.close()
async def main():
    s = await asyncio.start_unix_server(serve, "sock"); r, w = await asyncio.open_unix_connection("sock")
    await asyncio.sleep(P); w.write(b"x\n"); assert await r.readline() == b"x\n"; w.close(); s.close()
asyncio.run(main())
EOT

#: threads-and-a-daemon-thread | python3
python3 -c 'import os, threading, time
threading.Thread(target=threading.Event().wait, daemon=True).start(); t = threading.Thread(target=time.sleep, args=(float(os.environ["P"]),)); t.start(); t.join()'

#: interpreter-ends-after-a-thread | python3
python3 -c 'import os, threading, time
threading.Thread(target=time.sleep, args=(float(os.environ["P"]),)).start()'

#: unittest-suite | python3
cat > test_x.py <<'EOT'
import os, subprocess, threading, time, unittest
P = float(os.environ["P"]) / 3
class T(unittest.TestCase):
    def test_sleeps(self): time.sleep(P)
    def test_child(self): subprocess.run(["sleep", str(P)], check=True)
    def test_thread(self): t = threading.Timer(P, lambda: None); t.start(); t.join()
EOT
python3 -m unittest -q test_x 2>/dev/null

#: process-substituted-input | python3
(sleep "$P"; echo 'print(1)') | python3 - | grep -q 1

#: children-in-a-chain-of-pipes | python3
python3 - <<'EOT'
import os, subprocess
a = subprocess.Popen(["sh", "-c", "sleep $P; seq 100"], stdout=subprocess.PIPE)
b = subprocess.Popen(["sort", "-n"], stdin=a.stdout, stdout=subprocess.PIPE); a.stdout.close()
assert len(b.communicate()[0].split()) == 100; a.wait()
EOT

#: write-end-in-flight | python3
python3 - <<'EOT'
import os, socket, time
r, w = os.pipe(); a, b = socket.socketpair()
socket.send_fds(a, [b"x"], [w]); os.close(w)
if os.fork() == 0: os.close(r); time.sleep(float(os.environ["P"])); _, fds, _, _ = socket.recv_fds(b, 9, 4); os.write(fds[0], b"y"); os._exit(0)
b.close(); assert os.read(r, 9) == b"y"; os.wait()
EOT

#: handed-over-pipes | python3
python3 - <<'EOT'
import os, time
P = float(os.environ["P"])
r1, w1 = os.pipe(); r2, w2 = os.pipe()
if os.fork() == 0:
    os.close(w1); os.close(r2); os.read(r1, 1); time.sleep(P / 2); os.write(w2, b"b"); os._exit(0)
os.close(r1); os.close(w2); time.sleep(P / 2); os.write(w1, b"a"); assert os.read(r2, 1) == b"b"; os.wait()
EOT
