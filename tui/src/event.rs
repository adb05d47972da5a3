//! Everything that happened, in order of time, in words.

use hangdog_schemas::record::{Deed, ExitStatus, FileEvent, FileOp, Stream, TriggerReason};
use hangdog_schemas::{ProcessId, RunNs};
use hangdog_timeline::Timeline;

use crate::kernel_event;
use crate::text::{clean, lasting};

/// Kinds of events, each with a sign of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EventKind {
    Process,
    Phase,
    Output,
    File,
    Kernel,
    Snapshot,
    Trigger,
    Action,
    Loss,
    End,
}

impl EventKind {
    /// One column wide, on the time line and in the list.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Process => 'p',
            Self::Phase => '·',
            Self::Output => 'o',
            Self::File => 'f',
            Self::Kernel => 'k',
            Self::Snapshot => 'S',
            Self::Trigger => 'T',
            Self::Action => 'a',
            Self::Loss => '?',
            Self::End => 'E',
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Phase => "phase",
            Self::Output => "output",
            Self::File => "file",
            Self::Kernel => "kernel",
            Self::Snapshot => "snapshot",
            Self::Trigger => "trigger",
            Self::Action => "action",
            Self::Loss => "lost",
            Self::End => "end",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) t: RunNs,
    pub(crate) kind: EventKind,
    /// In words, harmless.
    pub(crate) text: String,
}

/// All events of a capture. Those of one moment stand in the order of their kinds.
pub(crate) fn events(timeline: &Timeline) -> Vec<Event> {
    let mut events = Vec::new();
    let mut add = |t: RunNs, kind: EventKind, text: String| events.push(Event { t, kind, text });
    let name = |id: ProcessId, t: RunNs| {
        let comm = timeline.process(id).map_or("process", |process| process.comm_at(t));
        format!("{}[{}]", clean(comm), id.pid)
    };
    for process in timeline.processes() {
        for (n, (t, _)) in process.comms.iter().enumerate() {
            let who = name(process.id, *t);
            let what =
                if n == 0 { format!("{who} began, child of {}", process.parent) } else { format!("became {who}") };
            add(*t, EventKind::Process, what);
        }
        if let Some(end) = process.end {
            let how = process.how.map(|how| format!(": {}", exit(how))).unwrap_or_default();
            add(end.t, EventKind::Process, format!("{} ended{how}", name(process.id, end.t)));
        }
    }
    for phase in timeline.phases() {
        let who = name(phase.id.process, phase.open.t);
        add(phase.open.t, EventKind::Phase, format!("{who} > {}", clean(&phase.name)));
        if let Some(close) = phase.close {
            let took = lasting(close.t.0.saturating_sub(phase.open.t.0));
            let outcome = phase.outcome.as_deref().map(|outcome| format!(", {}", clean(outcome))).unwrap_or_default();
            add(close.t, EventKind::Phase, format!("{who} < {} after {took}{outcome}", clean(&phase.name)));
        }
    }
    for output in timeline.outputs() {
        let stream = match output.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
            Stream::Both => "stdout and stderr",
        };
        let text = output.text.as_deref().map(|text| format!(": {}", clean(text.trim_end()))).unwrap_or_default();
        add(output.when.t, EventKind::Output, format!("{} bytes to {stream}{text}", output.bytes));
    }
    for file in timeline.file_events() {
        add(file.when.t, EventKind::File, file_event(file));
    }
    for event in timeline.kernel_events() {
        add(event.when.t, EventKind::Kernel, kernel_event::words(timeline, event));
    }
    for snapshot in timeline.snapshots() {
        let extent = format!("{:?}", snapshot.extent).to_lowercase();
        let cut = if snapshot.complete { "" } else { ", cut" };
        let text = format!("{extent} snapshot {} ({}{cut})", snapshot.id, reason(snapshot.reason));
        add(snapshot.begin, EventKind::Snapshot, text);
    }
    for trigger in timeline.triggers() {
        let quiet = lasting(trigger.when.t.0.saturating_sub(trigger.last_progress.0));
        let text = format!("{}; {quiet} after {}", reason(trigger.reason), clean(&trigger.progress));
        add(trigger.when.t, EventKind::Trigger, text);
    }
    for action in timeline.actions() {
        let failed = action.failed.as_deref().map(|why| format!(" (failed: {})", clean(why))).unwrap_or_default();
        add(action.when.t, EventKind::Action, format!("{}{failed}", deed(&action.deed)));
    }
    for lost in timeline.lost() {
        add(lost.when.t, EventKind::Loss, format!("{} records lost at {}", lost.records, clean(&lost.at)));
    }
    if let Some(end) = timeline.run_end() {
        let who = if end.ended_by_hangdog { "ended by hangdog" } else { "the command ended" };
        let how = end.how.map_or("not waited for".to_owned(), exit);
        add(end.when.t, EventKind::End, format!("{who}: {how}"));
    }
    events.sort_by_key(|event| (event.t, event.kind));
    events
}

/// What was done to a file, and by whom.
fn file_event(event: &FileEvent) -> String {
    let who = match (&event.comm, event.pid) {
        (Some(comm), Some(pid)) => format!("{}[{pid}]", clean(comm)),
        (None, Some(pid)) => format!("process {pid}"),
        (_, None) => "somebody".to_owned(),
    };
    let did = match event.op {
        FileOp::Create => "made",
        FileOp::Open => "opened",
        FileOp::CloseWrite => "closed, able to write,",
        FileOp::Rename => "renamed",
        FileOp::Unlink => "removed",
    };
    let to = event.to.as_deref().map(|to| format!(" to {}", clean(to))).unwrap_or_default();
    let times = if event.times > 1 { format!(", {} times", event.times) } else { String::new() };
    format!("{who} {did} {}{to}{times}", clean(&event.path))
}

/// An exit status in words.
pub(crate) fn exit(how: ExitStatus) -> String {
    match how {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(signal) => format!("killed by signal {signal}"),
    }
}

/// A reason in words.
pub(crate) fn reason(reason: TriggerReason) -> String {
    match reason {
        TriggerReason::Still => "all waits repeat".to_owned(),
        TriggerReason::Quiet => "no progress".to_owned(),
        TriggerReason::Timeout => "the timeout was reached".to_owned(),
        TriggerReason::Signal(signal) => format!("signal {signal} came"),
        TriggerReason::Demand => "asked for".to_owned(),
        TriggerReason::End => "the command ended".to_owned(),
    }
}

fn deed(deed: &Deed) -> String {
    match deed {
        Deed::Kill(process) => format!("killed {}", process.pid),
        Deed::Signal { process, signal } => format!("passed signal {signal} on to {}", process.pid),
        Deed::AbortFuse(connection) => format!("aborted FUSE connection {connection}"),
        Deed::Detach { mount_point } => format!("detached {}", clean(mount_point)),
        Deed::Thaw { cgroup } => format!("thawed {}", clean(cgroup)),
        Deed::Reap(process) => format!("reaped {}", process.pid),
        Deed::Left { what, command: None } => format!("left: {}", clean(what)),
        Deed::Left { what, command: Some(command) } => {
            format!("left: {}; free it with: {}", clean(what), clean(command))
        }
    }
}
