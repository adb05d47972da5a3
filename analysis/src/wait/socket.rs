//! Waiting at a socket: who holds the other end, and which of its threads owes the answer.
//!
//! "Who resolves the reply on this connection?" (DESIGN §7). In this order, and the order is the confidence:
//! the phase that serves it; if the request was read, the threads of the server that are blocked in something
//! else than accept, poll or a parked pool; otherwise every thread of it. Those that are set
//! aside count when they are live: one of them may be the one that answers.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{FdFact, SocketFact, SocketFamily, SocketState, ThreadFact};
use hangdog_schemas::{Confidence, FactRef, Inode, Pid, ResourceKey};

use super::call::Outcome;
use super::fd::{Direction, hidden_holders};
use super::{Class, Counts, Resolver, Wait, futex, phase};
use crate::view::View;

pub(super) fn outcome(
    view: &View<'_>,
    thread: &ThreadFact,
    fact: &FdFact,
    inode: Inode,
    direction: Direction,
) -> Outcome {
    let pid = thread.thread.process.pid;
    let Some(socket) = view.snapshot.socket(inode) else {
        return match thread.syscall.seen().and_then(|syscall| syscall.memory(1)?.seen()) {
            Some(hangdog_schemas::fact::Argument::SocketAddress(address)) if direction == Direction::Connect => {
                capped(view, thread, direction, connecting(view, fact, address))
            }
            _ => Outcome::Opaque(format!("the socket behind fd {} of {pid} could not be read", fact.fd)),
        };
    };
    let outcome = capped(view, thread, direction, behind(view, thread, fact, socket, direction));
    match outcome {
        // A connection that stands, and whose other end or the way to it does not answer: the kernel gives it up in the
        // end. One that is asked for is answered late where a queue is full.
        Outcome::Waits(waits) if socket.retransmits > Some(0) && socket.state != SocketState::SynSent => {
            let given_up = |wait: Wait| wait.at_most(Confidence::Possible, "when the kernel gives the connection up");
            Outcome::Waits(waits.into_iter().map(given_up).collect())
        }
        outcome => outcome,
    }
}

/// No file of `/proc` shows the time limits of a socket. Those of a unix socket are for calls that read or write, and a
/// poll has its own; of TCP the kernel may give up a connection by itself.
fn capped(view: &View<'_>, thread: &ThreadFact, direction: Direction, outcome: Outcome) -> Outcome {
    const LIMIT: &str = "whether the socket has a time limit (SO_RCVTIMEO, SO_SNDTIMEO)";
    let Outcome::Waits(waits) = outcome else { return outcome };
    let capped = waits.into_iter().map(|wait| match wait.class {
        Class::NewClient => wait,
        Class::UnixData | Class::UnixRoom if direction.is_poll() => wait,
        // Nobody else could ever have answered: whoever wrote it made a mistake, or set a limit.
        _ if is_left_alone(view, thread, &wait) && !direction.is_poll() => wait.at_most(Confidence::Possible, LIMIT),
        _ => wait.at_most(Confidence::Likely, LIMIT),
    });
    Outcome::Waits(capped.collect())
}

/// Whether both ends of a connection are in the hands of the one thread that waits.
fn is_left_alone(view: &View<'_>, thread: &ThreadFact, wait: &Wait) -> bool {
    let pid = thread.thread.process.pid;
    let is_alone = view.hidden_threads(pid).is_none() && view.snapshot.threads_of(pid).count() == 1;
    let is_connection = !matches!(wait.class, Class::TcpAccept | Class::UnixAccept);
    let own = wait.resolvers.iter().all(|resolver| resolver.who.pid() == pid);
    is_alone && is_connection && own && !wait.resolvers.is_empty()
}

/// How evidence ends that an edge-triggered epoll does not tell of what is there.
pub(crate) const TOLD_ALREADY: &str = "of which its edge-triggered epoll has told already and tells no more";

