//! Programs that fail by chance, and one that is only noisy.

/// A program, and what must be said of it.
#[derive(Debug)]
pub(crate) struct Flake {
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
    /// Parts of the sentence.
    pub(crate) parts: &'static [&'static str],
}

pub(crate) const ALL: &[Flake] = &[
    Flake {
        name: "two leaders, since the look and the creation are two steps",
        program: LEADERS,
        parts: &["two see that", "leader", "ENOENT"],
    },
    Flake {
        name: "the lock file of a dead process, removed by two of ten",
        program: DEAD_LOCK,
        parts: &["app.lock", "removes the file that another", "after the check"],
    },
    Flake {
        name: "a result of the run that had its id before, which a busy mount keeps",
        program: REUSED_ID,
        parts: &["umount2", "EBUSY", "working directory", "result.json"],
    },
    Flake {
        name: "a counter file, read and written by two at once",
        program: COUNTER,
        parts: &["counter", "an update between the read and the write is lost"],
    },
    Flake {
        name: "a settings file that is read before it is written",
        program: TOO_EARLY,
        parts: &["settings", "ENOENT"],
    },
    Flake {
        name: "a gate that lets a straggler of the same wave through",
        program: STRAGGLER,
        parts: &["register ws-1", "is done a second time by a caller that came in before"],
    },
    Flake { name: "a server that is not there yet", program: REFUSED, parts: &["connect(", "ECONNREFUSED"] },
];

const LEADERS: &str = r#"
import os, random, sys, time
leader = os.path.join(os.environ["TMPDIR"], "leader")
for n in range(3):
    if os.fork() == 0:
        time.sleep(random.uniform(0, 0.03))
        if not os.path.exists(leader):
            time.sleep(0.004)
            with open(leader, "a") as f:
                f.write("%d\n" % n)
        os._exit(0)
for n in range(3):
    os.wait()
sys.exit(0 if len(open(leader).read().split()) == 1 else 1)
"#;

/// Workers update a shared file under a lock file; the one before has died with it.
const DEAD_LOCK: &str = r#"
import os, random, sys, time
tmp = os.environ["TMPDIR"]
lock, held = os.path.join(tmp, "app.lock"), os.path.join(tmp, "held")
os.mkdir(held)
dead = os.fork()
if dead == 0:
    os._exit(0)
os.wait()
with open(lock, "w") as f:
    f.write(str(dead))

def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False

def worker(n):
    time.sleep(random.uniform(0, 0.03))
    bad = 0
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
                time.sleep(0.001)
                try:
                    os.unlink(lock)
                except FileNotFoundError:
                    pass
            else:
                time.sleep(0.005)
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
    os._exit(1 if bad else 0)

for n in range(3):
    if os.fork() == 0:
        worker(n)
sys.exit(1 if any([os.wait()[1] for n in range(3)]) else 0)
"#;

/// Ids are SQLite rowids without AUTOINCREMENT; the old run's container still sits in its state when the row goes.
const REUSED_ID: &str = r#"
import json, os, random, shutil, sqlite3, subprocess, sys, time
tmp = os.environ["TMPDIR"]
db = sqlite3.connect(":memory:")
db.execute("create table runs (id integer primary key, name text)")

def is_mounted(path):
    # os.path.ismount does not see a mount of the same disk.
    return any(line.split()[4] == path for line in open("/proc/self/mountinfo"))

