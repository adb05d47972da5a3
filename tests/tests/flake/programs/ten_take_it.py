# Ten find the lock file of a dead process; who finds it removes it and makes its own, in two steps.
lock, held = os.path.join(tmp, "app.lock"), os.path.join(tmp, "held")
os.mkdir(held)
dead = forked("dead", lambda: 0)
os.waitpid(dead, 0)
with open(lock, "w") as f:
    f.write(str(dead))

def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False

def worker(n):
    time.sleep(random.uniform(0, 0.25))
    for _ in range(400):
        try:
            fd = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            os.write(fd, str(os.getpid()).encode())
            os.close(fd)
            break
        except FileExistsError:
            try:
                owner = int(open(lock).read() or 0)
            except (FileNotFoundError, ValueError):
                continue
            if owner and not alive(owner):
                time.sleep(0.004)
                try:
                    os.unlink(lock)
                except FileNotFoundError:
                    pass
            else:
                time.sleep(0.01)
    mark = os.path.join(held, str(n))
    open(mark, "w").close()
    time.sleep(0.02)
    bad = len(os.listdir(held)) > 1
    os.unlink(mark)
    try:
        if int(open(lock).read() or 0) == os.getpid():
            os.unlink(lock)
    except (FileNotFoundError, ValueError):
        pass
    return 1 if bad else 0

workers = [forked("worker", lambda n=n: worker(n)) for n in range(10)]
codes = [os.waitpid(pid, 0)[1] for pid in workers]
sys.exit(1 if any(codes) else 0)
