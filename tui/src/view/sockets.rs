//! Sockets of the snapshot at the cursor.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hangdog_schemas::RunNs;
use hangdog_schemas::fact::{SocketFact, SocketFamily, SocketState};
use hangdog_timeline::Snapshot;

use super::descriptors::comm;
use super::table::{Cell, Column, Cut, Table, empty_snapshot};
use crate::model::Model;
use crate::state::Row;
use crate::text::clean;
use crate::theme::{DIM, STRONG};

pub(super) const TABLE: Table = Table {
    columns: &[
        Column::new("kind", 8),
        Column::new("state", 11),
        Column::number("unread", 6),
        Column::number("unsent", 6),
        Column::stretching("local", 16, 1).cut(Cut::Front),
        Column::stretching("remote", 15, 1).cut(Cut::Front),
        Column::stretching("held by", 14, 2).from(90),
    ],
    rows: |model, t| (0..model.snapshot(t).map_or(0, |snapshot| snapshot.sockets.len())).map(Row::Socket).collect(),
    cells,
    empty: |model, t| empty_snapshot(model, t, "This snapshot holds no sockets."),
};

fn family(family: SocketFamily) -> &'static str {
    match family {
        SocketFamily::Tcp => "tcp",
        SocketFamily::Udp => "udp",
        SocketFamily::UnixStream => "unix",
        SocketFamily::UnixDatagram => "unix-dgm",
        SocketFamily::UnixSeqpacket => "unix-seq",
    }
}

fn state(socket: &SocketFact) -> &'static str {
    match socket.state {
        SocketState::Established if socket.inode.0 == 0 => "not accepted",
        SocketState::Established => "established",
        SocketState::SynSent => "syn-sent",
        SocketState::SynRecv => "syn-recv",
        SocketState::FinWait1 => "fin-wait-1",
        SocketState::FinWait2 => "fin-wait-2",
        SocketState::TimeWait => "time-wait",
        SocketState::Close => "close",
        SocketState::CloseWait => "close-wait",
        SocketState::LastAck => "last-ack",
        SocketState::Listen => "listen",
        SocketState::Closing => "closing",
        SocketState::Unknown => "?",
    }
}

/// A socket in one line.
pub(super) fn words(socket: &SocketFact) -> String {
    let mut words = format!("{} {}", family(socket.family), state(socket));
    if !socket.local.is_empty() {
        words.push(' ');
        words.push_str(&clean(&socket.local));
    }
    if !socket.remote.is_empty() {
        words.push_str(" > ");
        words.push_str(&clean(&socket.remote));
    }
    if let Some(unread) = socket.receive_queue.filter(|unread| *unread > 0) {
        let what = if socket.state == SocketState::Listen { "to accept" } else { "unread" };
        _ = write!(words, ", {unread} {what}");
    }
    words
}

fn queue(count: Option<u32>) -> Cell {
    match count {
        Some(0) => Cell::styled("0", DIM),
        Some(n) => Cell::styled(n.to_string(), STRONG),
        None => Cell::new(""),
    }
}

pub(super) fn owners(snapshot: &Snapshot, socket: &SocketFact) -> String {
    let pids: BTreeSet<_> = snapshot.socket_holders(socket.inode).map(|fd| (fd.process.pid, fd.fd)).collect();
    let names: Vec<String> = pids.iter().map(|(pid, fd)| format!("{}[{pid}]:{fd}", comm(snapshot, *pid))).collect();
    names.join(" ")
}

fn cells(model: &Model, t: RunNs, row: Row) -> Vec<Cell> {
    let Row::Socket(i) = row else { return Vec::new() };
    let Some(snapshot) = model.snapshot(t) else { return Vec::new() };
    let Some(socket) = snapshot.sockets.get(i) else { return Vec::new() };
    let peer = socket.peer.filter(|peer| peer.0 != 0).map(|peer| format!("socket {peer}"));
    let remote = if socket.remote.is_empty() { peer.unwrap_or_default() } else { clean(&socket.remote).into_owned() };
    vec![
        Cell::new(family(socket.family)),
        Cell::new(state(socket)),
        queue(socket.receive_queue),
        queue(socket.send_queue),
        Cell::new(clean(&socket.local).into_owned()),
        Cell::new(remote),
        Cell::new(owners(snapshot, socket)),
    ]
}
