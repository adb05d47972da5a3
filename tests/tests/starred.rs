//! Hangs that cost others days, rebuilt from their reports with real programs (`tests/scenarios`): each is named and
//! ended, and what only looks like one ends well.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use hangdog_tests::{Bench, Expected, Needs, Programs, Wait, no_ipc_namespace, programs, root, trial};
use libtest_mimic::{Arguments, Trial};

/// A scenario and what must be said of it.
struct Row {
    name: &'static str,
    needs: Needs,
    expected: Expected,
}

/// A hang that any user can build.
const fn row(name: &'static str, expected: Expected) -> Row {
    Row { name, needs: Needs::Program("python3", "-V"), expected }
}

/// Kinds, who may be blamed (`a b`), and waits as `waiter over>resolver`, where `-` is nobody.
const fn expected(
    kinds: &'static [&'static str],
    blamed: &'static [&'static str],
    waits: &'static [Wait],
) -> Expected {
    Expected { kinds, blamed, waits }
}

/// A wait that must be told.
const fn wait(waiter: &'static str, over: &'static [&'static str], resolver: Option<&'static str>) -> Wait {
    Wait { waiter, over, resolver }
}

const HANGS: &[Row] = &[
    row(
        "server-calls-itself",
        expected(
            &["self-deadlock"],
            &["server"],
            &[wait("client", &["tcp"], Some("server")), wait("server", &["tcp"], Some("server"))],
        ),
    ),
    row(
        "backlog-overflow",
        expected(
            &["deadlock-cycle"],
            &["server", "client"],
            &[wait("server", &["child"], Some("client")), wait("client", &["tcp"], Some("server"))],
        ),
    ),
    row(
        "unix-backlog",
        expected(
            &["deadlock-cycle"],
            &["server", "client"],
            &[wait("server", &["child"], Some("client")), wait("client", &["unix"], Some("server"))],
        ),
    ),
    row(
        "lock-copied-by-fork",
        expected(
            &["self-deadlock"],
            &["child"],
            &[wait("parent", &["child"], Some("child")), wait("child", &["event"], Some("child"))],
        ),
    ),
    row("spawn-opens-fifo", expected(&["orphan-wait"], &[], &[wait("spawner", &["child"], None)])),
    row(
        "background-tcsetattr",
        expected(
            &["stopped-holder"],
            &["changer"],
            &[wait("shell", &["child"], Some("changer")), wait("changer", &["continue"], Some("terminal"))],
        ),
    ),
    Row {
        name: "frozen-above",
        needs: Needs::That(no_frozen_group),
        expected: expected(
            &["frozen"],
            &["boxed"],
            &[wait("runner", &["child"], Some("boxed")), wait("boxed", &["thaw"], None)],
        ),
    },
    row(
        "edge-missed",
        expected(
            &["deadlock-cycle"],
            &["client", "server"],
            &[wait("client", &["socket"], Some("server")), wait("server", &["socket"], Some("client"))],
        ),
    ),
    row(
        "whole-message",
        expected(
            &["deadlock-cycle"],
            &["client", "server"],
            &[wait("client", &["tcp"], Some("server")), wait("server", &["tcp"], Some("client"))],
        ),
    ),
    row(
        "both-send",
        expected(
            &["deadlock-cycle"],
            &["one", "other"],
            &[wait("one", &["tcp-room"], Some("other")), wait("other", &["tcp-room"], Some("one"))],
        ),
    ),
    row(
        "queue-joined-first",
        expected(
            &["deadlock-cycle"],
            &["consumer", "producer"],
            &[wait("consumer", &["child"], Some("producer")), wait("producer", &["pipe"], Some("consumer"))],
        ),
    ),
    Row {
        name: "page-nobody-serves",
        needs: Needs::That(root),
        expected: expected(&["self-deadlock"], &["toucher"], &[wait("toucher", &["page"], Some("toucher"))]),
    },
    row("timer-not-set", expected(&["self-deadlock"], &["waiter"], &[wait("waiter", &["event"], Some("waiter"))])),
    row(
        "signal-never-sent",
        expected(
            &["external-wait"],
            &["worker"],
            &[wait("parent", &["child"], Some("worker")), wait("worker", &["signal"], None)],
        ),
    ),
    row(
        "ranges-abba",
        expected(
            &["deadlock-cycle"],
            &["taker-a", "taker-b"],
            &[wait("taker-a", &["lock"], Some("taker-b")), wait("taker-b", &["lock"], Some("taker-a"))],
        ),
    ),
    row(
        "output-stopped",
        expected(
            &["external-wait"],
            &["writer"],
            &[wait("terminal", &["terminal"], Some("writer")), wait("writer", &["terminal-room"], None)],
        ),
    ),
    row(
        "future-never-set",
        expected(&["self-deadlock"], &["waiter"], &[wait("waiter", &["socket"], Some("waiter"))]),
    ),
    row(
        "asks-again",
        expected(
            &["deadlock-cycle"],
            &["server", "client"],
            &[wait("server", &["child"], Some("client")), wait("client", &["tcp"], Some("server"))],
        ),
    ),
    row(
        "told-before-accept",
        expected(
            &["deadlock-cycle"],
            &["server", "client"],
            &[wait("server", &["unix"], Some("client")), wait("client", &["tcp"], Some("server"))],
        ),
    ),
    row(
        "end-in-flight",
        expected(
            &["self-deadlock"],
            &["receiver"],
            &[wait("reader", &["pipe"], Some("receiver")), wait("receiver", &["unix"], Some("receiver"))],
        ),
    ),
    Row {
        name: "both-listen",
        needs: Needs::Program("node", "--version"),
        expected: expected(
            &["deadlock-cycle"],
            &["starter", "worker"],
            &[wait("starter", &["unix"], Some("worker")), wait("worker", &["unix"], Some("starter"))],
        ),
    },
    Row {
        name: "Monitors",
        needs: Needs::Program("java", "-version"),
        expected: expected(&["orphan-wait"], &[], &[wait("java", &["thread-exit"], Some("java"))]),
    },
    row("jobs-that-wait", expected(&["orphan-wait"], &[], &[wait("joiner", &["event"], Some("joiner"))])),
    row("queue-nobody-fills", expected(&["orphan-wait"], &[], &[wait("worker", &["event"], Some("worker"))])),
    row("pool-of-one", expected(&["orphan-wait"], &[], &[wait("pool", &["event"], Some("pool"))])),
    row(
        "tracer-forgets",
        expected(
            &["deadlock-cycle"],
            &["tracer", "tracee"],
            &[wait("tracer", &["child"], Some("tracee")), wait("tracee", &["tracer"], Some("tracer"))],
        ),
    ),
    row(
        "dead-worker-holds-lock",
        expected(
            &["orphan-wait"],
            &[],
            &[wait("starter", &["child"], Some("taker")), wait("taker", &["event"], None)],
        ),
    ),
    Row {
        name: "message-queue",
        needs: Needs::That(no_ipc_namespace),
        // Their namespace is the run's own: nobody else could put one in.
        expected: expected(&["orphan-wait"], &[], &[wait("receiver", &["event"], None)]),
    },
    Row {
        name: "syn-unanswered",
        needs: Needs::That(no_cable),
        expected: expected(
            &["external-wait"],
            &["asker"],
            &[wait("starter", &["child"], Some("asker")), wait("asker", &["tcp"], None)],
        ),
    },
    Row {
        name: "lock-file-of-the-dead",
        needs: Needs::Program("python3", "-V"),
        expected: expected(&["stale-lock"], &["first"], &[wait("second", &["lock-file"], Some("first"))]),
    },
    Row {
        name: "lock-directory-of-the-dead",
        // Only fanotify says who made a directory.
        needs: Needs::That(root),
        expected: expected(&["stale-lock"], &["first"], &[wait("second", &["lock-file"], Some("first"))]),
    },
    Row {
        name: "lock-link-of-the-dead",
        needs: Needs::Program("python3", "-V"),
        expected: expected(&["stale-lock"], &["first"], &[wait("second", &["lock-file"], Some("first"))]),
    },
];

const HEALTHY: &[&str] = &["lock-file-queue", "lock-file-left", "lock-made-by-command", "answered-late"];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let mut arguments = Arguments::from_args();
    // They wait most of the time, some of them for `--timeout`.
    arguments.test_threads.get_or_insert(6);
    let hangs = HANGS.iter().map(|row| trial(row.name, row.needs.clone(), move || check(programs!(), row)));
    let healthy = HEALTHY
        .iter()
        .map(|name| trial(*name, Needs::Program("python3", "-V"), move || ends_well(programs!(), name)));
    let trials: Vec<Trial> = hangs.chain(healthy).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// Why no control group can be made and frozen here, if so.
fn no_frozen_group() -> Option<String> {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let is_there = roots.iter().any(|root| Path::new(root).join("cgroup.controllers").exists());
    root().or_else(|| (!is_there).then(|| "needs cgroup v2".to_owned()))
}

/// Why no pair of network devices can be made here, if so.
fn no_cable() -> Option<String> {
    let make = ["--net", "--", "ip", "link", "add", "near", "type", "veth", "peer", "name", "far"];
    let is_made = Command::new("unshare").args(make).output().is_ok_and(|made| made.status.success());
    root().or_else(|| (!is_made).then(|| "needs ip and network devices of the kind veth".to_owned()))
}

fn line(bench: &Bench, name: &str) -> Vec<OsString> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let (program, end) = match name {
        "both-listen" => ("node", "js"),
        "Monitors" => ("java", "java"),
        _ => ("python3", "py"),
    };
    let script = folder.join(format!("{name}.{end}"));
    let script = [OsString::from(program), script.into(), bench.path("resource").into()];
    let apart = match name {
        // Queues of System V outlive everybody: theirs go with a namespace.
        "message-queue" => Some("--ipc"),
        // It makes network devices.
        "syn-unanswered" => Some("--net"),
        _ => None,
    };
    let apart = apart.map(|namespace| ["unshare", namespace, "--"].map(OsString::from));
    apart.into_iter().flatten().chain(script).collect()
}

