//! Netlink `sock_diag` (sock_diag(7)): requests as bytes, answers as facts. No socket here.
//!
//! `INET_DIAG_INFO` is never asked for: it takes the lock of each socket, which a program can hold
//! for ever (seen on 6.18: the reader cannot even be killed).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hangdog_schemas::fact::{SocketFact, SocketFamily, SocketState};
use hangdog_schemas::{Big, Inode, SnapshotId};

use super::net::{address, remote, tcp_state, unix_family};
use super::text::text;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// All states but TIME_WAIT, which holds no descriptor and waits for nobody.
const STATES: u32 = !(1 << 6);
/// `UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN`.
const SHOW: u32 = 1 | 4 | 8 | 16;

fn request(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + body.len());
    out.extend_from_slice(&(16 + body.len() as u32).to_ne_bytes());
    out.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    out.extend_from_slice(&DUMP.to_ne_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(body);
    out
}

/// `struct unix_diag_req`.
pub(crate) fn unix_request() -> Vec<u8> {
    let mut body = vec![libc::AF_UNIX as u8, 0, 0, 0];
    for word in [STATES, 0, SHOW, 0, 0] {
        body.extend_from_slice(&word.to_ne_bytes());
    }
    request(&body)
}

/// `struct inet_diag_req_v2` for TCP over IPv4 or IPv6 (`AF_INET`, `AF_INET6`).
pub(crate) fn tcp_request(family: i32) -> Vec<u8> {
    let mut body = vec![family as u8, libc::IPPROTO_TCP as u8, 0, 0];
    body.extend_from_slice(&STATES.to_ne_bytes());
    body.extend_from_slice(&[0; 48]);
    request(&body)
}

/// The messages of an answer: type and body.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let kind = u16_at(bytes, 4)?;
        let body = bytes.get(16..length)?;
        bytes = bytes.get((length + 3) & !3..).unwrap_or_default();
        Some((kind, body))
    })
}

/// Attributes: type and value.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)?;
        let value = bytes.get(4..length)?;
        bytes = bytes.get((length + 3) & !3..).unwrap_or_default();
        Some((kind, value))
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Unix sockets.
pub(crate) fn unix(snapshot: SnapshotId, netns: Inode, bytes: &[u8], into: &mut Vec<SocketFact>) {
    into.reserve_exact(sockets(bytes).count());
    into.extend(sockets(bytes).filter_map(|body| unix_message(snapshot, netns, body)));
}

/// The messages that are about a socket.
fn sockets(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    messages(bytes).filter(|(kind, _)| *kind == SOCK_DIAG_BY_FAMILY).map(|(_, body)| body)
}

fn unix_message(snapshot: SnapshotId, netns: Inode, body: &[u8]) -> Option<SocketFact> {
    let mut fact = SocketFact {
        snapshot,
        netns,
        inode: Big(u64::from(u32_at(body, 4)?)),
        family: unix_family(*body.get(1)?),
        state: tcp_state(*body.get(2)?),
        local: String::new(),
        remote: String::new(),
        receive_queue: None,
        send_queue: None,
        peer: None,
        pending: Vec::new(),
        retransmits: None,
    };
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            0 => fact.local = unix_name(value),
            2 => fact.peer = u32_at(value, 0).filter(|&n| n != 0).map(|n| Big(u64::from(n))),
            3 => {
                let inodes = (0..value.len() / 4).filter_map(|n| u32_at(value, n * 4));
                fact.pending = inodes.map(|n| Big(u64::from(n))).collect();
            }
            4 => (fact.receive_queue, fact.send_queue) = (u32_at(value, 0), u32_at(value, 4)),
            _ => {}
        }
    }
    Some(fact)
}

/// A path, or an abstract name with its leading NUL shown as `@`.
fn unix_name(value: &[u8]) -> String {
    match value {
        [0, name @ ..] => format!("@{}", text(name)),
        path => text(path.split(|&b| b == 0).next().unwrap_or_default()),
    }
}

/// TCP sockets.
pub(crate) fn tcp(snapshot: SnapshotId, netns: Inode, bytes: &[u8], into: &mut Vec<SocketFact>) {
    into.reserve_exact(sockets(bytes).count());
    into.extend(sockets(bytes).filter_map(|body| tcp_message(snapshot, netns, body)));
}

/// `struct inet_diag_msg`.
fn tcp_message(snapshot: SnapshotId, netns: Inode, body: &[u8]) -> Option<SocketFact> {
    let family = i32::from(*body.first()?);
    let state = tcp_state(*body.get(1)?);
    let retransmits = u32::from(*body.get(3)?);
    let ip = |at: usize| -> Option<IpAddr> {
        Some(match family {
            libc::AF_INET => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(body.get(at..at + 4)?).ok()?)),
            libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(body.get(at..at + 16)?).ok()?)),
            _ => return None,
        })
    };
    Some(SocketFact {
        snapshot,
        netns,
        inode: Big(u64::from(u32_at(body, 68)?)),
        family: SocketFamily::Tcp,
        state,
        local: address(ip(8)?, be16_at(body, 4)?),
        remote: if state == SocketState::Listen { String::new() } else { remote(ip(24)?, be16_at(body, 6)?) },
        receive_queue: u32_at(body, 56),
        send_queue: u32_at(body, 60),
        peer: None,
        pending: Vec::new(),
        // Counts unanswered probes too; a timer of 1 (retransmission) or 2 says which.
        retransmits: Some(retransmits),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> Vec<u8> {
        let mut out = request(body);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn a_listener_with_a_client_that_waits() {
        let mut body = vec![1, 1, 10, 0];
        for word in [1590u32, 7, 0] {
            body.extend_from_slice(&word.to_ne_bytes());
        }
        let attribute = |kind: u16, value: &[u8]| {
            let mut out = (4 + value.len() as u16).to_ne_bytes().to_vec();
            out.extend_from_slice(&kind.to_ne_bytes());
            out.extend_from_slice(value);
            out.resize(out.len().next_multiple_of(4), 0);
            out
        };
        body.extend(attribute(0, b"\0my name"));
        body.extend(attribute(3, &1600u32.to_ne_bytes()));
        body.extend(attribute(4, &[1u32.to_ne_bytes(), 128u32.to_ne_bytes()].concat()));
        let mut facts = Vec::new();
        unix(SnapshotId(1), Big(9), &message(&body), &mut facts);
        assert_eq!(facts.len(), 1);
        assert_eq!(
            (facts[0].inode, facts[0].state, facts[0].local.as_str()),
            (Big(1590), SocketState::Listen, "@my name")
        );
        assert_eq!(
            (facts[0].pending.as_slice(), facts[0].receive_queue, facts[0].send_queue),
            (&[Big(1600)][..], Some(1), Some(128))
        );
    }

    #[test]
    fn answers_that_are_cut_do_no_harm() {
        let whole = message(&[1; 72]);
        for cut in 0..whole.len() {
            let mut facts = Vec::new();
            tcp(SnapshotId(1), Big(9), &whole[..cut], &mut facts);
            assert!(facts.is_empty());
            unix(SnapshotId(1), Big(9), &whole[..cut], &mut facts);
            assert!(facts.len() <= 1);
        }
    }
}
