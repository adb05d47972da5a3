//! `/proc/PID/net/{tcp,tcp6,udp,udp6,unix}`: where `sock_diag` is not to be had.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hangdog_schemas::fact::{SocketFact, SocketFamily, SocketState};
use hangdog_schemas::{Big, Inode, SnapshotId};

use super::text::{hex, lines, number, text, words};

/// An address as both ends print it: an IPv4 address in IPv6 clothes is a plain IPv4 address.
pub(crate) fn address(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip.to_canonical(), port).to_string()
}

/// The other end's address, empty when there is none.
pub(crate) fn remote(ip: IpAddr, port: u16) -> String {
    if port == 0 && ip.is_unspecified() { String::new() } else { address(ip, port) }
}

/// `TCP_ESTABLISHED` and so on, as in include/net/tcp_states.h.
pub(crate) fn tcp_state(state: u8) -> SocketState {
    match state {
        1 => SocketState::Established,
        2 => SocketState::SynSent,
        // 12 is NEW_SYN_RECV, the same for a reader.
        3 | 12 => SocketState::SynRecv,
        4 => SocketState::FinWait1,
        5 => SocketState::FinWait2,
        6 => SocketState::TimeWait,
        7 => SocketState::Close,
        8 => SocketState::CloseWait,
        9 => SocketState::LastAck,
        10 => SocketState::Listen,
        11 => SocketState::Closing,
        _ => SocketState::Unknown,
    }
}

/// The rows of `tcp`, `tcp6`, `udp` or `udp6`.
pub(crate) fn inet(snapshot: SnapshotId, netns: Inode, family: SocketFamily, bytes: &[u8]) -> Vec<SocketFact> {
    lines(bytes).filter_map(|line| inet_line(snapshot, netns, family, line)).collect()
}

fn inet_line(snapshot: SnapshotId, netns: Inode, family: SocketFamily, line: &[u8]) -> Option<SocketFact> {
    let words: Vec<&[u8]> = words(line).collect();
    let (local_ip, local_port) = endpoint(words.get(1)?)?;
    let (remote_ip, remote_port) = endpoint(words.get(2)?)?;
    let state = tcp_state(hex(words.get(3)?)? as u8);
    let queues = words.get(4)?;
    let colon = queues.iter().position(|&b| b == b':')?;
    let send: u32 = hex(&queues[..colon])? as u32;
    let receive: u32 = hex(&queues[colon + 1..])? as u32;
    Some(SocketFact {
        snapshot,
        netns,
        inode: Big(number(words.get(9)?)?),
        family,
        state,
        local: address(local_ip, local_port),
        remote: remote(remote_ip, remote_port),
        receive_queue: Some(receive),
        // The limit of a listener does not stand in this file.
        send_queue: (state != SocketState::Listen).then_some(send),
        peer: None,
        pending: Vec::new(),
        retransmits: (family == SocketFamily::Tcp).then(|| hex(words[6]).unwrap_or(0) as u32),
    })
}

/// `0100007F:1F90`: 32-bit words of the address in the machine's own byte order.
fn endpoint(word: &[u8]) -> Option<(IpAddr, u16)> {
    let colon = word.iter().position(|&b| b == b':')?;
    let port = hex(&word[colon + 1..])? as u16;
    let digits = &word[..colon];
    let mut raw = [0; 16];
    for (place, chunk) in raw.chunks_exact_mut(4).zip(digits.chunks_exact(8)) {
        place.copy_from_slice(&(hex(chunk)? as u32).to_ne_bytes());
    }
    let ip = match digits.len() {
        8 => IpAddr::V4(Ipv4Addr::new(raw[0], raw[1], raw[2], raw[3])),
        32 => IpAddr::V6(Ipv6Addr::from(raw)),
        _ => return None,
    };
    Some((ip, port))
}

/// `SOCK_STREAM` and so on.
pub(crate) fn unix_family(kind: u8) -> SocketFamily {
    match kind {
        2 => SocketFamily::UnixDatagram,
        5 => SocketFamily::UnixSeqpacket,
        _ => SocketFamily::UnixStream,
    }
}

