//! `collision`: two processes use the same port or the same temporary name at once.
//!
//! Told where it did harm: the second one could not have the port and got no other; the second one found the name taken
//! and ended with an error; or the first one came back to its file, and it was the second one's by then.

use std::collections::BTreeMap;

use hangdog_schemas::fact::SocketState;
use hangdog_schemas::record::KernelDeed;
use hangdog_schemas::{Confidence, FindingKind, Pid, RunNs, Tid};
use hangdog_timeline::{CallDone, Timeline};

use super::Draft;
use super::touch::{Deed, Touch};
use crate::compare::{Who, common_path, when};

/// `EADDRINUSE`.
const IN_USE: i32 = 98;
/// Where names are made up. The first one is the run's own, when it has one.
const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// Someone who is refused a name and ends badly within this ended for that reason, for all that is known. ns.
const SOON: u64 = 5_000_000_000;

/// All of a run.
pub(super) fn drafts(timeline: &Timeline, who: &Who, touches: &[Touch<'_>]) -> Vec<Draft> {
    let mut drafts = ports(timeline, who);
    drafts.extend(names(timeline, who, touches));
    drafts
}

fn ports(timeline: &Timeline, who: &Who) -> Vec<Draft> {
    let is_bind = |done: &&CallDone| done.call.name == "bind" && done.call.address.is_some();
    let binds: Vec<&CallDone> = timeline.calls().iter().filter(is_bind).collect();
    let refused = binds.iter().filter(|done| done.errno() == Some(IN_USE));
    // Who tries the next port until one is free has no trouble.
    let is_helped = |refused: &CallDone| {
        binds
            .iter()
            .any(|done| done.is_done() && done.call.pid == refused.call.pid && done.done_at() > refused.done_at())
    };
    refused.filter(|done| !is_helped(done)).map(|done| port(timeline, who, &binds, done)).collect()
}

fn port(timeline: &Timeline, who: &Who, binds: &[&CallDone], refused: &CallDone) -> Draft {
    let (t, tid) = (refused.done_at(), refused.call.tid);
    let address = refused.call.address.as_deref().unwrap_or_default();
    let had = |done: &&&CallDone| {
        done.is_done()
            && done.done_at() < t
            && done.call.pid != refused.call.pid
            && done.call.address.as_deref().is_some_and(|own| is_same(own, address))
            && who.ended(done.call.pid, done.done_at()).is_none_or(|end| end > t)
    };
    let holder = binds.iter().rev().find(had);
    let wants = format!("{}[{tid}]", who.name(tid, t));
    let role = who.role(tid, t);
    let place = address.strip_prefix("unix:").map_or_else(|| address.to_owned(), |path| common_path(path, &who.pids));
    let (sentence, clause, culprits, unknown) = match holder {
        Some(holder) => {
            let (since, by) = (holder.done_at(), holder.call.tid);
            let listens = listens(timeline, address, t);
            (
                format!(
                    "{wants} cannot have {address} (EADDRINUSE {}): {}[{by}] has had it since {}",
                    when(t),
                    who.name(by, since),
                    when(since).trim_start_matches("at ")
                ),
                format!("{role} wants {place}, which {} has", who.role(by, since)),
                vec![who.actor(tid, t), who.actor(by, since)],
                (!listens).then(|| "whether it had closed it by then".to_owned()),
            )
        }
        None => (
            format!("{wants} cannot have {address} (EADDRINUSE {}): somebody outside of the run has it", when(t)),
            format!("{role} wants {place}, which nobody of the run has"),
            vec![who.actor(tid, t)],
            Some("who has it: `ss -ltnp` at that time; or it is a connection that ended a moment ago".to_owned()),
        ),
    };
    Draft {
        kind: FindingKind::Collision,
        confidence: if unknown.is_none() { Confidence::Likely } else { Confidence::Possible },
        at: t,
        clause,
        sentence,
        culprits,
        advice: "let the kernel choose the port (0) and tell it to whoever connects; or give each run a network namespace",
        rescue: None,
        unknown,
    }
}

/// The same port, at the same address or at all of them; the same path.
fn is_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let any = |host: &str| matches!(host, "0.0.0.0" | "[::]" | "::" | "*");
    match (one.rsplit_once(':'), other.rsplit_once(':')) {
        (Some(("unix", _)), _) | (_, Some(("unix", _))) => false,
        (Some((host, port)), Some((other, number))) => port == number && port != "0" && (any(host) || any(other)),
        _ => false,
    }
}

