//! `dead-mount`: a mount whose server has ended. Every call at it fails (`ENOTCONN`), and a directory with it in it
//! cannot be removed. No path is looked up for this: it is what callers were told, and what the mount table says.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::MountFact;
use hangdog_schemas::record::SnapshotExtent;
use hangdog_schemas::{Actor, Confidence, FindingKind, Pid, RunNs, Tid};
use hangdog_timeline::{CallDone, Snapshot, Timeline};

use super::Draft;
use crate::compare::{Who, common_path, when};
use crate::words;

/// `ENOTCONN`: of a path, the server of its file system is gone.
const GONE: i32 = 107;
/// Names on dead mounts that are looked at.
const MOST: usize = 64;
const ADVICE: &str = "unmount before the server ends, also when it fails or is killed: a trap, a guard, or a mount namespace that \
                      goes with the test";

/// All of a run: at most one a place.
pub(super) fn drafts(timeline: &Timeline, who: &Who) -> Vec<Draft> {
    let mut found: BTreeMap<String, Draft> = BTreeMap::new();
    // Somebody may ask for the same one for ever.
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    for done in timeline.calls() {
        let Some(path) = done.call.paths.last().filter(|_| done.errno() == Some(GONE)) else { continue };
        if asked.len() >= MOST || !asked.insert(path) {
            continue;
        }
        let draft = of_call(timeline, who, done, path);
        found.entry(draft.0).or_insert(draft.1);
    }
    if let Some(snapshot) = timeline.snapshots().iter().rev().find(|snapshot| snapshot.complete) {
        for mount in snapshot.mounts.iter().filter(|mount| is_without_server(timeline, snapshot, mount)) {
            found.entry(mount.mount_point.clone()).or_insert_with(|| of_mount(snapshot, who, mount));
        }
    }
    found.into_values().collect()
}

fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn of_call(timeline: &Timeline, who: &Who, done: &CallDone, path: &str) -> (String, Draft) {
    let t = done.done_at();
    let caller = format!("{}[{}]", who.name(done.call.tid, t), done.call.tid);
    // The innermost and newest mount of the run around it.
    let is_around = |mount: &&CallDone| {
        mount.call.name == "mount"
            && mount.is_done()
            && mount.done_at() < t
            && mount.call.paths.last().is_some_and(|place| is_within(path, place))
    };
    let mounts = timeline.calls().iter().filter(is_around);
    let mount = mounts.max_by_key(|mount| (mount.call.paths.last().map_or(0, String::len), mount.done_at()));
    let place = mount.and_then(|mount| mount.call.paths.last()).cloned();
    let server = mount.map(|mount| {
        // The helper of libfuse mounts for its parent.
        let pid = if mount.call.comm.starts_with("fusermount") { mount.call.parent } else { mount.call.pid };
        (pid, mount.done_at())
    });
    let (told, culprits) = server_in_words(who, server);
    let fails = format!("{}({path}) by {caller} failed with ENOTCONN {}", done.call.name, when(t));
    let (sentence, clause) = match &place {
        Some(place) => {
            (format!("{place} is a dead mount: {told}, and the mount stayed; {fails}"), common_path(place, &who.pids))
        }
        None => (
            format!("{path} lies on a dead mount: {told}; {fails}"),
            format!("what {} lies on", common_path(path, &who.pids)),
        ),
    };
    let role = who.role(done.call.tid, t);
    let draft = Draft {
        kind: FindingKind::DeadMount,
        confidence: Confidence::Certain,
        at: t,
        clause: format!("{clause} is a dead mount, at which {role} looks"),
        sentence,
        culprits,
        advice: ADVICE,
        rescue: place.as_deref().map(detach),
        unknown: place.is_none().then(|| {
            "where it is mounted, and by whom: it was there before the run (`findmnt -t fuse`, without looking into it)"
                .to_owned()
        }),
    };
    (place.unwrap_or_else(|| path.to_owned()), draft)
}

fn server_in_words(who: &Who, server: Option<(Pid, RunNs)>) -> (String, Vec<Actor>) {
    let Some((pid, since)) = server else {
        return ("its server is gone, and nobody of the run has mounted it".to_owned(), Vec::new());
    };
    let main = Tid(pid.0);
    let name = format!("{}[{pid}]", who.name(main, since));
    let told = match who.ended(pid, since) {
        Some(end) => format!("its server {name} ended {}", when(end)),
        None => format!("{name}, which mounted it {}, serves it no more", when(since)),
    };
    (told, vec![who.actor(main, since)])
}

/// Only where the kernel tells who serves what, and everybody's descriptors were read.
fn is_without_server(timeline: &Timeline, snapshot: &Snapshot, mount: &MountFact) -> bool {
    let Some(connection) = mount.fuse().filter(|_| mount.made_by_run) else { return false };
    let is_blind = snapshot.gaps.iter().any(|gap| gap.what.contains("fd"));
    tells_connections(&timeline.header().kernel)
        && snapshot.extent == SnapshotExtent::Full
        && !is_blind
        && snapshot.fuse.contains_key(&connection)
        && snapshot.fuse_servers(connection).next().is_none()
}

/// Linux 6.16 and later.
fn tells_connections(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|word| word.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(16))
}

fn of_mount(snapshot: &Snapshot, who: &Who, mount: &MountFact) -> Draft {
    let place = &mount.mount_point;
    Draft {
        kind: FindingKind::DeadMount,
        confidence: Confidence::Likely,
        at: snapshot.begin,
        clause: format!("{} is a dead mount", common_path(place, &who.pids)),
        sentence: format!(
            "{place} ({}), which the run has mounted, is a dead mount: nobody holds its server's end",
            mount.fs_type
        ),
        culprits: Vec::new(),
        advice: ADVICE,
        rescue: Some(detach(place)),
        unknown: Some("processes outside of what is visible, which may serve it".to_owned()),
    }
}

fn detach(place: &str) -> String {
    format!("fusermount3 -uz -- {}", words::quoted(place))
}
