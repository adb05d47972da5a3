//! `stale-lock`: something polls, and a file of the run that keeps others out belongs to a process that has ended. Nobody will
//! remove it. At most possible: whether this file is what the polling asks for is in no fact.
//!
//! Whose it is: the process that its text names, which is dead, or younger than the file (its number was used again);
//! of a directory or link that names nobody, the process that made it, when it lived on for a while after that. A
//! regular file that names nobody is none: files that only are called so stay behind by design.

use hangdog_schemas::fact::{LockFileFact, LockFileShape, TaskState};
use hangdog_schemas::record::ExitStatus;
use hangdog_schemas::{Actor, Confidence, Edge, Evidence, FactRef, Finding, FindingKind, Pid, Resource, RunNs, Tid};
use hangdog_timeline::Snapshot;

use super::polling::pollers;
use crate::graph::Graph;
use crate::signature;
use crate::view::View;
use crate::wait::Task;
use crate::words;

/// Threads that poll that are told with an edge.
const WAITERS: usize = 4;
/// A process that began so much later than the file was written has not written it, ns: times of processes come in
/// ticks of 10 ms, those of files in some 4 ms, and the wall clock runs a little otherwise than the other one.
const SLACK: u64 = 100_000_000;

/// A process that made a file and lived on for so long was at work under it, ns.
const HELD: u64 = 500_000_000;
/// Samples see a process at the latest so long after its start, ns.
const SEEN_LATE: u64 = 1_000_000_000;

/// Why nobody will remove a lock file.
struct Stale<'a> {
    file: &'a LockFileFact,
    owner: Pid,
    how: How,
}

/// What became of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// It is named in the file, and dead.
    Dead,
    /// It made the file, which names nobody, and is dead.
    MakerDead,
    /// Its number was used again by a process that began after the file was written.
    Recycled,
}

/// The most telling stale lock file, when something of the run polls.
pub(crate) fn stale_lock(view: &View<'_>, graph: &Graph, before: &Snapshot) -> Option<Finding> {
    let polling: Vec<&Task> = pollers(view, graph, before);
    // Inside a pid namespace of its own the numbers in a file mean other processes.
    let is_outermost = |task: &&&Task| view.process(task.key.pid()).is_some_and(|own| own.ns_pids.len() <= 1);
    let waiters: Vec<&Task> = polling.iter().filter(is_outermost).copied().take(WAITERS).collect();
    let first = *waiters.first()?;
    let mut stale: Vec<Stale<'_>> =
        view.snapshot.lock_files.iter().filter_map(|file| of_the_dead(view, file)).collect();
    // What the run itself left tells more than what lay about before it, and the newest more than the older ones.
    stale.sort_by_key(|stale| (stale.how, stale.file.maker.is_none(), stale.file.age_ns));
    let stale = stale.first()?;
    let owner = actor(view, stale);
    let (sentence, evidence) = (sentence(view, first, stale, &owner), evidence(view, stale, &owner));
    let edges: Vec<Edge> = waiters
        .iter()
        .map(|waiter| Edge {
            waiter: view.actor(waiter.key),
            resource: Resource {
                kind: "lock-file".to_owned(),
                name: format!("{} to be removed, if that is what it polls for", stale.file.path),
                call: waiter.call.clone(),
            },
            resolver: (stale.how != How::Recycled).then(|| owner.clone()),
            confidence: Confidence::Possible,
            evidence: evidence.clone(),
        })
        .collect();
    Some(Finding {
        kind: FindingKind::StaleLock,
        confidence: Confidence::Possible,
        sentence: words::sentence(&sentence),
        // Whoever has the number now has nothing to do with it.
        culprits: if stale.how == How::Recycled { Vec::new() } else { vec![owner] },
        signature: signature::of(FindingKind::StaleLock, &edges),
        edges,
        advice: vec![
            "use a lock that the kernel gives back when its holder dies (flock), or let whoever finds the file check that \
             its owner is alive"
                .to_owned(),
        ],
        rescue: vec![format!(
            "mv -n -- {0} {0}.stale    # when nobody who uses it is at work",
            words::quoted(&stale.file.path)
        )],
        unknown: vec![
            "what the polling asks for each time: only a trace of its system calls would show it".to_owned(),
        ],
        id: String::new(),
    })
}

/// Why a lock file is stale, if it is.
fn of_the_dead<'a>(view: &View<'_>, file: &'a LockFileFact) -> Option<Stale<'a>> {
    // Whoever finds a pid file does not wait for it to go: it is about somebody who ought to be there.
    let name = file.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    if !name.contains("lock") && !name.contains("lck") {
        return None;
    }
    let is_open = view
        .snapshot
        .fds
        .values()
        .flat_map(|fds| fds.values())
        .any(|fd| fd.target.trim_end_matches('/') == file.path);
    if is_open {
        return None; // Somebody is at work with it.
    }
    let stale = |owner: Pid, how: How| Stale { file, owner, how };
    if file.named.is_empty() {
        let maker = file.maker.as_ref().filter(|_| file.shape != LockFileShape::File)?;
        let is_stale = is_dead(view, maker.pid, maker.exists) && held(view, maker.pid, file);
        return is_stale.then(|| stale(maker.pid, How::MakerDead));
    }
    // One of them alive: it may be the owner, and the others what it was told of.
    let mut found = None;
    for named in &file.named {
        if is_dead(view, named.pid, named.exists) {
            found = found.or(Some(stale(named.pid, How::Dead)));
        } else if is_younger(view, named.pid, file) {
            found = found.or(Some(stale(named.pid, How::Recycled)));
        } else {
            return None;
        }
    }
    found
}

