//! `stale-state` within a run: an identity begins anew, and its new owner reads what was written for the one before.
//!
//! ```text
//! hang.entity = run 7   |---- first ----|              |------ second ------|
//! result.json               written                        read, not written     it is the first one's result
//! ```
//!
//! Possible at most: a state that is handed on to the next owner looks the same.

use std::collections::BTreeMap;

use hangdog_schemas::{Confidence, FindingKind, RunNs};
use hangdog_timeline::{Phase, Timeline};

use super::Draft;
use super::touch::{Deed, Touch};
use crate::compare::{self, Who, common_path, when};

/// Owners of one identity that are looked at: the first ones.
const OWNERS: usize = 128;

/// All of a run.
pub(super) fn drafts(timeline: &Timeline, who: &Who, touches: &[Touch<'_>]) -> Vec<Draft> {
    let mut owners: BTreeMap<&str, Vec<&Phase>> = BTreeMap::new();
    for phase in timeline.phases() {
        if let Some(entity) = phase.hang.entity.as_deref() {
            let all = owners.entry(entity).or_default();
            if all.len() < OWNERS {
                all.push(phase);
            }
        }
    }
    owners.retain(|_, phases| phases.len() > 1);
    if owners.is_empty() {
        return Vec::new();
    }
    let mut writes: BTreeMap<&str, Vec<&Touch<'_>>> = BTreeMap::new();
    for touch in touches {
        if matches!(touch.deed, Deed::Made | Deed::Replaced | Deed::Written | Deed::Renamed | Deed::Removed) {
            writes.entry(touch.path).or_default().push(touch);
        }
    }
    let mut drafts = Vec::new();
    for (entity, mut phases) in owners {
        phases.sort_by_key(|phase| phase.open.t);
        for (n, second) in phases.iter().enumerate().skip(1) {
            let before = phases[..n].iter().filter(|first| first.open.surely_before(second.open));
            let Some(since) = before.map(|first| first.open.t).min() else { continue };
            drafts.extend(of_owner(timeline, who, (entity, second, since), touches, &writes));
        }
    }
    drafts
}

fn of_owner<'t>(
    timeline: &Timeline,
    who: &Who,
    (entity, phase, since): (&str, &Phase, RunNs),
    touches: &[Touch<'t>],
    writes: &BTreeMap<&'t str, Vec<&Touch<'t>>>,
) -> Option<Draft> {
    let end = phase.close.map_or(timeline.end(), |close| close.t);
    let first = touches.partition_point(|touch| touch.t < phase.open.t);
    let own = touches[first..].iter().take_while(|touch| touch.t <= end);
    let mut reads = own.filter(|touch| touch.deed == Deed::Read && touch.pid == phase.id.process.pid);
    reads.find_map(|read| {
        let of_path = writes.get(read.path)?;
        let last = of_path.iter().rev().find(|write| write.t.0.saturating_add(write.err) < read.t.0)?;
        let is_earlier = last.t >= since && last.t.0 + last.err < phase.open.t.0.saturating_sub(phase.open.err);
        // Opened to write, too: file events do not tell the two apart.
        let is_own = of_path.iter().any(|write| write.pid == read.pid && write.t >= read.t && write.t <= end);
        (is_earlier && !is_own && last.deed != Deed::Removed)
            .then(|| draft(timeline, who, (entity, phase), read, last))
    })
}

fn draft(
    timeline: &Timeline,
    who: &Who,
    (entity, phase): (&str, &Phase),
    read: &Touch<'_>,
    write: &Touch<'_>,
) -> Draft {
    let (reader, writer) = (who.name(read.tid, read.t), who.name(write.tid, write.t));
    Draft {
        kind: FindingKind::StaleState,
        confidence: Confidence::Possible,
        at: read.t,
        clause: format!(
            "{} reads {} as it was written for an earlier owner of the same id",
            who.role(read.tid, read.t),
            common_path(read.path, &who.pids)
        ),
        sentence: format!(
            "{reader}[{}] reads {} {} for {entity}, which began {}: it was last written {}, by {writer}[{}], for an earlier \
             owner of the same id",
            read.tid,
            read.path,
            when(read.t),
            when(phase.open.t),
            when(write.t),
            write.tid
        ),
        culprits: vec![compare::actor(timeline, phase)],
        advice: "remove the state of an id before it is given out again, and stop when that fails; or never give out an id \
                 again (AUTOINCREMENT, a UUID)",
        rescue: None,
        unknown: Some("whether the state was handed on on purpose".to_owned()),
    }
}
