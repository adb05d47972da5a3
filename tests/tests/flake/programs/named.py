# Before each program: what processes are called, and phases as lines.
import json, os, random, sys, threading, time
tmp = os.environ["TMPDIR"]

def called(name):
    with open("/proc/self/comm", "w") as f:
        f.write(name)

def forked(name, work):
    pid = os.fork()
    if pid == 0:
        called(name)
        code = 70
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return pid

lines = os.open(os.environ["HANGDOG_PHASES"], os.O_WRONLY | os.O_APPEND)
numbers = iter(range(1, 100000))

def say(**line):
    line.update(pid=os.getpid(), t=str(time.monotonic_ns()))
    os.write(lines, (json.dumps(line) + "\n").encode())

class phase:
    def __init__(self, name, parent=None, **fields):
        self.id = "p%d-%d" % (os.getpid(), next(numbers))
        more = {"parent": parent.id} if parent else {}
        fields = {"hang." + key: value for key, value in fields.items()}
        say(do="begin", id=self.id, name=name, tid=threading.get_native_id(), fields=fields, **more)
    def end(self, outcome="ok"):
        say(do="end", id=self.id, outcome=outcome)
    def __enter__(self):
        return self
    def __exit__(self, *why):
        self.end("ok" if why[0] is None else "error")
