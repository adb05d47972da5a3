# Test runs in one temporary directory; one of them may be killed before it has taken its mount away.
import signal, tempfile

def test():
    place = tempfile.mkdtemp()
    fd = mount(place)
    threading.Thread(target=serve, args=(fd, {}), daemon=True).start()
    open(os.path.join(place, "file")).close()
    if random.random() < 0.2:
        os.kill(os.getpid(), signal.SIGKILL)
    while unmount(place) != 0:
        time.sleep(0.005)
    os.rmdir(place)

tests = [forked("test", test) for _ in range(3)]
for pid in tests[1:]:
    os.waitpid(pid, 0)
# The first one is waited for by nobody: a zombie.
os.waitid(os.P_PID, tests[0], os.WEXITED | os.WNOWAIT)
called("cleaner")
bad = 0
for name in os.listdir(tmp):
    place = os.path.join(tmp, name)
    try:
        os.stat(place)
    except OSError:
        bad = 1
        libc.umount2(place.encode(), 2)
sys.exit(bad)
