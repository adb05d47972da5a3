//! What each thread and async task of a snapshot waits for, and who could end that.
//!
//! ```text
//! thread ── system call ──▶ Need (fd readable, child ended, …) ──▶ Wait (resource, resolvers, evidence)
//!            call.rs                                            fd.rs, socket.rs, path.rs, child.rs, lock.rs, futex.rs
//! async task ── innermost phases ────────────────────────▶ Wait (the same)
//!            task.rs                                           primitive.rs
//! ```
//!
//! A missing fact may hide a wait but never invents one: what cannot be told is [`Rest::Opaque`], and an
//! opaque task counts as alive.

mod call;
mod child;
mod fd;
pub(crate) mod futex;
mod ipc;
mod lock;
mod memory;
mod path;
mod phase;
mod primitive;
mod signals;
pub(crate) mod socket;
mod task;
mod terminal;

use hangdog_schemas::fact::{Syscall, TaskState, ThreadFact};
use hangdog_schemas::{Confidence, Evidence, FactRef, Pid, ResourceKey};

use crate::key::Key;
use crate::view::View;

/// What kind of thing is waited for. Decides the words and, with the graph, the kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    FuseReply,
    TcpReply,
    TcpAccept,
    TcpRoom,
    UnixData,
    UnixAccept,
    UnixRoom,
    RemoteReply,
    UdpReply,
    PipeData,
    PipeRoom,
    FifoPeer,
    ChildExit,
    ThreadExit,
    Mutex,
    MemoryLock,
    Page,
    FileLock,
    TerminalInput,
    TerminalOutput,
    TerminalRoom,
    Continue,
    Thaw,
    Tracer,
    Signal,
    NewClient,
    FuseRequest,
    Event,
    SharedEvent,
    Semaphore,
    Timer,
    Named,
    Lock,
    LockTurn,
    Pool,
    ChannelItem,
    ChannelSpace,
    Notification,
    Poll,
}

impl Class {
    /// The word in a report's `resource.kind`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::FuseReply => "fuse-reply",
            Self::TcpReply => "tcp-reply",
            Self::TcpAccept => "tcp-accept",
            Self::TcpRoom => "tcp-room",
            Self::UnixData => "unix-socket-data",
            Self::UnixAccept => "unix-socket-accept",
            Self::UnixRoom => "unix-socket-room",
            Self::RemoteReply => "remote-reply",
            Self::UdpReply => "udp-reply",
            Self::PipeData => "pipe-data",
            Self::PipeRoom => "pipe-room",
            Self::FifoPeer => "fifo-peer",
            Self::ChildExit => "child-exit",
            Self::ThreadExit => "thread-exit",
            Self::Mutex => "mutex",
            Self::MemoryLock => "memory-lock",
            Self::Page => "page",
            Self::FileLock => "file-lock",
            Self::TerminalInput => "terminal-input",
            Self::TerminalOutput => "terminal-output",
            Self::TerminalRoom => "terminal-room",
            Self::Continue => "continue",
            Self::Thaw => "thaw",
            Self::Tracer => "tracer",
            Self::Signal => "signal",
            Self::NewClient => "new-client",
            Self::FuseRequest => "fuse-request",
            Self::Event => "event",
            Self::SharedEvent => "shared-event",
            Self::Semaphore => "semaphore",
            Self::Timer => "timer",
            Self::Named => "named-resource",
            Self::Lock => "lock",
            Self::LockTurn => "lock-turn",
            Self::Pool => "pool",
            Self::ChannelItem => "channel-item",
            Self::ChannelSpace => "channel-space",
            Self::Notification => "notification",
            Self::Poll => "poll",
        }
    }

    /// Whether waiting for it is what a program without work does: nobody owes the waiter anything.
    pub(crate) fn is_waiting_for_work(self) -> bool {
        matches!(self, Self::Signal | Self::NewClient | Self::FuseRequest | Self::Event | Self::Timer | Self::Poll)
    }
}

/// How far a resolver counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// It is known as one who could end the wait, and is told as such.
    Fully,
    /// It is set aside as idle for want of work: it counts only when it is live.
    WhenLive,
    /// It may be one, and is never told as such: a guard or an end of a channel can be handed on unseen.
    Untold,
}

/// Who could end a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolver {
    /// The thread or async task.
    pub(crate) who: Key,
    /// How, as a fragment after its name: `holds the write end as fd 4`.
    pub(crate) how: String,
    /// Where that stands.
    pub(crate) facts: Vec<FactRef>,
    /// Whether a phase or the kernel itself names this very thread, not only its process.
    pub(crate) exact: bool,
    /// Resolvers of one group can replace each other; of each group somebody is needed.
    pub(crate) group: u64,
    /// How far it counts.
    pub(crate) counts: Counts,
    /// Whether it holds what is waited for, or a part of it.
    pub(crate) holds: bool,
}

impl Resolver {
    pub(crate) fn new(who: impl Into<Key>, how: impl Into<String>, facts: Vec<FactRef>) -> Self {
        let (who, how) = (who.into(), how.into());
        Self { who, how, facts, exact: false, group: 0, counts: Counts::Fully, holds: false }
    }

