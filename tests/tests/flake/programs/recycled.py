# The process that a lock file names is dead, and its number somebody else's: who looks whether it lives finds that it does.
lock = os.path.join(tmp, "app.lock")

def holds():
    fd = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.write(fd, str(os.getpid()).encode())
    os.close(fd)
    time.sleep(0.01)
    if random.random() < 0.5:
        os.kill(os.getpid(), 9)
    os.unlink(lock)

def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False

def other():
    open(os.path.join(tmp, "other"), "w").close()
    time.sleep(0.4)

open(os.path.join(tmp, "init"), "w").close()
dead = forked("worker", holds)
os.waitpid(dead, 0)
with open("/proc/sys/kernel/ns_last_pid", "w") as f:
    f.write(str(dead - 1))
again = forked("other", other)
assert again == dead, "the kernel gives the number out again"

def leader():
    for _ in range(20):
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return 0
        except FileExistsError:
            owner = int(open(lock).read())
            if not alive(owner):
                os.unlink(lock)
            time.sleep(0.01)
    return 1

pid = forked("leader", leader)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os.waitpid(again, 0)
sys.exit(code)
