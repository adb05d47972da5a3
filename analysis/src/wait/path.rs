//! Waits in the file system: by path argument, by descriptor, or by the kernel's own function.
//!
//! A FUSE waiter is in S, not D (KERNEL.md §1.1), so neither the state nor the wait channel decides: what the
//! path or descriptor lies on does. Paths are joined and cleaned as text; nothing is ever looked up.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{Argument, FdDetail, FdFact, FuseFact, MountFact, Syscall, ThreadFact};
use hangdog_schemas::{Confidence, FactRef, Fd, FuseConnection, Pid, ResourceKey};

use super::call::{Outcome, descriptor, is_cwd};
use super::fd::hidden_holders;
use super::{Class, Resolver, Wait, memory, phase};
use crate::view::{View, reads_fuse};

/// Whether a path argument of the call is known.
pub(super) fn names_a_path(syscall: &Syscall, _name: &str) -> bool {
    path_argument(syscall).is_some()
}

fn path_argument(syscall: &Syscall) -> Option<(u8, &str)> {
    let Syscall::In { memory, .. } = syscall else { return None };
    memory.iter().find_map(|(n, value)| match value.seen() {
        Some(Argument::Path(path)) => Some((*n, path.as_str())),
        _ => None,
    })
}

/// The absolute path that the call names, joined with the working directory or the directory descriptor.
pub(super) fn full_path(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, _name: &str) -> Option<String> {
    let pid = thread.thread.process.pid;
    let (n, path) = path_argument(syscall)?;
    if path.starts_with('/') {
        return Some(clean(path));
    }
    // The calls whose path is their second argument take a directory descriptor as the first (openat(2)).
    let base = if n == 1 && !is_cwd(syscall, 0) {
        let number = descriptor(syscall, 0)?;
        view.snapshot.fd(pid, number)?.target.clone()
    } else {
        view.process(pid)?.cwd.seen()?.clone()
    };
    base.starts_with('/').then(|| clean(&format!("{base}/{path}")))
}

