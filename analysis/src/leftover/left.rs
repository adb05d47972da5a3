//! What a run leaves behind, or trips over: `leaked-process`, `leaked-mount`, `busy-mount`.
//!
//! What is left is what the census at the end of the run has proven to be the run's. What keeps a mount busy is told
//! only where system calls were noted with their names (`hangdog flake`). Never the verdict of a hang.

use hangdog_schemas::record::{Action, Deed};
use hangdog_schemas::{Actor, Confidence, Finding, FindingKind, Pid, Tid};
use hangdog_timeline::Timeline;

use crate::compare::{busy_mounts, when};
use crate::{signature, words};

/// Things that are told one by one.
const MOST: usize = 16;

/// All of a run.
pub(crate) fn findings(timeline: &Timeline) -> Vec<Finding> {
    let left = timeline.actions().iter().filter_map(|action| left(timeline, action));
    let busy = busy_mounts(timeline).into_iter().map(|busy| {
        let sentence = format!(
            "{} could not be unmounted {}: it is kept busy by {}[{}], whose working directory is in it",
            busy.place,
            when(busy.at),
            busy.holder.comm,
            busy.holder.tid
        );
        let clause = format!("{} is kept busy by {}", busy.place, busy.holder.comm);
        finding(FindingKind::BusyMount, (sentence, &clause), vec![busy.holder], Vec::new())
    });
    left.chain(busy).take(MOST).collect()
}

fn left(timeline: &Timeline, action: &Action) -> Option<Finding> {
    let Deed::Left { what, command } = &action.deed else { return None };
    let is_over = timeline.run_end().is_some_and(|end| !end.ended_by_hangdog);
    let how = if is_over { "outlives the command" } else { "is left over" };
    let process = what.strip_prefix("process ");
    let pid = process.and_then(|rest| rest.split(' ').next()?.parse().ok()).map(Pid);
    let kind = if pid.is_some() { FindingKind::LeakedProcess } else { FindingKind::LeakedMount };
    let actor = pid.map(|pid| {
        let known = timeline.processes().find(|process| process.id.pid == pid);
        let comm = known.map_or("?", |process| process.comm_at(action.when.t)).to_owned();
        Actor { pid, tid: Tid(pid.0), task: None, comm, phase: None }
    });
    let culprits: Vec<Actor> = actor.into_iter().collect();
    let clause = culprits.first().map_or_else(|| what.clone(), |actor| actor.comm.clone());
    Some(finding(kind, (format!("{what} {how}"), &clause), culprits, command.iter().cloned().collect()))
}

fn finding(
    kind: FindingKind,
    (sentence, clause): (String, &str),
    culprits: Vec<Actor>,
    rescue: Vec<String>,
) -> Finding {
    let advice = match kind {
        FindingKind::LeakedProcess => {
            "let the command end and wait for what it has started, or start it as a service of its own"
        }
        FindingKind::LeakedMount => "let the command take its mounts away before it ends, also when it fails",
        _ => "end, and wait for, who uses the mount before it is unmounted, and fail when that fails",
    };
    Finding {
        kind,
        confidence: Confidence::Certain,
        sentence: words::sentence(&sentence),
        culprits,
        edges: Vec::new(),
        advice: vec![advice.to_owned()],
        rescue,
        unknown: Vec::new(),
        id: String::new(),
        signature: signature::of_clause(kind, clause),
    }
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::record::{ProcessStart, RunEnd};
    use hangdog_schemas::sample::{header, ms, process};
    use hangdog_schemas::{Record, When};

    use super::*;

    #[track_caller]
    fn check(what: &str, expected: &str) {
        let deed = Deed::Left { what: what.to_owned(), command: Some("free it".to_owned()) };
        let (start, comm) = (process(77), "daemon".to_owned());
        let end = RunEnd { when: ms(9), how: None, ended_by_hangdog: false, cpu_ns: 0, own_cpu_ns: 0 };
        let records = [
            Record::Run(Box::new(header())),
            Record::ProcessStart(ProcessStart { when: When::default(), process: start, parent: Pid(1), comm }),
            Record::Action(Action { when: ms(8), deed, failed: None }),
            Record::RunEnd(end),
        ];
        let found = findings(&Timeline::build(records).unwrap());
        let told: Vec<String> =
            found.iter().map(|finding| format!("{}: {}", finding.kind.name(), finding.sentence)).collect();
        assert_eq!(told, [expected]);
        assert_eq!(found[0].rescue, ["free it"]);
    }

    #[test]
    fn what_is_left_is_told_with_what_frees_it() {
        check("process 77 (daemon, state S)", "leaked-process: process 77 (daemon, state S) outlives the command");
        check(
            "mount of the run: fuse.x on /mnt",
            "leaked-mount: mount of the run: fuse.x on /mnt outlives the command",
        );
        check("FUSE connection 41 of the run", "leaked-mount: FUSE connection 41 of the run outlives the command");
    }
}