fn behind(view: &View<'_>, thread: &ThreadFact, fact: &FdFact, socket: &SocketFact, direction: Direction) -> Outcome {
    if socket.state == SocketState::Listen {
        return if direction == Direction::Poll && socket.receive_queue.unwrap_or(0) > 0 {
            Outcome::Ready
        } else {
            Outcome::Waits(vec![new_client(view, fact, socket)])
        };
    }
    let is_told_already = direction == Direction::Edge;
    if direction.reads() && !is_told_already && socket.receive_queue.is_some_and(|bytes| bytes > 0) {
        return Outcome::Ready;
    }
    let unread = socket.receive_queue.unwrap_or(0);
    let outcome = match socket.family {
        SocketFamily::Tcp => tcp(view, fact, socket, direction),
        SocketFamily::Udp => Outcome::Waits(vec![udp(view, fact, socket)]),
        SocketFamily::UnixStream | SocketFamily::UnixSeqpacket | SocketFamily::UnixDatagram => {
            unix(view, thread, fact, socket, direction)
        }
    };
    match outcome {
        Outcome::Waits(waits) if is_told_already && unread > 0 => {
            let text = format!("fd {} has {unread} bytes unread, {TOLD_ALREADY}", fact.fd);
            let facts = vec![FactRef::socket(view.snapshot.id, socket.inode)];
            Outcome::Waits(waits.into_iter().map(|wait| wait.because(text.clone(), facts.clone())).collect())
        }
        outcome => outcome,
    }
}

fn new_client(view: &View<'_>, fact: &FdFact, socket: &SocketFact) -> Wait {
    Wait::new(Class::NewClient, listener_key(socket), format!("a client of {}", socket.local))
        .because(
            format!("fd {} of {} listens on {}", fact.fd, fact.process.pid, socket.local),
            view.fd_ref(fact.process.pid, fact.fd),
        )
        .open_to("a new client")
}

fn listener_key(socket: &SocketFact) -> ResourceKey {
    if socket.family.is_unix() {
        ResourceKey::new("unix", &socket.local)
    } else {
        ResourceKey::new("tcp", &socket.local)
    }
}

/// A connected socket gets what comes from its peer's address alone: on this host, from whoever has that socket.
fn udp(view: &View<'_>, fact: &FdFact, socket: &SocketFact) -> Wait {
    let is_connected = !socket.remote.is_empty() && !socket.remote.ends_with(":0");
    let facts = vec![FactRef::socket(view.snapshot.id, socket.inode)];
    let text = format!("fd {} is a UDP socket {} -> {}", fact.fd, socket.local, socket.remote);
    let key = ResourceKey::new("udp", &socket.local);
    let lost = "whether the datagram or its answer was lost: UDP does not tell";
    // Bound to all addresses it has those of this host only, and which they are is not on record.
    let is_here = |other: &SocketFact| {
        other.local == socket.remote || is_loopback(&socket.remote) && is_local_of(&other.local, &socket.remote)
    };
    let peers: Vec<Pid> = view
        .snapshot
        .sockets
        .iter()
        .filter(|other| is_connected && other.family == SocketFamily::Udp && other.netns == socket.netns)
        .filter(|other| other.inode != socket.inode && is_here(other))
        .flat_map(|peer| owners(view, peer.inode))
        .collect();
    if peers.is_empty() {
        let from = if is_connected { &socket.remote } else { &socket.local };
        let name = format!("a datagram {} {from}", if is_connected { "from" } else { "at" });
        let wait = Wait::new(Class::RemoteReply, key, name).because(text, facts);
        return wait.open_to("whoever sends a datagram").at_most(Confidence::Likely, lost);
    }
    let wait =
        Wait::new(Class::UdpReply, key, format!("a datagram from {}", socket.remote)).because(text, facts.clone());
    let wait = peers
        .into_iter()
        .fold(wait, |wait, holder| wait.resolved(view.all_threads(holder, "has the other socket", &facts)));
    hidden_holders(view, wait.at_most(Confidence::Likely, lost))
}

fn is_loopback(address: &str) -> bool {
    address.starts_with("127.") || address.starts_with("[::1]")
}