/// Whether the maker of a file lived on for a while after it had made it. A command that makes a lock for a script
/// (`mkdir`, `ln -s`) ends at once, and the script has the lock.
fn held(view: &View<'_>, maker: Pid, file: &LockFileFact) -> bool {
    let written = file.when.t.0.saturating_sub(file.age_ns);
    view.timeline.processes().any(|dead| {
        let end = dead.end.map_or(0, |end| end.t.0.saturating_sub(end.err));
        dead.id.pid == maker
            && dead.start.t.0 <= written.saturating_add(SEEN_LATE)
            && end >= written.saturating_add(HELD)
    })
}

fn is_dead(view: &View<'_>, pid: Pid, exists: bool) -> bool {
    let state = view
        .process(pid)
        .map(|process| process.state)
        .or_else(|| view.snapshot.bystanders.get(&pid).map(|other| other.state));
    match state {
        Some(state) => matches!(state, TaskState::Z | TaskState::X),
        None => !exists,
    }
}

/// Whether the process that has this number now began after the file was written.
fn is_younger(view: &View<'_>, pid: Pid, file: &LockFileFact) -> bool {
    let process = view.process(pid).map(|process| process.process);
    let Some(process) = process.or_else(|| view.snapshot.bystanders.get(&pid).map(|other| other.process)) else {
        return false;
    };
    let header = view.timeline.header();
    let ticks = u128::from(header.ticks_per_second.max(1));
    let began = u128::from(process.start.0) * 1_000_000_000 / ticks;
    let now = u128::from(header.anchor.boottime.0) + u128::from(file.when.t.0.saturating_sub(header.anchor.t.0));
    began > now.saturating_sub(u128::from(file.age_ns)) + u128::from(SLACK)
}

fn actor(view: &View<'_>, stale: &Stale<'_>) -> Actor {
    let pid = stale.owner;
    let maker = stale.file.maker.as_ref().filter(|maker| maker.pid == pid).and_then(|maker| maker.comm.clone());
    let comm = last_of(view, pid).map(|(comm, _)| comm).or(maker).unwrap_or_else(|| "?".to_owned());
    Actor { pid, tid: Tid(pid.0), task: None, comm, phase: None }
}

/// The last name of an ended process of the run, and the signal that ended it.
fn last_of(view: &View<'_>, pid: Pid) -> Option<(String, Option<i32>)> {
    let dead = view.timeline.processes().filter(|dead| dead.id.pid == pid && dead.end.is_some());
    let dead = dead.max_by_key(|dead| dead.start.t)?;
    let signal = match dead.how {
        Some(ExitStatus::Signal(signal)) => Some(signal),
        _ => None,
    };
    Some((dead.comm_at(RunNs(u64::MAX)).to_owned(), signal))
}

fn sentence(view: &View<'_>, poller: &Task, stale: &Stale<'_>, owner: &Actor) -> String {
    let path = words::short(&stale.file.path);
    let what = match stale.file.shape {
        LockFileShape::File => "lock file",
        LockFileShape::Directory => "lock directory",
        LockFileShape::Link => "lock link",
    };
    let name =
        if owner.comm == "?" { format!("process {}", owner.pid) } else { format!("{}[{}]", owner.comm, owner.pid) };
    let killed = last_of(view, stale.owner).and_then(|(_, signal)| signal);
    let dead = killed.map_or_else(|| "is dead".to_owned(), |signal| format!("was killed by signal {signal}"));
    let whose = match stale.how {
        How::Dead => format!("names {name}, which {dead}"),
        How::MakerDead => format!("was made by {name}, which {dead}"),
        How::Recycled => format!(
            "names process {0}, whose number was used again: {1}, which has it now, began after the file was written",
            owner.pid,
            view.name(crate::key::Key::main_of(stale.owner))
        ),
    };
    format!(
        "{} polls, and the {what} {path} is stale: it {whose}, so nobody will remove it (written {} s ago, and nobody has it open)",
        view.name(poller.key),
        stale.file.age_ns / 1_000_000_000
    )
}

fn evidence(view: &View<'_>, stale: &Stale<'_>, owner: &Actor) -> Vec<Evidence> {
    let file = stale.file;
    let facts = vec![FactRef::lock_file(view.snapshot.id, file.inode)];
    let mut list = Vec::new();
    let mut add = |text: String| list.push(Evidence { text, facts: facts.clone() });
    if let Some(text) = file.text.seen() {
        let line = text.lines().next().unwrap_or_default();
        add(format!("{} says {:?}", file.path, words::short(line)));
    }
    match stale.how {
        How::Recycled => add(format!(
            "process {} began after the file was written: its number was used before by another one",
            owner.pid
        )),
        _ => add(format!("no process has the number {} any more, or it has ended and was not reaped", owner.pid)),
    }
    if let Some(maker) = &file.maker {
        let comm = maker.comm.as_deref().unwrap_or("?");
        add(format!("{comm}[{}] made it during the run", maker.pid));
    }
    list
}
