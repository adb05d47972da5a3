//! What must have been said of the case that was built: the sentence, who is to blame, and every edge.

use std::path::PathBuf;
use std::process::ExitStatus;

use hangdog_schemas::{Finding, FindingKind, Report};

use super::stage::Stage;

/// Exit code of `hangdog run` when it ended a hang.
const ENDED_A_HANG: i32 = 124;

/// How the run has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It ends by itself, and there is nothing to say.
    Nothing,
    /// The hang is named; a person ends it.
    Named,
    /// The hang is named and ended.
    Freed,
}

/// Which hang was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// The walk into one's own mount.
    Fuse { mount_point: PathBuf },
    /// The pipe and the file lock.
    Pipes { lock_file: PathBuf },
}

impl Case {
    /// The two processes of the loop.
    fn members(&self) -> [&'static str; 2] {
        match self {
            Self::Fuse { .. } => ["indexd", "fuse.test"],
            Self::Pipes { .. } => ["reader", "writer"],
        }
    }

    /// Of each group one text must stand in the sentence.
    fn sentence(&self) -> Vec<Vec<String>> {
        let words: &[&[&str]] = match self {
            Self::Fuse { .. } => {
                &[&["POST /api/conversations/new"], &["openat", "getdents64", "newfstatat", "statx"]]
            }
            Self::Pipes { .. } => &[&["pipe"], &["lock"]],
        };
        let mut wanted: Vec<Vec<String>> =
            words.iter().map(|group| group.iter().map(|word| (*word).to_owned()).collect()).collect();
        if let Self::Fuse { mount_point } = self {
            wanted
                .push(mount_point.file_name().map(|name| name.to_string_lossy().into_owned()).into_iter().collect());
        }
        wanted
    }

    /// Phases that must stand with the members.
    fn phases(&self) -> &'static [&'static str] {
        match self {
            Self::Fuse { .. } => &["POST /api/conversations/new", "walk", "flush send"],
            Self::Pipes { .. } => &["update the list", "lock the list"],
        }
    }

    /// Who waits for whom over what: waiter, a word of the resource's kind, resolver.
    fn edges(&self) -> [(&'static str, &'static [&'static str], &'static str); 2] {
        match self {
            Self::Fuse { .. } => [("indexd", &["fuse"], "fuse.test"), ("fuse.test", &["tcp", "http"], "indexd")],
            Self::Pipes { .. } => [("reader", &["pipe"], "writer"), ("writer", &["lock"], "reader")],
        }
    }
}

/// What was not as expected, each as a fragment after "expected".
pub(super) fn surprises(
    stage: &Stage,
    case: &Case,
    wanted: Wanted,
    status: ExitStatus,
    report: Option<&Report>,
) -> Vec<String> {
    let verdict = report.and_then(|report| report.verdict.as_ref());
    let mut list = Vec::new();
    match wanted {
        Wanted::Nothing if status.code() != Some(0) => {
            list.push(format!("exit code 0; the run ended with {status}"));
        }
        Wanted::Freed if status.code() != Some(ENDED_A_HANG) => {
            list.push(format!("exit code {ENDED_A_HANG} (a hang was ended); the run ended with {status}"));
        }
        Wanted::Nothing | Wanted::Named | Wanted::Freed => {}
    }
    match (wanted, verdict) {
        (Wanted::Nothing, Some(verdict)) => list.push(format!("no verdict; it was: {}", verdict.sentence)),
        (Wanted::Nothing, None) => {}
        (Wanted::Named | Wanted::Freed, Some(verdict)) => judge(stage, case, verdict, &mut list),
        (Wanted::Named | Wanted::Freed, None) => list.push("a verdict; there is none".to_owned()),
    }
    list
}

fn judge(stage: &Stage, case: &Case, verdict: &Finding, list: &mut Vec<String>) {
    if verdict.kind != FindingKind::DeadlockCycle {
        list.push(format!("the kind deadlock-cycle; it is {}", verdict.kind.name()));
    }
    for group in case.sentence() {
        if !group.iter().any(|word| verdict.sentence.contains(word)) {
            list.push(format!("the sentence to name {}", group.join(" or ")));
        }
    }
    for member in case.members() {
        judge_member(stage, verdict, member, list);
    }
    for phase in case.phases() {
        if !named_phases(verdict).any(|named| named.contains(phase)) {
            list.push(format!("the phase {phase:?} with a member"));
        }
    }
    for (waiter, kinds, resolver) in case.edges() {
        let there = verdict.edges.iter().any(|edge| {
            edge.waiter.comm == waiter
                && kinds.iter().any(|kind| edge.resource.kind.contains(kind))
                && edge.resolver.as_ref().is_some_and(|actor| actor.comm == resolver)
        });
        if !there {
            list.push(format!("an edge over {} from {waiter} to {resolver}", kinds.join(" or ")));
        }
    }
    for edge in &verdict.edges {
        if edge.evidence.is_empty() {
            list.push(format!("evidence for every edge; {} has none", edge.resource.name));
        }
    }
}

fn judge_member(stage: &Stage, verdict: &Finding, member: &str, list: &mut Vec<String>) {
    let Some(pid) = stage.pid_of(member) else {
        list.push(format!("{member} to take part"));
        return;
    };
    // By process, or by process and thread.
    let labels = [format!("{member}[{pid}]"), format!("{member}[{pid}/")];
    if !labels.iter().any(|label| verdict.sentence.contains(label)) {
        list.push(format!("the sentence to name {member}[{pid}]"));
    }
    if !verdict.culprits.iter().any(|actor| actor.pid.0 == pid) {
        list.push(format!("{member}[{pid}] among the culprits"));
    }
}

/// Phases of all who stand in the verdict.
fn named_phases(verdict: &Finding) -> impl Iterator<Item = &str> {
    let on_edges = verdict.edges.iter().flat_map(|edge| std::iter::once(&edge.waiter).chain(edge.resolver.as_ref()));
    verdict.culprits.iter().chain(on_edges).filter_map(|actor| actor.phase.as_deref())
}
