//! What runs leave behind and trip over. Pure, and never the verdict of a hang.
//!
//! | finding | rests on | decided in |
//! | --- | --- | --- |
//! | `leaked-process`, `leaked-mount` | the census at the end of the run | `left` |
//! | `busy-mount` | system calls with their names | `left` |
//! | `stale-lock`, `lock-stolen-twice` | system calls with their names, else file events | `lock_files` |
//! | `dead-mount` | system calls with their names, and mounts in snapshots | `dead_mount` |
//! | `collision` | system calls with their names | `collision` |
//! | `stale-state` | phases with an entity, and who wrote and read files | `state` |
//!
//! What one run does to another (`stale-state`, `cross-run` between runs) is decided where many runs are compared.
//! Names in system calls are noted by `hangdog flake` alone; what came of a call is known to root only. A call of which
//! that is not known decides nothing here.

mod collision;
mod dead_mount;
mod left;
mod lock_files;
mod state;
mod touch;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use hangdog_schemas::{Actor, Confidence, Finding, FindingKind, RunNs};
use hangdog_timeline::Timeline;

use crate::compare::Who;
use crate::{signature, words};
pub(crate) use touch::{Deed, of as touches};

/// Things of one kind that are told one by one.
const MOST: usize = 16;

/// Something that was seen, with what a comparison needs.
pub(crate) struct Told {
    /// When it began to be so.
    pub(crate) at: RunNs,
    /// The same words in every run.
    pub(crate) clause: String,
    pub(crate) finding: Finding,
}

/// The parts of a finding that differ.
struct Draft {
    kind: FindingKind,
    confidence: Confidence,
    at: RunNs,
    clause: String,
    sentence: String,
    culprits: Vec<Actor>,
    advice: &'static str,
    rescue: Option<String>,
    unknown: Option<String>,
}

impl Draft {
    fn told(self) -> Told {
        let finding = Finding {
            kind: self.kind,
            confidence: self.confidence,
            sentence: words::sentence(&self.sentence),
            culprits: self.culprits,
            edges: Vec::new(),
            advice: vec![self.advice.to_owned()],
            rescue: self.rescue.into_iter().collect(),
            unknown: self.unknown.into_iter().collect(),
            id: String::new(),
            signature: signature::of_clause(self.kind, &self.clause),
        };
        Told { at: self.at, clause: self.clause, finding }
    }
}

/// All of a run but what is left at its end, which a comparison of runs knows already.
pub(crate) fn told(timeline: &Timeline, who: &Who) -> Vec<Told> {
    let touches = touch::of(timeline);
    let mut all = lock_files::drafts(who, &touches);
    all.extend(dead_mount::drafts(timeline, who));
    all.extend(collision::drafts(timeline, who, &touches));
    all.extend(state::drafts(timeline, who, &touches));
    all.sort_by(|a, b| (a.kind, b.confidence, a.at).cmp(&(b.kind, a.confidence, b.at)));
    let mut seen: BTreeSet<(FindingKind, String)> = BTreeSet::new();
    all.retain(|draft| {
        let of_kind = seen.iter().filter(|(kind, _)| *kind == draft.kind).count();
        of_kind < MOST && seen.insert((draft.kind, draft.clause.clone()))
    });
    all.into_iter().map(Draft::told).collect()
}

/// All of a run.
pub(crate) fn findings(timeline: &Timeline) -> Vec<Finding> {
    let mut all: Vec<Finding> = told(timeline, &Who::of(timeline)).into_iter().map(|told| told.finding).collect();
    all.extend(left::findings(timeline));
    all
}