/// Whether somebody of the run listened there then.
fn listens(timeline: &Timeline, address: &str, t: RunNs) -> bool {
    let events = timeline.kernel_events().iter().take_while(|event| event.when.t <= t);
    let states = events.filter_map(|event| match &event.what {
        KernelDeed::SocketState { local, from, to, .. } if is_same(local, address) => Some((*from, *to)),
        _ => None,
    });
    let of_listener =
        states.filter(|(from, to)| *from == SocketState::Listen || *to == SocketState::Listen).map(|(_, to)| to);
    of_listener.last() == Some(SocketState::Listen)
}

/// The file of a name.
#[derive(Clone, Copy)]
struct Made {
    pid: Pid,
    tid: Tid,
    t: RunNs,
    /// Who has emptied it since.
    other: Option<(Tid, RunNs)>,
}

fn names(timeline: &Timeline, who: &Who, touches: &[Touch<'_>]) -> Vec<Draft> {
    let own =
        timeline.header().environment.iter().find(|(name, _)| name == "TMPDIR").map(|(_, place)| place.as_str());
    let places: Vec<&str> = own.into_iter().chain(TEMPORARY).collect();
    let is_temporary = |path: &str| {
        let is_below =
            |place: &&str| path.strip_prefix(place.trim_end_matches('/')).is_some_and(|p| p.starts_with('/'));
        places.iter().any(is_below)
    };
    let is_shared = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        ["lock", "lck", "log", "pid"].iter().any(|word| name.contains(word))
    };
    let mut made: BTreeMap<&str, Made> = BTreeMap::new();
    let mut drafts = Vec::new();
    for touch in touches.iter().filter(|touch| is_temporary(touch.path) && !is_shared(touch.path)) {
        let Touch { t, pid, tid, path, deed, .. } = *touch;
        let now = made.get(path).copied().filter(|made| who.ended(made.pid, made.t).is_none_or(|end| end > t));
        let is_strange = |made: &Made| !who.is_kin(made.pid, pid);
        match deed {
            Deed::Made | Deed::MadeDirectory => drop(made.insert(path, Made { pid, tid, t, other: None })),
            Deed::Replaced => match now.filter(is_strange) {
                Some(first) => drop(made.insert(path, Made { other: Some((tid, t)), ..first })),
                None => drop(made.insert(path, Made { pid, tid, t, other: None })),
            },
            Deed::Refused | Deed::RefusedDirectory => {
                let ends = who.ended(pid, t).filter(|end| end.0 - t.0 <= SOON && who.ended_badly(pid, *end));
                if let (Some(first), Some(_)) = (now.filter(is_strange), ends) {
                    drafts.push(taken(who, path, first, (tid, t)));
                }
            }
            Deed::Read | Deed::Removed | Deed::Renamed => {
                if let Some(first) = now.filter(|made| made.pid == pid)
                    && let Some(other) = first.other
                {
                    drafts.push(swapped(who, path, first, other, t));
                }
                made.remove(path);
            }
            Deed::Written => {}
        }
    }
    drafts
}

const ADVICE: &str = "make temporary names by mkdtemp or mkstemp, in a directory of the run's own";

fn taken(who: &Who, path: &str, first: Made, (tid, t): (Tid, RunNs)) -> Draft {
    let (maker, late) = (who.name(first.tid, first.t), who.name(tid, t));
    Draft {
        kind: FindingKind::Collision,
        confidence: Confidence::Likely,
        at: t,
        clause: format!(
            "{} wants to make {}, which {} has made, and ends with an error",
            who.role(tid, t),
            common_path(path, &who.pids),
            who.role(first.tid, first.t)
        ),
        sentence: format!(
            "two use the name {path}: {maker}[{}] made it {}, and {late}[{tid}] wanted to {} (EEXIST) and ended with an error",
            first.tid,
            when(first.t),
            when(t)
        ),
        culprits: vec![who.actor(tid, t), who.actor(first.tid, first.t)],
        advice: ADVICE,
        rescue: None,
        unknown: Some("whether it ended for that reason".to_owned()),
    }
}

fn swapped(who: &Who, path: &str, first: Made, (tid, since): (Tid, RunNs), t: RunNs) -> Draft {
    let (maker, late) = (who.name(first.tid, first.t), who.name(tid, since));
    Draft {
        kind: FindingKind::Collision,
        confidence: Confidence::Possible,
        at: since,
        clause: format!(
            "{} and {} use the temporary file {} at once",
            who.role(first.tid, first.t),
            who.role(tid, since),
            common_path(path, &who.pids)
        ),
        sentence: format!(
            "two use the temporary file {path} at once: {maker}[{}] wrote it {}, {late}[{tid}] wrote over it {}, and {maker} \
             came back to it {}",
            first.tid,
            when(first.t),
            when(since),
            when(t)
        ),
        culprits: vec![who.actor(tid, since), who.actor(first.tid, first.t)],
        advice: ADVICE,
        rescue: None,
        unknown: Some("whether the two speak to each other by this file".to_owned()),
    }
}