    /// A phase or the kernel itself names this very task.
    pub(crate) fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    pub(crate) fn in_group(mut self, group: u64) -> Self {
        self.group = group;
        self
    }

    pub(crate) fn untold(mut self) -> Self {
        self.counts = Counts::Untold;
        self
    }
}

/// One alternative of a task: a resource and who could give it.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) class: Class,
    pub(crate) key: ResourceKey,
    /// Name for people.
    pub(crate) name: String,
    pub(crate) resolvers: Vec<Resolver>,
    /// Whether somebody who is not in the snapshot could end it too, and who that would be.
    pub(crate) outside: Option<&'static str>,
    /// How sure it is that this is the wait and that these are all who could end it.
    pub(crate) confidence: Confidence,
    pub(crate) evidence: Vec<Evidence>,
    /// What could not be seen and would matter.
    pub(crate) unseen: Vec<String>,
    /// Whether what would have ended it was seen to have come before it began.
    pub(crate) came_before: bool,
    /// Whether a handler of the waiter's process could end it, if somebody sent the signal.
    pub(crate) is_heard: bool,
}

impl Wait {
    pub(crate) fn new(class: Class, key: ResourceKey, name: impl Into<String>) -> Self {
        Self {
            class,
            key,
            name: name.into(),
            resolvers: Vec::new(),
            outside: None,
            confidence: Confidence::Certain,
            evidence: Vec::new(),
            unseen: Vec::new(),
            came_before: false,
            is_heard: false,
        }
    }

    /// Whether this is what a task of a process waits for when it has no work. A pipe or a pair of sockets of which
    /// only the process itself has the other end is the bell by which an event loop wakes itself, for a signal or for
    /// another thread.
    pub(crate) fn is_for_work(&self, pid: Pid) -> bool {
        let is_own = || self.resolvers.iter().all(|resolver| resolver.who.pid() == pid);
        let is_bell =
            || matches!(self.class, Class::PipeData | Class::UnixData) && self.outside.is_none() && is_own();
        self.class.is_waiting_for_work() || is_bell()
    }

    pub(crate) fn heard(mut self) -> Self {
        self.is_heard = true;
        self
    }

    pub(crate) fn because(mut self, text: impl Into<String>, facts: Vec<FactRef>) -> Self {
        self.evidence.push(Evidence { text: text.into(), facts });
        self
    }

    pub(crate) fn open_to(mut self, whom: &'static str) -> Self {
        self.outside = Some(whom);
        self
    }

    pub(crate) fn at_most(mut self, confidence: Confidence, unseen: impl Into<String>) -> Self {
        if self.confidence > confidence {
            self.confidence = confidence;
        }
        self.unseen.push(unseen.into());
        self
    }
}

/// What a thread is doing, before anybody asks who could help it.
#[derive(Clone, Debug)]
pub(crate) enum Rest {
    /// It runs or moved between the snapshots.
    Acts,
    /// A timer will wake it, within this many ns where the call says so.
    Timed(Option<u64>),
    /// It waits for any of these.
    Waits(Vec<Wait>),
    /// It waits, and the facts do not say for what.
    Opaque(String),
    /// It has ended.
    Ended,
    /// No thread, but any of these.
    AnyOf(Vec<Key>),
}

/// A thread or async task and its wait.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) key: Key,
    pub(crate) rest: Rest,
    /// The system call in words: `openat("/mnt/x/conversation")`.
    pub(crate) call: Option<String>,
    /// Whether it was seen in the same wait twice.
    pub(crate) seen_twice: bool,
}

/// What a wait with a time limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// It ends by itself.
    End,
    /// Of a thread that repeats it: the wait for what it asks for each time. And nobody sends a signal to a handler
    /// that would end a wait.
    Repeated,
}

/// All threads and async tasks of a snapshot with their waits.
pub(crate) fn tasks(view: &View<'_>, limits: Limits) -> Vec<Task> {
    let any = view.snapshot.processes.keys().map(|pid| {
        let threads = view.snapshot.threads_of(*pid).filter(|t| !matches!(t.state, TaskState::Z | TaskState::X));
        let mut members: Vec<Key> = threads.map(|thread| Key::Thread(*pid, thread.thread.tid)).collect();
        members.extend(view.hidden_threads(*pid).map(|_| Key::Hidden(*pid)));
        Task { key: Key::Any(*pid), rest: Rest::AnyOf(members), call: None, seen_twice: true }
    });
    let hidden = view.snapshot.processes.keys().filter_map(|pid| {
        let count = view.hidden_threads(*pid)?;
        let rest = Rest::Opaque(format!("{count} of its threads were not seen"));
        Some(Task { key: Key::Hidden(*pid), rest, call: None, seen_twice: true })
    });
    view.snapshot
        .threads
        .values()
        .map(|thread| {
            let key = (thread.thread.process.pid, thread.thread.tid);
            let earlier = view.before.and_then(|before| before.threads.get(&key));
            let seen_twice = earlier.is_some_and(|earlier| is_same_wait(earlier, thread))
                && !view.phases.is_new(key, thread.when.t);
            let moved = earlier.is_some() && !seen_twice;
            let is_repeated = limits == Limits::Repeated && repeats(view, key.into());
            let rest = if moved && !is_repeated { moved_rest(thread) } else { rest_of(view, thread, limits) };
            Task { key: key.into(), rest, call: call::in_words(view, thread), seen_twice }
        })
        .chain(hidden)
        .chain(any)
        .chain(task::all(view))
        .collect()
}