fn tcp(view: &View<'_>, fact: &FdFact, socket: &SocketFact, direction: Direction) -> Outcome {
    let own = FactRef::socket(view.snapshot.id, socket.inode);
    let key = ResourceKey::tcp(&socket.local, &socket.remote);
    if socket.state == SocketState::SynSent {
        return connecting(view, fact, &socket.remote);
    }
    let ended = matches!(socket.state, SocketState::CloseWait | SocketState::Close | SocketState::Closing);
    if direction == Direction::Edge && ended {
        return Outcome::Waits(Vec::new()); // Its end was told, and nothing more comes.
    }
    if direction.reads() && ended {
        return Outcome::Ready;
    }
    // Each network namespace has a loopback of its own.
    let is_far = !is_loopback(&socket.remote);
    let peer = view.snapshot.sockets_at(&socket.remote).find(|other| {
        other.family == SocketFamily::Tcp
            && other.state != SocketState::Listen
            && other.remote == socket.local
            && (is_far || other.netns == socket.netns)
    });
    let Some(peer) = peer else {
        let wait = Wait::new(Class::RemoteReply, key, format!("an answer from {}", socket.remote))
            .because(
                format!(
                    "fd {} is connected {} -> {}, whose other end is not on this host",
                    fact.fd, socket.local, socket.remote
                ),
                vec![own],
            )
            .open_to("the remote host")
            .at_most(Confidence::Possible, "what the remote host does");
        return Outcome::Waits(vec![wait]);
    };
    if peer.inode.0 == 0 {
        return Outcome::Waits(vec![unaccepted(view, fact, socket, peer)]);
    }
    if !direction.reads() {
        let text = format!(
            "fd {} -> {}: {} bytes sent and not taken",
            fact.fd,
            socket.remote,
            socket.send_queue.unwrap_or(0)
        );
        let wait = Wait::new(Class::TcpRoom, key, connection_name(socket)).because(text, vec![own]);
        return Outcome::Waits(vec![held_by(view, wait, peer, fact.process.pid)]);
    }
    let wait = Wait::new(Class::TcpReply, key, connection_name(socket))
        .because(format!("fd {} is connected {} -> {}", fact.fd, socket.local, socket.remote), vec![own]);
    let wait = held_by(view, wait, peer, fact.process.pid);
    Outcome::Waits(vec![wait])
}

fn connection_name(socket: &SocketFact) -> String {
    format!("TCP {} -> {}", socket.local, socket.remote)
}

/// The other end is held by somebody: which of its threads owes what is waited for?
fn held_by(view: &View<'_>, wait: Wait, peer: &SocketFact, waiter: Pid) -> Wait {
    let facts = vec![FactRef::socket(view.snapshot.id, peer.inode)];
    let holders: BTreeSet<Pid> = owners(view, peer.inode).collect();
    let serving = phase::serving(view, &holders, &wait.key, peer);
    if !serving.is_empty() {
        let mut wait = wait;
        if let Some(operation) = phase::operation(view, &holders, &wait.key, peer) {
            wait.name = format!("the reply to {operation}");
        }
        wait.resolvers = serving;
        return wait;
    }
    let unread = peer.receive_queue.unwrap_or(0);
    let mut wait = wait.because(
        if unread > 0 {
            format!("the other end has {unread} bytes that it has not read")
        } else {
            "the other end has read all that was sent".to_owned()
        },
        facts.clone(),
    );
    let mut parked = 0;
    for holder in holders {
        let how = if peer.family.is_unix() {
            "holds the other end".to_owned()
        } else {
            format!("holds the other end of {} -> {}", peer.remote, peer.local)
        };
        let all = view.all_threads(holder, &how, &facts);
        let (busy, mut idle): (Vec<Resolver>, Vec<Resolver>) =
            all.into_iter().partition(|resolver| !is_idle(view, resolver));
        // Whoever holds both ends of a connection itself is no server with a pool of threads.
        if unread == 0 && !busy.is_empty() && holder != waiter {
            parked += idle.len();
            for resolver in &mut idle {
                resolver.counts = Counts::WhenLive;
            }
        }
        wait = wait.resolved(busy).resolved(idle);
    }
    if parked > 0 {
        wait = wait.at_most(
            Confidence::Likely,
            "which thread of the server owes the answer: those in accept, poll or a parked pool are set aside",
        );
    }
    hidden_holders(view, wait)
}

