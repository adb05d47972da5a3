//! Small phrases that all formats share. Nothing here is escaped.

use hangdog_schemas::{Actor, Finding, FindingKind, Report, RunNs};

/// `indexd[4412]`, `indexd[4412/4420]` for a thread that is not the first, `task 7 of indexd[4412]`.
pub fn actor(actor: &Actor) -> String {
    if let Some(task) = actor.task {
        format!("task {task} of {}[{}]", actor.comm, actor.pid)
    } else if actor.tid.0 == actor.pid.0 || actor.tid.0 == 0 {
        format!("{}[{}]", actor.comm, actor.pid)
    } else {
        format!("{}[{}/{}]", actor.comm, actor.pid, actor.tid)
    }
}

/// A moment or a length of time for people: `850 ms`, `12.3 s`, `4 min 05 s`.
pub fn seconds(t: RunNs) -> String {
    let ms = t.0 / 1_000_000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// The command as one line, quoted for a POSIX shell.
pub(crate) fn command(report: &Report) -> String {
    report.run.command.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell takes it.
fn shell_word(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "/._-+:@%,=^".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// `no progress for 3.2 s (the last was output, 1.0 s into the run)`.
pub(crate) fn stillness(report: &Report) -> Option<String> {
    let last = report.run.last_progress?;
    let idle = RunNs(report.run.at.0.saturating_sub(last.0));
    let what = report.run.progress.as_deref().unwrap_or("something new");
    Some(format!("no progress for {} (the last was {what}, {} into the run)", seconds(idle), seconds(last)))
}

/// The first line of a report without a verdict.
pub(crate) fn all_clear(report: &Report) -> String {
    if let Some(comparison) = &report.comparison {
        return match comparison.passed {
            0 => "no run was made".to_owned(),
            1 => "the one run passed".to_owned(),
            n => format!("no run failed: all {n} passed"),
        };
    }
    if report.findings.is_empty() {
        "no hang was seen".to_owned()
    } else {
        "no hang was seen; there are other findings".to_owned()
    }
}

/// Findings besides the verdict.
pub(crate) fn others(report: &Report) -> impl Iterator<Item = &Finding> {
    let verdict = report.verdict.as_ref().map(|verdict| verdict.id.clone());
    report.findings.iter().filter(move |finding| verdict.as_ref() != Some(&finding.id))
}

/// What a reader should do next with the capture.
pub(crate) fn replay(capture: &str) -> String {
    format!("hangdog replay {}", shell_word(capture))
}

/// What the end of a chain says when there is no resolver.
pub(crate) fn nobody(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::OrphanWait => "nobody is left who could end this wait",
        FindingKind::ExternalWait | FindingKind::TerminalPrompt => "somebody outside the run",
        FindingKind::Unknown => "unknown who could end this wait",
        _ => "no process that could end this wait",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        for (ns, expected) in [
            (0, "0 ms"),
            (850_000_000, "850 ms"),
            (12_340_000_000, "12.3 s"),
            (119_999_000_000, "119.9 s"),
            (245_000_000_000, "4 min 05 s"),
        ] {
            assert_eq!(seconds(RunNs(ns)), expected);
        }
    }

    #[test]
    fn a_replay_command_can_be_pasted() {
        assert_eq!(replay("/a/b.hang"), "hangdog replay /a/b.hang");
        assert_eq!(replay("/a b/it's.hang"), r"hangdog replay '/a b/it'\''s.hang'");
    }
}
