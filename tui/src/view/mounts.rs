//! Mounts of the snapshot at the cursor with their FUSE connections: who serves them, what waits for an answer.

use std::collections::BTreeSet;

use hangdog_schemas::{FuseConnection, Observed, RunNs};
use hangdog_timeline::Snapshot;

use super::descriptors::comm;
use super::table::{Cell, Column, Cut, Table, empty_snapshot};
use crate::model::Model;
use crate::state::Row;
use crate::text::clean;
use crate::theme::{DIM, HANG, PLAIN};

pub(super) const TABLE: Table = Table {
    columns: &[
        Column::stretching("mount point", 24, 3).cut(Cut::Front),
        Column::new("type", 12),
        Column::new("device", 7).from(100),
        Column::number("waiting", 7),
        Column::stretching("served by", 16, 2),
        Column::new("made by", 7).from(76),
        Column::stretching("source", 10, 1).from(120),
    ],
    rows,
    cells,
    empty: |model, t| empty_snapshot(model, t, "This snapshot holds no mounts."),
};

/// FUSE mounts with waiting requests first, then what the run made, other FUSE mounts, the rest as mountinfo has it.
fn rows(model: &Model, t: RunNs) -> Vec<Row> {
    let Some(snapshot) = model.snapshot(t) else { return Vec::new() };
    let mut mounts: Vec<usize> = (0..snapshot.mounts.len()).collect();
    mounts.sort_by_key(|i| {
        let mount = &snapshot.mounts[*i];
        let waits = mount.fuse().is_some_and(|connection| waiting(snapshot, connection).is_some_and(|n| n > 0));
        (!waits, !mount.made_by_run, mount.fuse().is_none())
    });
    let mounted: BTreeSet<_> = snapshot.mounts.iter().filter_map(hangdog_schemas::fact::MountFact::fuse).collect();
    let detached = snapshot.fuse.keys().filter(|connection| !mounted.contains(connection));
    detached.map(|connection| Row::Fuse(*connection)).chain(mounts.into_iter().map(Row::Mount)).collect()
}

fn waiting(snapshot: &Snapshot, connection: FuseConnection) -> Option<u32> {
    snapshot.fuse.get(&connection)?.waiting.seen().copied()
}

fn waiting_cell(snapshot: &Snapshot, connection: Option<FuseConnection>) -> Cell {
    let Some(fact) = connection.and_then(|connection| snapshot.fuse.get(&connection)) else { return Cell::new("") };
    match &fact.waiting {
        Observed::Seen(0) => Cell::styled("0", DIM),
        Observed::Seen(n) => Cell::styled(n.to_string(), HANG),
        _ => Cell::styled("unseen", DIM),
    }
}

/// Names of the processes that serve a connection.
pub(super) fn servers(snapshot: &Snapshot, connection: FuseConnection) -> String {
    let pids: BTreeSet<_> = snapshot.fuse_servers(connection).map(|fd| fd.process.pid).collect();
    let names: Vec<String> = pids.iter().map(|pid| format!("{}[{pid}]", comm(snapshot, *pid))).collect();
    if names.is_empty() { "nobody seen".to_owned() } else { names.join(" ") }
}

fn cells(model: &Model, t: RunNs, row: Row) -> Vec<Cell> {
    let Some(snapshot) = model.snapshot(t) else { return Vec::new() };
    match row {
        Row::Mount(i) => {
            let Some(mount) = snapshot.mounts.get(i) else { return Vec::new() };
            let style = if mount.fuse().is_some() || mount.made_by_run { PLAIN } else { DIM };
            vec![
                Cell::styled(clean(&mount.mount_point).into_owned(), style),
                Cell::styled(clean(&mount.fs_type).into_owned(), style),
                Cell::styled(mount.device.to_string(), style),
                waiting_cell(snapshot, mount.fuse()),
                Cell::new(mount.fuse().map(|connection| servers(snapshot, connection)).unwrap_or_default()),
                Cell::new(if mount.made_by_run { "the run" } else { "" }),
                Cell::styled(clean(&mount.source).into_owned(), style),
            ]
        }
        Row::Fuse(connection) => vec![
            Cell::styled("(mounted nowhere seen)", DIM),
            Cell::new("fuse"),
            Cell::new(format!("0:{connection}")),
            waiting_cell(snapshot, Some(connection)),
            Cell::new(servers(snapshot, connection)),
            Cell::new(if snapshot.fuse[&connection].made_by_run { "the run" } else { "" }),
            Cell::new(""),
        ],
        _ => Vec::new(),
    }
}