/// Whether a thread stood at both looks in a call of the same kind that has a time limit.
pub(crate) fn repeats(view: &View<'_>, key: Key) -> bool {
    let earlier = key.thread().and_then(|key| view.before?.threads.get(&key));
    let (Some(earlier), Some(later)) = (earlier, view.thread(key)) else { return false };
    let call = |fact: &ThreadFact| {
        fact.syscall.seen().filter(|call| call::is_limited_wait(call)).and_then(Syscall::name).map(str::to_owned)
    };
    earlier.thread == later.thread
        && (earlier.state, later.state) == (TaskState::S, TaskState::S)
        && call(later).is_some()
        && call(earlier) == call(later)
}

fn moved_rest(thread: &ThreadFact) -> Rest {
    match thread.state {
        TaskState::Z | TaskState::X => Rest::Ended,
        _ => Rest::Acts,
    }
}

/// Same task, system call, arguments and voluntary switches (DESIGN §6).
fn is_same_wait(earlier: &ThreadFact, later: &ThreadFact) -> bool {
    if earlier.thread.process != later.thread.process {
        return false;
    }
    let call = |fact: &ThreadFact| match fact.syscall.seen() {
        Some(Syscall::In { number, args, .. }) => Some((Some(*number), Some(*args))),
        Some(Syscall::None { .. }) => Some((None, None)),
        _ => None,
    };
    let stopped = |fact: &ThreadFact| matches!(fact.state, TaskState::T | TaskState::Traced);
    (call(earlier) == call(later) || (stopped(earlier) && stopped(later)))
        && earlier.voluntary_switches == later.voluntary_switches
        && later.state != TaskState::R
}

fn rest_of(view: &View<'_>, thread: &ThreadFact, limits: Limits) -> Rest {
    match thread.state {
        TaskState::Z | TaskState::X => return Rest::Ended,
        TaskState::R | TaskState::I => return Rest::Acts,
        TaskState::Unknown => return Rest::Opaque("its state has a letter this version does not know".to_owned()),
        TaskState::T | TaskState::Traced => return Rest::Waits(vec![child::stopped(view, thread)]),
        TaskState::S | TaskState::D => {}
    }
    if let Some(wait) = child::frozen(view, thread) {
        return Rest::Waits(vec![wait]);
    }
    let rest = match thread.syscall.seen() {
        Some(syscall) => {
            let key = (thread.thread.process.pid, thread.thread.tid);
            let of_call = if repeats(view, key.into()) { limits } else { Limits::End };
            call::rest(view, thread, syscall, of_call)
        }
        None => {
            Rest::Opaque(format!("its system call is not known: {}", thread.syscall.why_not().unwrap_or_default()))
        }
    };
    hidden_resolver(beyond_patience(
        view,
        thread,
        signals::wake(view, thread, phase::refine(view, thread, rest), limits),
    ))
}

/// Where the kernel would have ended the wait if there were nobody (a pipe without a writer is at its end, a
/// connection without a listener is reset), an empty list means that somebody is not visible.
fn hidden_resolver(rest: Rest) -> Rest {
    let Rest::Waits(waits) = &rest else { return rest };
    let hidden = waits.iter().find(|wait| {
        let may_have_nobody = matches!(
            wait.class,
            Class::FuseReply | Class::FifoPeer | Class::Event | Class::Mutex | Class::SharedEvent | Class::Semaphore
        );
        wait.resolvers.is_empty() && wait.outside.is_none() && !may_have_nobody
    });
    match hidden {
        Some(wait) => Rest::Opaque(format!("who could end its wait for {} is not visible", wait.name)),
        None => rest,
    }
}

/// A process whose starter has ended and that sleeps for longer than anybody wants to wait is idle, not live
/// (DESIGN §7): `sleep 100000 &` in a script that has ended keeps its pipe open all that time.
fn beyond_patience(view: &View<'_>, thread: &ThreadFact, rest: Rest) -> Rest {
    let key = Key::from((thread.thread.process.pid, thread.thread.tid));
    match rest {
        Rest::Timed(Some(ns)) if u128::from(ns) > view.patience.as_nanos() && view.is_orphan(key.pid()) => {
            let seconds = ns / 1_000_000_000;
            let timer = Wait::new(
                Class::Timer,
                ResourceKey::new("timer", thread.thread.tid),
                format!("a timer of {seconds} s"),
            )
            .because(format!("{} sleeps for {seconds} s", view.name(key)), view.thread_ref(key))
            .open_to("its timer")
            .at_most(Confidence::Likely, "whether anybody wants to wait that long");
            Rest::Waits(vec![timer])
        }
        rest => rest,
    }
}
