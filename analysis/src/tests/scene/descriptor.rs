//! Descriptors and sockets.

use hangdog_schemas::fact::*;
use hangdog_schemas::record::*;
use hangdog_schemas::*;

use super::lines::{class, id, mode, pair, range};

pub(super) fn descriptor(text: &str, snapshot: SnapshotId) -> Record {
    let mut words = text.split(' ');
    let (pid, fd) = pair(words.next().unwrap());
    let target = words.next().unwrap().to_owned();
    let inode = target.split_once(":[").and_then(|(_, rest)| rest.trim_end_matches(']').parse().ok()).map(Big);
    let mut fact = FdFact {
        snapshot,
        process: id(pid),
        fd: Fd(fd),
        target,
        inode,
        access: Some(Access::ReadWrite),
        flags: None,
        position: None,
        mount: None,
        detail: FdDetail::Plain,
        locks: vec![],
    };
    for word in words {
        match word.split_once('=') {
            None if word == "removed" => fact.target.push_str(" (deleted)"),
            None if word == "r" => fact.access = Some(Access::Read),
            None if word == "w" => fact.access = Some(Access::Write),
            None => {}
            Some(("fuse", n)) => {
                fact.detail = FdDetail::FuseServer { connection: Some(FuseConnection(n.parse().unwrap())) };
            }
            Some(("epoll", list)) => {
                let targets = list.split('+').filter(|n| !n.is_empty()).map(|n| EpollTarget {
                    fd: Fd(n.trim_end_matches('e').parse().unwrap()),
                    events: if n.ends_with('e') { 1 | 1 << 31 } else { 1 },
                    inode: Big(0),
                });
                fact.detail = FdDetail::Epoll(targets.collect());
            }
            Some(("flight", n)) => fact.detail = FdDetail::UnixSocket { in_flight: n.parse().unwrap() },
            Some(("pty", n)) => fact.detail = FdDetail::PtyMaster { index: n.parse().unwrap() },
            Some(("eventfd", n)) => {
                let (id, count) = n.split_once('#').unwrap_or((n, "0"));
                let count = Big(count.parse().unwrap());
                fact.detail = FdDetail::Eventfd { count, id: Some(id.parse().unwrap()) };
            }
            Some(("pidfd", n)) => fact.detail = FdDetail::Pidfd { pid: n.parse().ok().map(Pid) },
            Some(("timer", n)) => {
                fact.detail = FdDetail::Timerfd { value_ns: n.parse().unwrap(), interval_ns: 0 };
            }
            Some(("mnt", n)) => fact.mount = Some(n.parse().unwrap()),
            Some(("ino", n)) => fact.inode = Some(Big(n.parse().unwrap())),
            Some(("lock", lock)) => {
                let parts: Vec<&str> = lock.split(':').collect();
                fact.locks.push(FdLock {
                    class: class(parts[0]),
                    mode: mode(parts.get(6).copied()),
                    pid: parts[4].parse().unwrap(),
                    device: Device { major: parts[1].parse().unwrap(), minor: parts[2].parse().unwrap() },
                    inode: Big(parts[3].parse().unwrap()),
                    start: Big(range(parts.get(5).copied()).0),
                    end: range(parts.get(5).copied()).1.map(Big),
                });
            }
            Some((other, _)) => panic!("no detail is called {other:?}"),
        }
    }
    Record::Fd(Box::new(fact))
}

pub(super) fn socket(word: &str, text: &str, snapshot: SnapshotId) -> Record {
    let words: Vec<&str> = text.split(' ').collect();
    let is_unix = word == "unix";
    let number = |name: &str| words.iter().find_map(|w| w.strip_prefix(name)).and_then(|n| n.parse().ok());
    let state = match words.get(3).copied() {
        Some("listen") => SocketState::Listen,
        Some("syn_sent") => SocketState::SynSent,
        Some("close_wait") => SocketState::CloseWait,
        _ => SocketState::Established,
    };
    Record::Socket(Box::new(SocketFact {
        snapshot,
        netns: Big(9),
        inode: Big(words[0].parse().unwrap()),
        family: match word {
            "unix" => SocketFamily::UnixStream,
            "udp" => SocketFamily::Udp,
            _ => SocketFamily::Tcp,
        },
        state,
        local: if is_unix { words.get(2).map_or(String::new(), |w| (*w).to_owned()) } else { words[1].to_owned() },
        remote: if is_unix { String::new() } else { words[2].to_owned() },
        receive_queue: Some(number("rq=").unwrap_or(0)),
        send_queue: Some(number("sq=").unwrap_or(0)),
        peer: if is_unix { words[1].parse().ok().map(Big) } else { None },
        pending: number("pending=").map(|n| vec![Big(u64::from(n))]).unwrap_or_default(),
        retransmits: number("again="),
    }))
}