/// Blocked in accept, poll or a parked pool without a limit.
fn is_idle(view: &View<'_>, resolver: &Resolver) -> bool {
    let thread = resolver.who.thread().and_then(|key| view.thread(key));
    let Some(syscall) = thread.and_then(|thread| thread.syscall.seen()) else { return false };
    let name = syscall.name().unwrap_or_default();
    matches!(
        name,
        "accept"
            | "accept4"
            | "poll"
            | "ppoll"
            | "select"
            | "pselect6"
            | "epoll_wait"
            | "epoll_pwait"
            | "epoll_pwait2"
    ) || futex::is_parked(syscall)
}

/// The handshake is done and nobody has accepted: whoever listens at that address has to.
fn unaccepted(view: &View<'_>, fact: &FdFact, socket: &SocketFact, peer: &SocketFact) -> Wait {
    let own = FactRef::socket(view.snapshot.id, socket.inode);
    let key = ResourceKey::tcp(&socket.local, &socket.remote);
    let mut wait = Wait::new(Class::TcpAccept, key, connection_name(socket)).because(
        format!(
            "fd {} is connected to {}, and nobody has accepted the connection (inode 0, {} bytes unread)",
            fact.fd,
            socket.remote,
            peer.receive_queue.unwrap_or(0)
        ),
        vec![own],
    );
    for listener in listeners(view, socket, &socket.remote) {
        wait = accepts(view, wait, listener);
    }
    hidden_holders(view, wait)
}

fn accepts(view: &View<'_>, wait: Wait, listener: &SocketFact) -> Wait {
    let facts = vec![FactRef::socket(view.snapshot.id, listener.inode)];
    let text = match listener.receive_queue.unwrap_or(0) {
        1 => format!("{} has a connection that waits to be accepted", listener.local),
        waiting => format!("{} has {waiting} connections that wait to be accepted", listener.local),
    };
    let text = format!("{text}, of at most {}", listener.send_queue.unwrap_or(0));
    let wait = wait.because(text, facts.clone());
    owners(view, listener.inode).fold(wait, |wait, holder| {
        wait.resolved(view.all_threads(holder, &format!("listens on {}", listener.local), &facts))
    })
}

fn connecting(view: &View<'_>, fact: &FdFact, address: &str) -> Outcome {
    let facts = view.fd_ref(fact.process.pid, fact.fd);
    let is_unix = address.starts_with("unix:");
    let key = if is_unix {
        ResourceKey::new("unix", address.trim_start_matches("unix:"))
    } else {
        ResourceKey::new("tcp", address)
    };
    let class = if is_unix { Class::UnixAccept } else { Class::TcpAccept };
    let mut wait = Wait::new(class, key, format!("a connection to {address}"))
        .because(format!("fd {} is still connecting to {address}", fact.fd), facts);
    let plain = address.trim_start_matches("unix:");
    let bound = if is_unix { vec![plain.to_owned()] } else { bound_for(plain) };
    let found: Vec<&SocketFact> = bound
        .iter()
        .flat_map(|local| view.snapshot.sockets_at(local))
        .filter(|other| other.state == SocketState::Listen && other.family.is_unix() == is_unix)
        .collect();
    if found.is_empty() {
        let wait =
            wait.open_to("the remote host").at_most(Confidence::Possible, "whether the remote host will answer");
        return Outcome::Waits(vec![wait]);
    }
    for listener in found {
        wait = accepts(view, wait, listener);
    }
    Outcome::Waits(vec![hidden_holders(view, wait)])
}

