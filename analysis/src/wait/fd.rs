//! Waiting at a descriptor: what is behind it, and who holds the other end.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{FdDetail, FdFact, ThreadFact};
use hangdog_schemas::{Confidence, Fd, Inode, Pid, ResourceKey, Watched};

use super::call::{Outcome, no_events};
use super::{Class, Counts, Resolver, Wait, child, memory, path, socket, terminal};
use crate::key::Key;
use crate::view::View;

/// An epoll set may hold epoll sets; the kernel allows five levels.
const MAX_DEPTH: u8 = 5;
const EPOLLIN: u32 = 1;
const EPOLLOUT: u32 = 4;
const EPOLLET: u32 = 1 << 31;
const SIGCHLD_MASK: u64 = 1 << 16;

/// For what a thread waits at a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Until data came, in a call that reads.
    Read,
    /// Until there is room, in a call that writes.
    Write,
    /// Until there is data, in poll, select or epoll.
    Poll,
    /// Until there is more data than when it was last told (edge-triggered epoll): what is there already wakes nobody.
    Edge,
    /// Until there is room, in poll, select or epoll.
    PollWrite,
    /// Until a connection stands.
    Connect,
}

impl Direction {
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Poll | Self::Edge)
    }

    pub(crate) fn is_poll(self) -> bool {
        matches!(self, Self::Poll | Self::Edge | Self::PollWrite)
    }
}

/// What a thread waits for at descriptor `number` of its own process.
pub(crate) fn outcome(view: &View<'_>, thread: &ThreadFact, number: Fd, direction: Direction, depth: u8) -> Outcome {
    let pid = thread.thread.process.pid;
    let Some(fact) = view.snapshot.fd(pid, number) else {
        // read() of a descriptor that another thread has closed, or whose table could not be read.
        return path::by_kernel_function(view, thread)
            .unwrap_or_else(|| Outcome::Opaque(format!("its descriptor {number} could not be read")));
    };
    if let Some(inode) = fact.socket() {
        return socket::outcome(view, thread, fact, inode, direction);
    }
    if let Some(inode) = fact.pipe() {
        return Outcome::Waits(vec![pipe(view, thread, fact, inode, direction)]);
    }
    match &fact.detail {
        FdDetail::Epoll(targets) => epoll(view, thread, fact, targets.as_slice(), depth),
        FdDetail::Eventfd { count, id } => {
            // mio never reads the eventfd by which it wakes a tokio runtime (seen with tokio 1: a count of 3, at rest).
            if direction.reads() && direction != Direction::Edge && count.0 > 0 {
                return Outcome::Ready;
            }
            Outcome::Waits(vec![eventfd(view, fact, *id)])
        }
        FdDetail::Timerfd { value_ns, .. } if *value_ns > 0 => Outcome::Timed,
        FdDetail::Timerfd { .. } => Outcome::Waits(vec![
            Wait::new(
                Class::Event,
                ResourceKey::new("timer", format_args!("{pid}:{number}")),
                "a timer that is not set",
            )
            .because(format!("fd {number} of {pid} is a timerfd without an expiry"), view.fd_ref(pid, number))
            .resolved(view.all_threads(pid, "could set the timer", &view.fd_ref(pid, number))),
        ]),
        FdDetail::Signalfd { mask } => Outcome::Waits(signalfd(view, pid, mask.0)),
        FdDetail::Pidfd { pid: Some(target) } => Outcome::Waits(vec![child::exit_of(view, *target)]),
        FdDetail::Pidfd { pid: None } => Outcome::Ready,
        FdDetail::Inotify { .. } => Outcome::Waits(vec![
            Wait::new(
                Class::Event,
                ResourceKey::new("inotify", format_args!("{pid}:{number}")),
                "a change of a file",
            )
            .open_to("whoever changes a watched file"),
        ]),
        // What was asked of the kernel, and who will touch which page, is in no fact.
        FdDetail::IoUring { .. } => Outcome::Opaque(format!("what its ring at fd {number} waits for is not visible")),
        FdDetail::Userfaultfd { .. } => {
            Outcome::Opaque("who will touch the memory that it fills is not visible".to_owned())
        }
        FdDetail::FuseServer { connection } => {
            let name = connection.map_or_else(String::new, |c| c.to_string());
            Outcome::Waits(vec![
                Wait::new(Class::FuseRequest, ResourceKey::new("fuse-request", name), "a FUSE request")
                    .open_to("whoever uses the mount"),
            ])
        }
        FdDetail::PtyMaster { index } => Outcome::Waits(vec![terminal::of_master(view, fact, *index, direction)]),
        FdDetail::Plain if terminal::is_terminal(&fact.target) => {
            Outcome::Waits(vec![terminal::of_slave(view, thread, fact, direction)])
        }
        FdDetail::Plain if is_named_pipe(thread, fact, direction) => {
            Outcome::Waits(vec![fifo(view, fact, direction)])
        }
        FdDetail::Plain if direction.is_poll() && !path::is_fuse_fd(view, pid, number) => {
            // Regular files are always ready; what else could be polled here is not known.
            Outcome::Opaque(format!("what it polls at {} is not known", fact.target))
        }
        FdDetail::Plain | FdDetail::UnixSocket { .. } => {
            memory::of_another(view, thread, fact).unwrap_or_else(|| path::file(view, thread, fact))
        }
    }
}

