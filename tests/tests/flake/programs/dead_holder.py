# Workers update a shared file under a lock file; one may die with it, and the leader waits, and crashes.
lock = os.path.join(tmp, "app.lock")

def take(tries):
    for _ in range(tries):
        try:
            fd = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            os.write(fd, str(os.getpid()).encode())
            os.close(fd)
            return True
        except FileExistsError:
            time.sleep(0.01)
    return False

def worker():
    if take(20):
        open(os.path.join(tmp, "shared"), "a").close()
        if random.random() < 0.2:
            os.kill(os.getpid(), 9)
        os.unlink(lock)

workers = [forked("worker", worker) for _ in range(3)]
for pid in workers:
    os.waitpid(pid, 0)
called("leader")
if not take(20):
    sys.exit(1)
os.unlink(lock)