fn check(programs: Programs, row: &Row) {
    let bench = Bench::new(programs);
    let mut command = bench.watched(&[], line(&bench, row.name));
    // The scripts' directory stays as it is; events are heard of the bench's own directory.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("TMPDIR", bench.path("")).current_dir(bench.path(""));
    let ended = bench.end_of(&mut command);
    remove_groups(&bench);
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.status.code(), Some(124), "{told}");
    let report = bench.report().expect("a report");
    let verdict = report.verdict.as_ref().expect("a verdict");
    row.expected.check(&bench, verdict);
    assert_eq!(bench.alive(), Vec::<String>::new(), "left behind: {told}");
}

/// Control groups that a scenario made, which are empty now, by the list that it wrote.
fn remove_groups(bench: &Bench) {
    let path = bench.path("resource");
    // Others keep a FIFO there, which would wait for somebody who writes.
    if !std::fs::metadata(&path).is_ok_and(|about| about.is_file()) {
        return;
    }
    let list = std::fs::read_to_string(path).unwrap_or_default();
    for group in list.lines().filter(|line| line.starts_with("/sys/fs/cgroup/")) {
        let removed = std::fs::remove_dir(group);
        assert!(removed.is_ok() || !Path::new(group).exists(), "{group}: {removed:?}");
    }
}

fn ends_well(programs: Programs, name: &str) {
    let bench = Bench::new(programs);
    let mut command: Command = bench.watched(&[], line(&bench, name));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("TMPDIR", bench.path("")).current_dir(bench.path(""));
    let ended = bench.end_of(&mut command);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "hangdog has nothing to say");
    assert!(bench.report().is_none_or(|report| report.verdict.is_none()));
}