impl Wait {
    pub(super) fn resolved(mut self, resolvers: Vec<Resolver>) -> Self {
        self.resolvers.extend(resolvers);
        self
    }
}

/// Other ends of a pipe: a reader waits for any who can write, a writer for any who can read.
fn pipe(view: &View<'_>, thread: &ThreadFact, fact: &FdFact, inode: Inode, direction: Direction) -> Wait {
    let reads = direction.reads();
    let holders = view
        .snapshot
        .pipe_holders(inode)
        .filter(|holder| holder.access.is_none_or(|access| if reads { access.writes() } else { access.reads() }));
    let wait = ends(view, thread, fact, ResourceKey::pipe(inode), format!("pipe:[{inode}]"), holders, direction);
    hidden_holders(view, wait)
}

fn fifo(view: &View<'_>, fact: &FdFact, direction: Direction) -> Wait {
    let reads = direction.reads();
    let same = view.snapshot.fds.values().flat_map(|fds| fds.values()).filter(|other| {
        other.target == fact.target
            && other.inode == fact.inode
            && other.access.is_none_or(|access| if reads { access.writes() } else { access.reads() })
    });
    let key = ResourceKey::fifo(&fact.target);
    let (class, end) = if reads { (Class::PipeData, "write") } else { (Class::PipeRoom, "read") };
    let mut wait = Wait::new(class, key, format!("FIFO {}", fact.target))
        .open_to("whoever opens the FIFO")
        .at_most(Confidence::Likely, "whether somebody else will open the FIFO");
    for holder in same {
        wait = wait.resolved(holds(view, holder, end));
    }
    hidden_holders(view, wait)
}

fn ends<'f>(
    view: &View<'_>,
    thread: &ThreadFact,
    fact: &FdFact,
    key: ResourceKey,
    name: String,
    holders: impl Iterator<Item = &'f FdFact>,
    direction: Direction,
) -> Wait {
    let pid = thread.thread.process.pid;
    let (class, end) = if direction.reads() { (Class::PipeData, "write") } else { (Class::PipeRoom, "read") };
    let doing = if direction.reads() { "waits to read from" } else { "waits to write to" };
    let mut wait = Wait::new(class, key, name)
        .because(format!("{} {doing} fd {} -> {}", view.comm(pid), fact.fd, fact.target), view.fd_ref(pid, fact.fd));
    for holder in holders {
        wait = wait.resolved(holds(view, holder, end));
    }
    wait
}

fn holds(view: &View<'_>, holder: &FdFact, end: &str) -> Vec<Resolver> {
    let pid = holder.process.pid;
    view.all_threads(pid, &format!("holds the {end} end as fd {}", holder.fd), &view.fd_ref(pid, holder.fd))
}

/// A holder may be whoever receives a descriptor that lies in flight in a unix socket, or be among processes whose
/// descriptors could not be read.
pub(super) fn hidden_holders(view: &View<'_>, wait: Wait) -> Wait {
    let wait = by_kernel(view, receivers(view, wait));
    let left_out = view.snapshot.gaps.iter().find(|gap| gap.pid.is_none() && gap.what.starts_with("fd holders"));
    if let Some(gap) = left_out {
        return wait.at_most(Confidence::Possible, gap.what.clone());
    }
    let hidden = view.hidden_fds();
    if hidden.is_empty() {
        return wait;
    }
    let list: Vec<String> = hidden.iter().take(4).map(ToString::to_string).collect();
    // A run's processes inherit from each other. Of all processes of a machine some are never readable (the first one
    // in many containers): that one of them holds this end is the one thing to assume.
    let at_most = match view.watched() {
        Watched::Command => Confidence::Possible,
        Watched::Processes => Confidence::Likely,
    };
    wait.at_most(
        at_most,
        format!("descriptors of {} could not be read; one of them may hold the other end", list.join(", ")),
    )
}

/// The kernel reads and writes for a program that has asked it to (io_uring), at a time that may be set.
fn by_kernel(view: &View<'_>, wait: Wait) -> Wait {
    let holders: BTreeSet<Pid> = wait.resolvers.iter().map(|resolver| resolver.who.pid()).collect();
    match holders.into_iter().find(|pid| has_ring(view, *pid)) {
        Some(pid) => {
            let unseen = format!("whether the io_uring of {}[{pid}] does it", view.comm(pid));
            wait.at_most(Confidence::Possible, unseen)
        }
        None => wait,
    }
}