fn listeners<'a>(view: &View<'a>, socket: &SocketFact, address: &str) -> Vec<&'a SocketFact> {
    bound_for(address)
        .iter()
        .flat_map(|local| view.snapshot.sockets_at(local))
        .filter(|other| other.family == SocketFamily::Tcp && other.state == SocketState::Listen)
        .filter(|other| other.netns == socket.netns)
        .collect()
}

/// Addresses to which a socket is bound that gets what is sent to `address`.
fn bound_for(address: &str) -> Vec<String> {
    let Some((host, port)) = address.rsplit_once(':') else { return Vec::new() };
    let all = ["0.0.0.0", "[::]", "*"].into_iter().filter(|any| *any != host);
    std::iter::once(host).chain(all).map(|host| format!("{host}:{port}")).collect()
}

/// Whether a listener bound to `bound` gets what is sent to `address`.
fn is_local_of(bound: &str, address: &str) -> bool {
    let (Some((host, port)), Some((_, other_port))) = (bound.rsplit_once(':'), address.rsplit_once(':')) else {
        return false;
    };
    port == other_port && (bound == address || matches!(host, "0.0.0.0" | "[::]" | "*"))
}

fn owners(view: &View<'_>, inode: Inode) -> impl Iterator<Item = Pid> {
    let pids: BTreeSet<Pid> = view.snapshot.socket_holders(inode).map(|holder| holder.process.pid).collect();
    pids.into_iter()
}

fn unix(view: &View<'_>, thread: &ThreadFact, fact: &FdFact, socket: &SocketFact, direction: Direction) -> Outcome {
    let pid = thread.thread.process.pid;
    let own = FactRef::socket(view.snapshot.id, socket.inode);
    let key = ResourceKey::socket(socket.inode);
    if direction == Direction::Connect {
        let address = thread.syscall.seen().and_then(|syscall| syscall.memory(1)?.seen());
        return match address {
            Some(hangdog_schemas::fact::Argument::SocketAddress(address)) => connecting(view, fact, address),
            _ => Outcome::Opaque("the address that it connects to could not be read".to_owned()),
        };
    }
    let class = if direction.reads() { Class::UnixData } else { Class::UnixRoom };
    let named = |name: &str| {
        if name.is_empty() { format!("unix socket {}", socket.inode) } else { format!("unix socket {name}") }
    };
    // A connection that nobody has accepted has no inode at its other end; the listener lists the client's.
    if let Some(listener) = view.snapshot.listener_before(socket.inode) {
        let wait = Wait::new(Class::UnixAccept, listener_key(listener), named(&listener.local)).because(
            format!("fd {} is connected to {}, and nobody has accepted the connection", fact.fd, listener.local),
            vec![own],
        );
        return Outcome::Waits(vec![hidden_holders(view, accepts(view, wait, listener))]);
    }
    let Some(peer) = socket.peer else {
        if socket.family == SocketFamily::UnixDatagram {
            let wait = Wait::new(class, key, named(&socket.local))
                .because(format!("fd {} is a unix datagram socket", fact.fd), vec![own]);
            return Outcome::Waits(vec![wait.open_to("whoever sends a datagram")]);
        }
        return Outcome::Opaque(format!("the other end of the unix socket at fd {} is not known", fact.fd));
    };
    let peer_name = view.snapshot.socket(peer).map_or("", |peer| peer.local.as_str());
    let name = named(if socket.local.is_empty() { peer_name } else { &socket.local });
    let wait = Wait::new(class, key, name)
        .because(format!("fd {} of {pid} is a unix socket whose other end is inode {peer}", fact.fd), vec![own]);
    let Some(other) = view.snapshot.socket(peer) else {
        return Outcome::Opaque("the other end of its unix socket could not be read".to_owned());
    };
    let wait = held_by(view, wait, other, pid);
    if wait.resolvers.is_empty() {
        // In flight inside another socket, or in a process that could not be read: not proof of nobody.
        return Outcome::Waits(vec![
            wait.at_most(Confidence::Possible, "whether the other end is on its way inside another socket"),
        ]);
    }
    Outcome::Waits(vec![wait])
}