/// The rows of `unix`: no peers and no queues stand here.
pub(crate) fn unix(snapshot: SnapshotId, netns: Inode, bytes: &[u8]) -> Vec<SocketFact> {
    lines(bytes).filter_map(|line| unix_line(snapshot, netns, line)).collect()
}

/// `__SO_ACCEPTCON`.
const LISTENS: u64 = 0x1_0000;

fn unix_line(snapshot: SnapshotId, netns: Inode, line: &[u8]) -> Option<SocketFact> {
    let mut words = words(line);
    let _address = words.next()?;
    let _references = words.next()?;
    let _protocol = words.next()?;
    let flags = hex(words.next()?)?;
    let kind = hex(words.next()?)? as u8;
    let state = match hex(words.next()?)? {
        _ if flags & LISTENS != 0 => SocketState::Listen,
        2 => SocketState::SynSent,
        3 => SocketState::Established,
        _ => SocketState::Close,
    };
    let inode = words.next()?;
    let number = number(inode)?;
    // A path may hold blanks: it is all that follows the inode and one blank.
    let offset = inode.as_ptr() as usize - line.as_ptr() as usize + inode.len();
    let path = line.get(offset + 1..).unwrap_or_default();
    Some(SocketFact {
        snapshot,
        netns,
        inode: Big(number),
        family: unix_family(kind),
        state,
        local: text(path),
        remote: String::new(),
        receive_queue: None,
        send_queue: None,
        peer: None,
        pending: Vec::new(),
        retransmits: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &[u8] = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 1593 1 00000000dbc4d657 100 0 0 10 0\n\
        \x20  1: 0100007F:9D80 0100007F:1F90 02 00000001:00000000 01:00000064 00000003     0        0 1700 2 00000000dbc4d657 100 0 0 10 0\n";

    #[test]
    fn listener_and_a_connection_without_answer() {
        let rows = inet(SnapshotId(1), Big(9), SocketFamily::Tcp, TCP);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].local.as_str(), rows[0].remote.as_str()), ("127.0.0.1:8080", ""));
        assert_eq!((rows[0].state, rows[0].receive_queue, rows[0].send_queue), (SocketState::Listen, Some(2), None));
        assert_eq!((rows[1].local.as_str(), rows[1].remote.as_str()), ("127.0.0.1:40320", "127.0.0.1:8080"));
        assert_eq!((rows[1].state, rows[1].retransmits, rows[1].inode), (SocketState::SynSent, Some(3), Big(1700)));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_is_plain() {
        let row = b"  0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:9D80 01 00000000:00000005 00:00000000 00000000 0 0 7 1 0";
        let rows = inet(SnapshotId(1), Big(9), SocketFamily::Tcp, row);
        assert_eq!((rows[0].local.as_str(), rows[0].remote.as_str()), ("127.0.0.1:8080", "127.0.0.1:40320"));
        let any = b"  0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1 0";
        assert_eq!(inet(SnapshotId(1), Big(9), SocketFamily::Tcp, any)[0].local, "[::]:8080");
        let one = b"  0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1 0";
        assert_eq!(inet(SnapshotId(1), Big(9), SocketFamily::Tcp, one)[0].local, "[::1]:8080");
    }

    #[test]
    fn unix_sockets_with_blanks_in_the_path() {
        let rows = unix(
            SnapshotId(1),
            Big(9),
            b"Num       RefCount Protocol Flags    Type St Inode Path\n\
              000000009c562234: 00000002 00000000 00010000 0001 01  1590 /run/my sock\n\
              00000000c64c909d: 00000003 00000000 00000000 0002 03  1589\n\
              00000000c64c909e: 00000003 00000000 00000000 0005 02     0 @abstract\n",
        );
        let short: Vec<_> = rows.iter().map(|r| (r.inode.0, r.family, r.state, r.local.as_str())).collect();
        assert_eq!(
            short,
            [
                (1590, SocketFamily::UnixStream, SocketState::Listen, "/run/my sock"),
                (1589, SocketFamily::UnixDatagram, SocketState::Established, ""),
                (0, SocketFamily::UnixSeqpacket, SocketState::SynSent, "@abstract"),
            ]
        );
    }
}