/// Removes `.`, `..` and doubled slashes as text.
fn clean(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

pub(super) fn by_path(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, name: &str) -> Outcome {
    let pid = thread.thread.process.pid;
    let Some(path) = full_path(view, thread, syscall, name) else {
        return by_kernel_function(view, thread)
            .unwrap_or_else(|| Outcome::Opaque("the path that it names could not be read".to_owned()));
    };
    if waits_for_fifo_partner(thread) {
        return Outcome::Waits(vec![fifo_partner(view, thread, syscall, name, &path)]);
    }
    match view.snapshot.mount_of_path(view.mount_namespace(pid), &path) {
        Some(mount) => on_mount(view, thread, mount, &path),
        None => by_kernel_function(view, thread)
            .unwrap_or_else(|| Outcome::Opaque(format!("on which mount {path} lies is not known"))),
    }
}

pub(super) fn by_fd(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> Outcome {
    let pid = thread.thread.process.pid;
    let fact = descriptor(syscall, 0).and_then(|number| view.snapshot.fd(pid, number));
    match fact {
        Some(fact) => file(view, thread, fact),
        None => by_kernel_function(view, thread)
            .unwrap_or_else(|| Outcome::Opaque("its descriptor could not be read".to_owned())),
    }
}

/// A call on an open file.
pub(super) fn file(view: &View<'_>, thread: &ThreadFact, fact: &FdFact) -> Outcome {
    match view.mount_of_fd(thread.thread.process.pid, fact.fd) {
        Some(mount) => on_mount(view, thread, mount, &fact.target),
        None => by_kernel_function(view, thread)
            .unwrap_or_else(|| Outcome::Opaque(format!("on which mount {} lies is not known", fact.target))),
    }
}

/// Whether a descriptor's file lies on FUSE.
pub(super) fn is_fuse_fd(view: &View<'_>, pid: Pid, number: Fd) -> bool {
    view.mount_of_fd(pid, number).is_some_and(|mount| mount.fuse().is_some())
}

fn on_mount(view: &View<'_>, thread: &ThreadFact, mount: &MountFact, path: &str) -> Outcome {
    let pid = thread.thread.process.pid;
    if let Some(connection) = mount.fuse() {
        let reference = FactRef::mount(view.snapshot.id, mount.namespace, mount.mount);
        let text = format!("{path} lies on {} ({}), FUSE connection {connection}", mount.mount_point, mount.fs_type);
        return fuse_reply(
            view,
            thread,
            connection,
            &mount.mount_point,
            path,
            vec![(text, vec![reference])],
            Confidence::Certain,
        );
    }
    if is_remote(&mount.fs_type) {
        let wait = Wait::new(
            Class::RemoteReply,
            ResourceKey::new("path", path),
            format!("{} at {}", mount.fs_type, mount.mount_point),
        )
        .because(
            format!("{path} lies on {} ({} from {})", mount.mount_point, mount.fs_type, mount.source),
            view.thread_ref((pid, thread.thread.tid)),
        )
        .open_to("the file server")
        .at_most(Confidence::Possible, "what the file server does");
        return Outcome::Waits(vec![wait]);
    }
    by_kernel_function(view, thread)
        .unwrap_or_else(|| Outcome::Opaque(format!("why it waits at {path} on {} is not visible", mount.fs_type)))
}

fn is_remote(fs_type: &str) -> bool {
    matches!(fs_type, "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "ceph" | "afs" | "virtiofs" | "autofs")
}

/// `close` and exit take the descriptor out of the table before they send FLUSH: nothing names the mount any more.
pub(super) fn by_close(view: &View<'_>, thread: &ThreadFact) -> Outcome {
    by_kernel_function(view, thread)
        .unwrap_or_else(|| Outcome::Opaque("what it closes is not visible any more".to_owned()))
}

/// Blocked without a system call: a page that has to be read.
pub(super) fn page_fault(view: &View<'_>, thread: &ThreadFact) -> Outcome {
    memory::page_to_fill(view, thread)
        .or_else(|| by_kernel_function(view, thread))
        .unwrap_or_else(|| Outcome::Opaque("which page it waits for is not visible".to_owned()))
}

/// The kernel says that it is a FUSE request but not of which connection: where only one has requests without an
/// answer, it is that one.
pub(super) fn by_kernel_function(view: &View<'_>, thread: &ThreadFact) -> Option<Outcome> {
    if !sleeps_in_fuse(thread) {
        return None;
    }
    let wchan = thread.wchan.seen().map_or("", String::as_str);
    let busy = busy_connections(view);
    let [connection] = busy[..] else {
        return Some(Outcome::Opaque(format!(
            "it waits for a FUSE reply, and {} connections have requests without an answer",
            busy.len()
        )));
    };
    let mount = view.snapshot.mounts_of_fuse(connection).next();
    let place = mount.map_or_else(|| format!("connection {connection}"), |mount| mount.mount_point.clone());
    let counted = view.snapshot.fuse.get(&connection).is_some_and(|fuse| fuse.waiting.seen().is_some());
    let why = if counted { "of the run's with requests without an answer" } else { "that the run has" };
    let text = format!(
        "it sleeps in {}, and connection {connection} ({place}) is the only one {why}",
        if wchan.is_empty() || wchan == "0" { "a FUSE function" } else { wchan }
    );
    let reference = FactRef::fuse(view.snapshot.id, connection);
    Some(fuse_reply(view, thread, connection, &place, &place, vec![(text, vec![reference])], Confidence::Likely))
}

/// A reply to a FUSE request: every thread of every process that holds the connection's `/dev/fuse` could give it.
fn fuse_reply(
    view: &View<'_>,
    thread: &ThreadFact,
    connection: FuseConnection,
    mount_point: &str,
    path: &str,
    evidence: Vec<(String, Vec<FactRef>)>,
    confidence: Confidence,
) -> Outcome {
    let mut wait = Wait::new(Class::FuseReply, ResourceKey::fuse(connection), path);
    wait.confidence = confidence;
    for (text, facts) in evidence {
        wait = wait.because(text, facts);
    }
    let key = (thread.thread.process.pid, thread.thread.tid);
    if let Some(wchan) = thread.wchan.seen().filter(|wchan| wchan.len() > 1) {
        wait = wait.because(format!("{} sleeps in {wchan}", view.name(key)), view.thread_ref(key));
    }
    if let Some(waiting) = view.snapshot.fuse.get(&connection).and_then(|fuse| fuse.waiting.seen()) {
        let reference = vec![FactRef::fuse(view.snapshot.id, connection)];
        let requests = if *waiting == 1 { "request" } else { "requests" };
        wait = wait.because(format!("connection {connection} has {waiting} {requests} without an answer"), reference);
        if *waiting == 0 {
            return Outcome::Opaque(format!("connection {connection} has no request without an answer"));
        }
    }
    let servers: BTreeSet<Pid> = view.snapshot.fuse_servers(connection).map(|fd| fd.process.pid).collect();
    if servers.is_empty() {
        return Outcome::Opaque(format!(
            "who serves connection {connection} is not visible (fdinfo of /dev/fuse names it since Linux 6.16)"
        ));
    }
    let mut candidates: Vec<Resolver> = Vec::new();
    for server in &servers {
        let device = view.snapshot.fuse_servers(connection).find(|fd| fd.process.pid == *server);
        let Some(device) = device else { continue };
        let facts = view.fd_ref(*server, device.fd);
        let text = format!(
            "{}[{server}] holds /dev/fuse of connection {connection} as fd {}",
            view.comm(*server),
            device.fd
        );
        wait = wait.because(text, facts.clone());
        candidates.extend(view.all_threads(*server, &format!("serves {mount_point}"), &facts));
    }
    let total = candidates.len();
    let (readers, mut others): (Vec<Resolver>, Vec<Resolver>) = candidates
        .into_iter()
        .partition(|resolver| view.thread(resolver.who).is_some_and(|thread| reads_fuse(view.snapshot, thread)));
    if others.is_empty() && !readers.is_empty() {
        // All threads wait for a request while one is without an answer: it was read and forgotten.
        let text = format!("all {total} threads of the server wait for the next request: this one was lost");
        let facts = readers.first().map(|reader| view.thread_ref(reader.who)).unwrap_or_default();
        let lost =
            wait.because(text, facts).at_most(Confidence::Likely, "whether the server answers later by another way");
        return Outcome::Waits(vec![lost]);
    }
    // A thread that waits for this very mount is its client; it serves it only where nobody else could.
    let is_client = |resolver: &Resolver| {
        resolver.who == key.into()
            || view.thread(resolver.who).is_some_and(|thread| connection_of(view, thread) == Some(connection))
    };
    if others.iter().any(|other| !is_client(other)) {
        others.retain(|other| !is_client(other));
    }
    if !readers.is_empty() {
        wait = wait.at_most(
            Confidence::Likely,
            "which thread of the server has the request: those that wait for the next are set aside",
        );
    }
    let is_known = |other: &Resolver| {
        view.is_fuse_reader(other.who) || phase::serves(view, other.who, &format!("fuse:{mount_point}"))
    };
    if others.iter().any(is_known) && !others.iter().all(is_known) {
        others.retain(is_known);
        wait = wait.at_most(Confidence::Likely, "whether another thread of the server could answer");
    }
    for other in &mut others {
        other.exact |= is_known(other);
    }
    wait.resolvers = others;
    Outcome::Waits(vec![hidden_holders(view, wait)])
}

/// The connection at which a thread waits, by its path, its descriptor, or as the only busy one.
fn connection_of(view: &View<'_>, thread: &ThreadFact) -> Option<FuseConnection> {
    let pid = thread.thread.process.pid;
    if !sleeps_in_fuse(thread) {
        return None;
    }
    let syscall = thread.syscall.seen()?;
    if let Some(path) = full_path(view, thread, syscall, "") {
        return view.snapshot.mount_of_path(view.mount_namespace(pid), &path)?.fuse();
    }
    let by_fd = descriptor(syscall, 0).and_then(|number| view.mount_of_fd(pid, number)?.fuse());
    by_fd.or_else(|| match busy_connections(view)[..] {
        [connection] => Some(connection),
        _ => None,
    })
}

fn sleeps_in_fuse(thread: &ThreadFact) -> bool {
    let is_fuse =
        |name: &str| name == "request_wait_answer" || name.starts_with("fuse_") && !name.starts_with("fuse_dev_");
    thread.wchan.seen().is_some_and(|wchan| is_fuse(wchan))
        || thread.stack.seen().is_some_and(|stack| stack.iter().any(|name| is_fuse(name)))
}

/// Connections with requests without an answer: those that the run made or serves, if there are any, else all; a
/// machine may have dead mounts of others. Where the kernel's counters cannot be read (fusectl is not mounted,
/// or belongs to somebody else), those that the run serves or has mounted.
fn busy_connections(view: &View<'_>) -> Vec<FuseConnection> {
    let counted: Vec<&FuseFact> = view.snapshot.fuse.values().filter(|fuse| fuse.waiting.seen().is_some()).collect();
    if !counted.is_empty() {
        let waits = |fuse: &&FuseFact| fuse.waiting.seen().is_some_and(|waiting| *waiting > 0);
        let busy: Vec<&FuseFact> = counted.into_iter().filter(|fuse| waits(fuse)).collect();
        let own: Vec<FuseConnection> =
            busy.iter().filter(|fuse| is_of_run(view, fuse)).map(|fuse| fuse.connection).collect();
        return if own.is_empty() { busy.iter().map(|fuse| fuse.connection).collect() } else { own };
    }
    let mounted = view.snapshot.mounts.iter().filter(|mount| mount.made_by_run).filter_map(MountFact::fuse);
    let served = view.snapshot.fds.values().flat_map(|fds| fds.values()).filter_map(|fd| match &fd.detail {
        FdDetail::FuseServer { connection } => *connection,
        _ => None,
    });
    mounted.chain(served).collect::<BTreeSet<_>>().into_iter().collect()
}

fn is_of_run(view: &View<'_>, fuse: &FuseFact) -> bool {
    fuse.made_by_run || view.snapshot.fuse_servers(fuse.connection).any(|fd| view.is_of_run(fd.process.pid))
}

/// `open` of a FIFO sleeps until somebody opens the other end.
fn waits_for_fifo_partner(thread: &ThreadFact) -> bool {
    let named = |name: &str| matches!(name, "wait_for_partner" | "fifo_open");
    thread.wchan.seen().is_some_and(|wchan| named(wchan))
        || thread.stack.seen().is_some_and(|stack| stack.iter().any(|name| named(name)))
}

fn fifo_partner(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, name: &str, path: &str) -> Wait {
    const O_ACCMODE: u64 = 3;
    let flags = match name {
        "open" => syscall.arg(1),
        "openat" => syscall.arg(2),
        _ => None,
    };
    let end = match flags.map(|flags| flags & O_ACCMODE) {
        Some(0) => "writer",
        Some(1) => "reader",
        _ => "partner",
    };
    let key = (thread.thread.process.pid, thread.thread.tid);
    let wait = Wait::new(Class::FifoPeer, ResourceKey::fifo(path), format!("a {end} of the FIFO {path}"))
        .because(
            format!("{} sleeps in the open of the FIFO {path} until a {end} opens it", view.name(key)),
            view.thread_ref(key),
        )
        .open_to("whoever opens the FIFO");
    let holders: Vec<&FdFact> =
        view.snapshot.fds.values().flat_map(|fds| fds.values()).filter(|fd| fd.target == path).collect();
    let wait = if holders.is_empty() {
        wait.because(format!("no process has {path} open"), vec![])
    } else {
        holders.iter().fold(wait, |wait, fd| {
            let text = format!("{}[{}] has it open as fd {}", view.comm(fd.process.pid), fd.process.pid, fd.fd);
            wait.because(text, view.fd_ref(fd.process.pid, fd.fd))
        })
    };
    wait.at_most(Confidence::Likely, "whether somebody will still open the FIFO")
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_are_cleaned_as_text() {
        for (path, expected) in [("/a/./b//c", "/a/b/c"), ("/a/../b", "/b"), ("/..", "/"), ("/a/b/..", "/a")] {
            assert_eq!(clean(path), expected);
        }
    }
}
