//! The phases that each program opens, as `outer > inner: outcome, thread, task {fields}`. Tasks are numbered as they come.

/// What runs a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    Python,
    Node,
    Go,
    Dash,
    Bash,
}

use Runtime::{Bash, Dash, Go, Node, Python};

/// The program, its case, its phases.
type Case = (Runtime, &'static str, &'static [&'static str]);

pub(crate) const CASES: &[Case] = &[
    (
        Python,
        "nested",
        &[
            "by hand: cancelled, main thread",
            "outer: ok, main thread {hang.op=build n=1}",
            "outer > decorated: ok, main thread",
            "outer > decorated > within: ok, main thread",
            "outer > generated: ok, main thread",
            "outer > inner: ok, main thread {hang.wait=lock:cache hang.link=a>b n=2}",
        ],
    ),
    (
        Python,
        "outcomes",
        &[
            "KeyboardInterrupt(): cancelled, main thread",
            "SystemExit(0): ok, main thread",
            "SystemExit(3): failed, main thread",
            "ValueError('bad'): failed, main thread",
        ],
    ),
    (
        Python,
        "tasks",
        &[
            "main: ok, main thread, task 1",
            "main > decorated: ok, main thread, task 1",
            "in a thread of the pool: ok, thread",
            "main > one: cancelled, main thread, task 2",
            "main > other: cancelled, main thread, task 3 {task.name=the other}",
        ],
    ),
    (
        Python,
        "fork",
        &["before: ok, main thread", "before > parent: ok, main thread", "child's child: ok, main thread"],
    ),
    (
        Python,
        "threads",
        &[
            "main: ok, main thread",
            "work: ok, thread",
            "work: ok, thread",
            "work > inner: ok, thread",
            "work > inner: ok, thread",
        ],
    ),
    (Python, "closes_descriptors", &["after: ok, main thread", "before: ok, main thread"]),
    (
        Node,
        "nested",
        &[
            "by hand: cancelled, main thread, task 2",
            "by hand > within: ok, main thread, task 2",
            "gives a promise: ok, main thread, task 3",
            "outer: ok, main thread, task 1 {hang.op=build n=1}",
            "outer > inner: ok, main thread, task 1 {hang.wait=lock:cache hang.link=a>b n=2}",
            "outer > plain: ok, main thread, task 1",
            "plain, outermost: ok, main thread",
            "plain, outermost > inside: ok, main thread",
        ],
    ),
    (
        Node,
        "outcomes",
        &[
            "cancelled: cancelled, main thread, task 2",
            "failed: failed, main thread, task 1",
            "failed at once: failed, main thread",
            "thenable: ok, main thread, task 3",
        ],
    ),
    (Node, "unhandled", &["nobody looks: failed, main thread, task 1"]),
    (
        Node,
        "tasks",
        &[
            "main: ok, main thread, task 1",
            "main > after: ok, main thread, task 1",
            "main > one: ok, main thread, task 1",
            "main > one > inside one: ok, main thread, task 1",
            "main > other: ok, main thread, task 2",
            "main > other > inside other: ok, main thread, task 2",
        ],
    ),
    (Node, "threads", &["in a worker: ok, thread", "main: ok, main thread, task 1"]),
    (Node, "closes_descriptors", &["after: ok, main thread", "before: ok, main thread"]),
    (
        Go,
        "nested",
        &[
            "by hand: cancelled, task 2",
            "outer: ok, task 1 {hang.op=build n=1}",
            "outer > inner: ok, task 1 {hang.wait=lock:cache hang.link=a>b n=2}",
        ],
    ),
    (
        Go,
        "outcomes",
        &[
            "cancelled: cancelled, task 2",
            "exit of the goroutine: cancelled, task 4",
            "failed: failed, task 1",
            "panicked: panicked, task 3",
        ],
    ),
    (
        Go,
        "tasks",
        &["main: ok, task 1", "main > after: ok, task 1", "main > one: ok, task 1", "main > other: ok, task 2"],
    ),
    (Go, "closes_descriptors", &["after: ok, task 2", "before: ok, task 1"]),
    (Dash, "nested", SHELL_NESTED),
    (Bash, "nested", SHELL_NESTED),
    (Dash, "outcomes", SHELL_OUTCOMES),
    (Bash, "outcomes", SHELL_OUTCOMES),
    (Dash, "fork", SHELL_FORK),
    (Bash, "fork", SHELL_FORK),
];

const SHELL_NESTED: &[&str] = &[
    "outer: ok, main thread {hang.op=build n=1}",
    "outer > inner: ok, main thread",
    "outer > inner > innermost: ok, main thread",
    "outer > inner: ok, main thread {hang.wait=lock:cache}",
    "by hand: cancelled, main thread",
];

const SHELL_OUTCOMES: &[&str] = &[
    "child's ended by a trap: failed, main thread",
    "child's failed in a subshell: failed, main thread",
    "failed: failed, main thread",
];

const SHELL_FORK: &[&str] =
    &["before: ok, main thread", "before > parent: ok, main thread", "child's child: ok, main thread"];