def begin(name, code):
    row = db.execute("insert into runs (name) values (?)", (name,)).lastrowid
    state, store = os.path.join(tmp, "runs", str(row), "state"), os.path.join(tmp, "store-" + name)
    shutil.rmtree(os.path.dirname(state), ignore_errors=True)
    os.makedirs(store)
    try:
        os.makedirs(state)
    except FileExistsError:
        pass
    if not is_mounted(state):
        subprocess.run(["mount", "--bind", store, state], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", state], check=True)
    if code is not None:
        with open(os.path.join(store, "result.json"), "w") as f:
            json.dump({"exit_code": code}, f)
    return row, state

row, state = begin("first", 0)
# It waits as long as a listener is connected.
container = subprocess.Popen(["sleep", str(random.choice([0.01, 0.6]))], cwd=state)
time.sleep(0.25)
db.execute("delete from runs where id = ?", (row,))
subprocess.run(["umount", state], stderr=subprocess.DEVNULL)
again, state = begin("second", None)
assert again == row
# The second one sleeps for ever and is killed; what it did is read from its result.
judged = os.path.exists(os.path.join(state, "result.json"))
container.wait()
while is_mounted(state):
    subprocess.run(["umount", state], check=True)
sys.exit(1 if judged else 0)
"#;

const COUNTER: &str = r#"
import os, random, sys, time
counter = os.path.join(os.environ["TMPDIR"], "counter")
open(counter, "w").write("0")
for n in range(2):
    if os.fork() == 0:
        time.sleep(random.uniform(0, 0.03))
        value = int(open(counter).read())
        time.sleep(0.004)
        fd = os.open(counter, os.O_WRONLY | os.O_TRUNC)
        os.write(fd, str(value + 1).encode())
        os._exit(0)
for n in range(2):
    os.wait()
sys.exit(0 if int(open(counter).read()) == 2 else 1)
"#;

const TOO_EARLY: &str = r#"
import os, random, sys, time
settings = os.path.join(os.environ["TMPDIR"], "settings")
if os.fork() == 0:
    time.sleep(random.uniform(0, 0.04))
    open(settings, "w").write("colour = blue")
    os._exit(0)
time.sleep(0.02)
try:
    found = open(settings).read()
except FileNotFoundError:
    found = ""
os.wait()
sys.exit(0 if found else 1)
"#;

/// Three tasks see one loss; a slot lets one of them register, and is cleared on success.
const STRAGGLER: &str = r#"
import json, os, random, sys, threading, time
lines = os.open(os.environ["HANGDOG_PHASES"], os.O_WRONLY | os.O_APPEND)
numbers = iter(range(1, 1000))

def say(**line):
    line.update(pid=os.getpid(), t=str(time.monotonic_ns()))
    os.write(lines, (json.dumps(line) + "\n").encode())

class phase:
    def __init__(self, name, parent=None, **fields):
        self.id, self.outcome = "p%d" % next(numbers), "ok"
        more = {"parent": parent.id} if parent else {}
        say(do="begin", id=self.id, name=name, tid=threading.get_native_id(),
            fields={"hang." + key: value for key, value in fields.items()}, **more)
    def end(self, outcome="ok"):
        say(do="end", id=self.id, outcome=outcome)

gate, registered, busy = threading.Lock(), [], []

def lost_runtime(delay):
    own = phase("ensure registered", op="register ws-1")
    time.sleep(delay)
    with gate:
        free = not busy
        if free:
            busy.append(1)
    if not free:
        own.end("cancelled")
        return
    act = phase("register", own, op="register ws-1")
    time.sleep(0.02)
    registered.append(1)
    with gate:
        busy.clear()
    act.end()
    own.end()

threads = [threading.Thread(target=lost_runtime, args=(delay,)) for delay in (0, 0.001, random.uniform(0.001, 0.04))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
time.sleep(0.3)
sys.exit(0 if len(registered) == 1 else 1)
"#;

const REFUSED: &str = r#"
import os, random, socket, sys, time
port = 20000 + os.getpid() % 10000
child = os.fork()
if child == 0:
    time.sleep(random.uniform(0, 0.04))
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(1)
    server.settimeout(0.3)
    try:
        server.accept()
    except TimeoutError:
        pass
    os._exit(0)
time.sleep(0.02)
client = socket.socket()
try:
    client.connect(("127.0.0.1", port))
    code = 0
except ConnectionRefusedError:
    code = 1
os.wait()
sys.exit(code)
"#;

/// Parallel, in random order, with temporary names, sockets and files that some look for in vain: and never wrong.
pub(crate) const NOISY: &str = r#"
import os, random, socket, sys, tempfile, threading, time
tmp = os.environ["TMPDIR"]

def file():
    fd, path = tempfile.mkstemp()
    os.write(fd, b"x")
    os.close(fd)
    os.path.exists(path + random.choice(["", ".bak"]))
    os.unlink(path)

def folder():
    with tempfile.TemporaryDirectory() as place:
        open(os.path.join(place, "out-%d" % random.randrange(10**6)), "w").close()

def server():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as one, listener.accept()[0] as other:
            one.sendall(b"GET /%d HTTP/1.0\r\n\r\n" % random.randrange(100))
            other.recv(100)

def child():
    pid = os.fork()
    if pid == 0:
        time.sleep(random.uniform(0, 0.01))
        os._exit(0)
    os.waitpid(pid, 0)

def turn():
    # A lock file as it should be used: who finds it there comes again.
    def work():
        while True:
            try:
                os.close(os.open(os.path.join(tmp, "turn.lock"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                break
            except FileExistsError:
                time.sleep(0.002)
        time.sleep(random.uniform(0, 0.005))
        os.unlink(os.path.join(tmp, "turn.lock"))
        os._exit(0)
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            work()
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)

alone = [child, turn]
tests = [file, folder, server, child, turn] * 3
random.shuffle(tests)
threads = [threading.Thread(target=test) for test in tests if test not in alone]
for thread in threads:
    thread.start()
    time.sleep(random.uniform(0, 0.003))
for thread in threads:
    thread.join()
for test in tests:
    if test in alone:
        test()
"#;