fn has_ring(view: &View<'_>, pid: Pid) -> bool {
    let is_ring = |fd: &FdFact| fd.target.contains("[io_uring]") || fd.target.contains("[aio]");
    view.snapshot.fds.get(&pid).is_some_and(|fds| fds.values().any(is_ring))
}

/// Which files lie in flight in a socket says nobody: it is this one where no process has it, and may be a copy of it
/// where somebody has.
fn receivers(view: &View<'_>, mut wait: Wait) -> Wait {
    let is_held = !wait.resolvers.is_empty() || wait.outside.is_some();
    for socket in view.carriers() {
        let pid = socket.process.pid;
        let how = format!("can receive the other end, which is in flight in the unix socket at fd {}", socket.fd);
        let facts = view.fd_ref(pid, socket.fd);
        let threads = view.all_threads(pid, &how, &facts);
        if wait.class == Class::FileLock {
            // Whoever has the lock as well has to let go too; that he has it is not known.
            let set_aside = threads.into_iter().map(|thread| Resolver { counts: Counts::WhenLive, ..thread });
            wait = wait.resolved(set_aside.collect()).at_most(
                Confidence::Likely,
                "whether a descriptor in flight in a unix socket holds the lock as well",
            );
        } else if is_held {
            wait = wait.resolved(threads.into_iter().map(Resolver::untold).collect());
        } else {
            let text = format!("no process has the other end, and descriptors wait in fd {} of {pid}", socket.fd);
            wait = wait
                .because(text, facts)
                .resolved(threads)
                .at_most(Confidence::Possible, "which descriptors wait to be received from a unix socket");
        }
    }
    wait
}

fn is_named_pipe(thread: &ThreadFact, fact: &FdFact, direction: Direction) -> bool {
    let wchan = thread.wchan.seen().map_or("", String::as_str);
    fact.target.starts_with('/') && !direction.is_poll() && wchan.contains("pipe_")
}

fn eventfd(view: &View<'_>, fact: &FdFact, id: Option<u32>) -> Wait {
    let pid = fact.process.pid;
    let holders: BTreeSet<Pid> = match id {
        Some(id) => view
            .snapshot
            .fds
            .values()
            .flat_map(|fds| fds.values())
            .filter(|other| matches!(other.detail, FdDetail::Eventfd { id: Some(other), .. } if other == id))
            .map(|other| other.process.pid)
            .collect(),
        None => [pid].into(),
    };
    let key = ResourceKey::new("eventfd", id.map_or_else(|| format!("{pid}:{}", fact.fd), |id| id.to_string()));
    let mut wait = Wait::new(Class::Event, key, "an eventfd");
    for holder in holders {
        let facts = view.fd_ref(pid, fact.fd);
        let threads = match &view.all_threads(holder, "holds the eventfd", &facts)[..] {
            [alone] => vec![alone.clone()],
            // Whoever waits there is as parked as one at a futex.
            _ if holder == pid => vec![Resolver::new(Key::Any(pid), "holds the eventfd", facts)],
            several => several.to_vec(),
        };
        wait = wait.resolved(threads);
    }
    if has_ring(view, pid) {
        wait = wait.at_most(Confidence::Possible, "whether a completion of io_uring sets the eventfd");
    }
    wait
}

fn epoll(
    view: &View<'_>,
    thread: &ThreadFact,
    fact: &FdFact,
    targets: &[hangdog_schemas::fact::EpollTarget],
    depth: u8,
) -> Outcome {
    if depth >= MAX_DEPTH {
        return Outcome::Opaque("its epoll sets are nested deeper than the kernel allows".to_owned());
    }
    if targets.is_empty() {
        return Outcome::Waits(vec![no_events(&format!("the empty epoll set fd {}", fact.fd))]);
    }
    Outcome::any(targets.iter().flat_map(|target| {
        let reads = if target.events & EPOLLET != 0 { Direction::Edge } else { Direction::Poll };
        let read = (target.events & EPOLLIN != 0).then(|| outcome(view, thread, target.fd, reads, depth + 1));
        let write = (target.events & EPOLLOUT != 0 && target.events & EPOLLIN == 0)
            .then(|| outcome(view, thread, target.fd, Direction::PollWrite, depth + 1));
        [read, write].into_iter().flatten()
    }))
}

fn signalfd(view: &View<'_>, pid: Pid, mask: u64) -> Vec<Wait> {
    let mut waits = vec![
        Wait::new(Class::Signal, ResourceKey::new("signal", ""), "a signal").open_to("somebody who sends a signal"),
    ];
    if mask & SIGCHLD_MASK != 0 {
        waits.extend(view.snapshot.children_of(pid).map(|child| child::exit_of(view, child)));
    }
    waits
}
