# Ids are SQLite rowids without AUTOINCREMENT; the old run's container still sits in its state when the row goes.
import sqlite3, subprocess
path = os.path.join(tmp, "runs.db")
db = sqlite3.connect(path)
db.execute("create table runs (id integer primary key, name text, state text)")
db.commit()

def is_mounted(path):
    # os.path.ismount does not see a mount of the same disk.
    return any(line.split()[4] == path for line in open("/proc/self/mountinfo"))

def begin(name):
    row = db.execute("insert into runs (name) values (?)", (name,)).lastrowid
    db.commit()
    state = os.path.join(tmp, "runs", str(row), "state")
    store = os.path.join(tmp, "store-" + name)
    # What was there goes, and nobody looks whether it did.
    try:
        os.rename(state, state + ".old")
    except OSError:
        pass
    os.makedirs(store)
    os.makedirs(state, exist_ok=True)
    if not is_mounted(state):
        subprocess.run(["mount", "--bind", store, state], check=True)
    return row, state

def monitor(row, state, listener):
    with phase("watch", entity="run %d" % row):
        # It waits as long as a listener is connected.
        script = "echo '{\"exit_code\": 0}' > result.json; read _"
        container = subprocess.Popen(["sh", "-c", script], cwd=state, stdin=listener)
        container.wait()
    # It marks "its" run finished, whoever has the id by now.
    with phase("finish", entity="run %d" % row):
        own = sqlite3.connect(path)
        own.execute("update runs set state = 'finished' where id = ?", (row,))
        own.commit()

called("manager")
row, state = begin("first")
stays = random.random() < 0.5
listener, connected = os.pipe()
os.set_inheritable(connected, False)

def watches():
    os.close(connected)
    monitor(row, state, listener)

watcher = forked("monitor", watches)
while not os.path.exists(os.path.join(state, "result.json")):
    time.sleep(0.01)
if not stays:
    os.close(connected)
    os.waitpid(watcher, 0)
db.execute("delete from runs where id = ?", (row,))
db.commit()
subprocess.run(["umount", state], stderr=subprocess.DEVNULL)
again, state = begin("second")
assert again == row, "SQLite gives the id out again"
with phase("run", entity="run %d" % again):
    # It sleeps for ever and is killed with 137; what it did is read from its result.
    child = forked("sleeper", lambda: time.sleep(60))
    time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    succeeded = False
    try:
        with open(os.path.join(state, "result.json")) as f:
            succeeded = json.load(f)["exit_code"] == 0
    except FileNotFoundError:
        pass
    if stays:
        os.close(connected)
        os.waitpid(watcher, 0)
finished = db.execute("select state from runs where id = ?", (again,)).fetchone()[0]
while is_mounted(state):
    subprocess.run(["umount", state], check=True)
sys.exit(1 if succeeded or finished else 0)
