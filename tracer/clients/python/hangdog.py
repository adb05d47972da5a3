"""Says to hangdog what a Python program is doing, while it does it.

    with hangdog.phase("fetch", hang_wait="http:127.0.0.1:8080", page=3): ...

    @hangdog.phase("unpack")            # plain functions, generators and `async def`
    def unpack(): ...

Each begin and each end is one line, one write to the file that HANGDOG_PHASES names; without it nothing is done.
Nothing here raises into the program or waits for anybody; if the file cannot be written, there are no more phases.

The phase around is kept by a context variable: each thread and each asyncio task has its own, and a task that is
created in a phase is inside it. Keywords that begin with `hang_` are the fields `hang.*`: hang_wait, hang_hold,
hang_serve, hang_op, hang_entity, hang_link, hang_deadline_ms. From Python 3.8 on; Linux.
"""

import contextvars
import functools
import inspect
import itertools
import json
import os
import stat
import sys
import threading
import time
import weakref

_LINE = 4096  # Longer lines of several writers could mix.
_CUT, _CUT_KEY = 256, 1024  # Longer values are cut. A resource that was cut is none, so it gets more room.

_path = os.environ.get("HANGDOG_PHASES") or None
_late = bool(os.environ.get("HANGDOG_LATE"))
_around = contextvars.ContextVar("hangdog_phase", default=os.environ.get("HANGDOG_PHASE") or None)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_tasks, _next_task = weakref.WeakKeyDictionary(), itertools.count(1)
_fd = _file = _pid = _start = _next = None
_ROOM, _lost = 16 << 20, 0  # What hangdog has not read yet takes memory: with more than this, no phase begins.


def phase(name, /, **fields):
    """A phase: a context manager and a decorator; or begun and ended by hand."""
    return _OFF if _path is None else _Phase(name, fields)


class _Off:
    """What `phase` gives where nobody listens."""

    __slots__ = ()

    def begin(self):
        """Begins it, where `with` does not fit; returns it."""
        return self

    def note(self, **fields):
        """Says what was not known when it began."""

    def end(self, outcome="ok"):
        """Ends it: "ok", "failed" or "cancelled"."""

    def __enter__(self):
        return self.begin()

    def __exit__(self, kind, value, _traceback):
        self.end(_outcome(kind, value))

    def __call__(self, function):
        return function


class _Phase(_Off):
    __slots__ = ("name", "fields", "id", "pid", "around")

    def __init__(self, name, fields):
        self.name, self.fields, self.id = name, fields, None

    def begin(self):
        _look("begin", self.name)
        self.around = _around.get()
        self.id, self.pid = _say(_begin, self), _pid
        if self.id:
            _around.set(self.id)
        return self

    def note(self, **fields):
        if self._is_open():
            _say(_write, {"do": "note", "id": self.id}, fields)

    def end(self, outcome="ok"):
        if self._is_open():
            t = str(time.monotonic_ns())
            _say(_write, {"do": "end", "id": self.id, "pid": _pid, "t": t, "outcome": outcome}, {})
            if _around.get() == self.id:
                _around.set(self.around)
            _look("end", self.name)
        self.id = None

    def _is_open(self):  # A child that was forked inside a `with` leaves it too, but it is the parent's.
        return self.id is not None and self.pid == _pid

    def __call__(self, function):
        def plain(*args, **kwargs):
            with phase(self.name, **self.fields):
                return function(*args, **kwargs)

        def generator(*args, **kwargs):
            with phase(self.name, **self.fields):
                return (yield from function(*args, **kwargs))

        async def coroutine(*args, **kwargs):
            with phase(self.name, **self.fields):
                return await function(*args, **kwargs)

        if inspect.isasyncgenfunction(function):
            return function  # What is sent and thrown into it could not be passed on.
        within = generator if inspect.isgeneratorfunction(function) else plain
        return functools.wraps(function)(coroutine if inspect.iscoroutinefunction(function) else within)


_OFF = _Off()


def _outcome(kind, value):
    if kind is None or (issubclass(kind, SystemExit) and value.code in (None, 0)):
        return "ok"
    is_end = issubclass(kind, (GeneratorExit, KeyboardInterrupt)) or kind.__name__ in ("CancelledError", "Cancelled")
    return "cancelled" if is_end else "failed"


def _look(at, name):
    if _late and _path is not None:  # `hangdog flake` may hold the thread at this look; there is nothing to be found.
        _say(os.access, f"/dev/null/hangdog/{at} {_cut(name, 100)}", os.F_OK)


def _say(change, *about):
    global _path
    try:
        return change(*about) if _path is not None else None
    except Exception as error:  # A value that is no text costs its own phase only.
        _path = None if isinstance(error, OSError) else _path


def _begin(begun):
    fields, id_ = dict(begun.fields), f"{_pid}-{_start}-{next(_next)}"
    line = {"do": "begin", "id": id_, "name": _cut(begun.name), "pid": _pid, "tid": threading.get_native_id()}
    if (task := _task()) is not None:
        line["task"] = str(_tasks.get(task) or _tasks.setdefault(task, next(_next_task)))
        if not task.get_name().startswith("Task-"):  # Those are names that nobody gave.
            fields["task.name"] = task.get_name()
    line.update(start=_start, parent=begun.around, t=str(time.monotonic_ns()), lost=_lost)
    return id_ if _write(line, fields) else None


def _renew():
    global _pid, _next, _start
    _next, _pid = itertools.count(1), os.getpid()
    with open("/proc/self/stat", "rb") as file:
        _start = file.read().rpartition(b")")[2].split()[19].decode()


def _task():
    try:
        return sys.modules["asyncio"].current_task()
    except (KeyError, RuntimeError, AttributeError):  # Not imported, or just being so; or no loop runs in this thread.
        return None


def _cut(value, length=_CUT):
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _write(line, fields):
    global _fd, _file, _lost
    fields = {"hang." + key[5:] if key.startswith("hang_") else key: fields[key] for key in fields}
    fields = {_cut(key): _cut(fields[key], _CUT_KEY if key.startswith("hang.") else _CUT) for key in fields}
    for kept in (fields, {key: fields[key] for key in fields if key.startswith("hang.")}, {}):
        data = (_encode({**line, "fields": kept}) + "\n").encode("utf-8", "replace")
        if len(data) <= _LINE:
            break
    about = _about()
    # A program that closes all descriptors, as daemons do, may have this number for a file of its own by now.
    if about is None or (about.st_dev, about.st_ino) != _file:
        _fd = os.open(_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        about = _about()
        _file = about and (about.st_dev, about.st_ino)
    if about and line["do"] == "begin" and about.st_blocks * 512 > _ROOM:
        _lost += 1
        return False
    if about is None or os.write(_fd, data) != len(data):
        raise OSError("the file of phases cannot be written")
    _lost = 0 if line["do"] == "begin" else _lost
    return True


def _about():
    try:
        about = os.fstat(_fd)
    except (OSError, TypeError):
        return None
    # The file goes with the run; a daemon may stay.
    return about if stat.S_ISREG(about.st_mode) and about.st_nlink else None


if _path is not None:
    _say(_renew)
    os.register_at_fork(after_in_child=lambda: _say(_renew))
