//! Everything that happened, in order of time, in words.

use std::collections::BTreeMap;

use hangdog_schemas::record::{Deed, ExitStatus, FileEvent, FileOp, Output, Stream, TriggerReason};
use hangdog_schemas::{ProcessId, RunNs, Tid};
use hangdog_timeline::Timeline;

use crate::text::{clean, lasting};
use crate::{call_event, kernel_event};

/// Kinds of events, each with a sign of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EventKind {
    Process,
    Phase,
    Output,
    File,
    Call,
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
            Self::Call => 'c',
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
            Self::Call => "call",
            Self::Kernel => "kernel",
            Self::Snapshot => "snapshot",
            Self::Trigger => "trigger",
            Self::Action => "action",
            Self::Loss => "lost",
            Self::End => "end",
        }
    }
}

/// Something that happened: when, and where it stands in the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) t: RunNs,
    what: What,
}

/// The numbers are places in the timeline's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    PhaseBegan(u32),
    PhaseEnded(u32),
    Output(u32),
    File(u32),
    Call(u32),
    Kernel(u32),
    /// What is rare is put into words once.
    Told(EventKind, u32),
}

impl Event {
    pub(crate) fn kind(self) -> EventKind {
        match self.what {
            What::PhaseBegan(_) | What::PhaseEnded(_) => EventKind::Phase,
            What::Output(_) => EventKind::Output,
            What::File(_) => EventKind::File,
            What::Call(_) => EventKind::Call,
            What::Kernel(_) => EventKind::Kernel,
            What::Told(kind, _) => kind,
        }
    }
}

/// All events of a capture, as an index of 16 bytes each; words are made of those that are drawn. Those of one moment
/// stand in the order of their kinds.
pub(crate) struct Events {
    all: Vec<Event>,
    told: Vec<String>,
    /// Of threads that no sample saw.
    names: BTreeMap<Tid, String>,
    /// Times of the kinds that the time line marks.
    marks: BTreeMap<EventKind, Vec<RunNs>>,
}

/// Kinds that are marked on the time line; where two fall together the later of this list shows.
pub(crate) const MARKED: [EventKind; 8] = [
    EventKind::Kernel,
    EventKind::Call,
    EventKind::File,
    EventKind::Output,
    EventKind::Action,
    EventKind::Loss,
    EventKind::End,
    EventKind::Snapshot,
];

impl Events {
    pub(crate) fn of(timeline: &Timeline) -> Self {
        let mut events =
            Self { all: Vec::new(), told: Vec::new(), names: call_event::names(timeline), marks: BTreeMap::new() };
        events.all.reserve(2 * timeline.phases().len() + timeline.kernel_events().len());
        events.index(timeline);
        events.tell_processes(timeline);
        events.tell_watching(timeline);
        events.all.sort_by_key(|event| (event.t, event.kind()));
        events.all.shrink_to_fit();
        for kind in MARKED {
            let times = events.all.iter().filter(|event| event.kind() == kind).map(|event| event.t).collect();
            events.marks.insert(kind, times);
        }
        events
    }

    /// What is in the timeline by number.
    fn index(&mut self, timeline: &Timeline) {
        for (n, phase) in (0..).zip(timeline.phases()) {
            self.all.push(Event { t: phase.open.t, what: What::PhaseBegan(n) });
            if let Some(close) = phase.close {
                self.all.push(Event { t: close.t, what: What::PhaseEnded(n) });
            }
        }
        let outputs = (0..).zip(timeline.outputs());
        self.all.extend(outputs.map(|(n, output)| Event { t: output.when.t, what: What::Output(n) }));
        let files = (0..).zip(timeline.file_events());
        self.all.extend(files.map(|(n, file)| Event { t: file.when.t, what: What::File(n) }));
        let calls = (0..).zip(timeline.calls());
        self.all.extend(calls.map(|(n, done)| Event { t: done.call.when.t, what: What::Call(n) }));
        let kernel = (0..).zip(timeline.kernel_events());
        self.all.extend(kernel.map(|(n, event)| Event { t: event.when.t, what: What::Kernel(n) }));
    }

    fn tell(&mut self, t: RunNs, kind: EventKind, text: String) {
        let n = u32::try_from(self.told.len()).expect("memory ends before 2^32 texts");
        self.told.push(text);
        self.all.push(Event { t, what: What::Told(kind, n) });
    }

    fn tell_processes(&mut self, timeline: &Timeline) {
        for process in timeline.processes() {
            for (n, (t, _)) in process.comms.iter().enumerate() {
                let who = name(timeline, process.id, *t);
                let what = if n == 0 {
                    format!("{who} began, child of {}", process.parent)
                } else {
                    format!("became {who}")
                };
                self.tell(*t, EventKind::Process, what);
            }
            if let Some(end) = process.end {
                let how = process.how.map(|how| format!(": {}", exit(how))).unwrap_or_default();
                let who = name(timeline, process.id, end.t);
                self.tell(end.t, EventKind::Process, format!("{who} ended{how}"));
            }
        }
    }

    /// What the watchdog and those who act for it did.
    fn tell_watching(&mut self, timeline: &Timeline) {
        for snapshot in timeline.snapshots() {
            let extent = format!("{:?}", snapshot.extent).to_lowercase();
            let cut = if snapshot.complete { "" } else { ", cut" };
            let text = format!("{extent} snapshot {} ({}{cut})", snapshot.id, reason(snapshot.reason));
            self.tell(snapshot.begin, EventKind::Snapshot, text);
        }
        for trigger in timeline.triggers() {
            let quiet = lasting(trigger.when.t.0.saturating_sub(trigger.last_progress.0));
            let text = format!("{}; {quiet} after {}", reason(trigger.reason), clean(&trigger.progress));
            self.tell(trigger.when.t, EventKind::Trigger, text);
        }
        for action in timeline.actions() {
            let failed = action.failed.as_deref().map(|why| format!(" (failed: {})", clean(why))).unwrap_or_default();
            self.tell(action.when.t, EventKind::Action, format!("{}{failed}", deed(&action.deed)));
        }
        for lost in timeline.lost() {
            let text = format!("{} records lost at {}", lost.records, clean(&lost.at));
            self.tell(lost.when.t, EventKind::Loss, text);
        }
        if let Some(end) = timeline.run_end() {
            let who = if end.ended_by_hangdog { "ended by hangdog" } else { "the command ended" };
            let how = end.how.map_or("not waited for".to_owned(), exit);
            self.tell(end.when.t, EventKind::End, format!("{who}: {how}"));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, n: usize) -> Option<Event> {
        self.all.get(n).copied()
    }

    /// How many lie before the first one that is not (`wanted` is true for a first part of all, by time).
    pub(crate) fn count_while(&self, wanted: impl Fn(RunNs) -> bool) -> usize {
        self.all.partition_point(|event| wanted(event.t))
    }

    /// Whether something of a marked kind happened within `from..to`.
    pub(crate) fn is_marked(&self, kind: EventKind, from: RunNs, to: RunNs) -> bool {
        let Some(times) = self.marks.get(&kind) else { return false };
        times.get(times.partition_point(|t| *t < from)).is_some_and(|t| *t < to)
    }

    /// In words, harmless.
    pub(crate) fn text(&self, timeline: &Timeline, event: Event) -> String {
        match event.what {
            What::PhaseBegan(n) => {
                let phase = &timeline.phases()[n as usize];
                format!("{} > {}", name(timeline, phase.id.process, phase.open.t), clean(&phase.name))
            }
            What::PhaseEnded(n) => {
                let phase = &timeline.phases()[n as usize];
                let who = name(timeline, phase.id.process, phase.open.t);
                let took = lasting(event.t.0.saturating_sub(phase.open.t.0));
                let outcome = phase.outcome.as_deref().map(|outcome| format!(", {}", clean(outcome)));
                format!("{who} < {} after {took}{}", clean(&phase.name), outcome.unwrap_or_default())
            }
            What::Output(n) => output(&timeline.outputs()[n as usize]),
            What::File(n) => file_event(&timeline.file_events()[n as usize]),
            What::Call(n) => call_event::words(&timeline.calls()[n as usize]),
            What::Kernel(n) => kernel_event::words(timeline, &self.names, &timeline.kernel_events()[n as usize]),
            What::Told(_, n) => self.told[n as usize].clone(),
        }
    }
}

fn name(timeline: &Timeline, id: ProcessId, t: RunNs) -> String {
    let comm = timeline.process(id).map_or("process", |process| process.comm_at(t));
    format!("{}[{}]", clean(comm), id.pid)
}

fn output(output: &Output) -> String {
    let stream = match output.stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        Stream::Both => "stdout and stderr",
    };
    let text = output.text.as_deref().map(|text| format!(": {}", clean(text.trim_end()))).unwrap_or_default();
    format!("{} bytes to {stream}{text}", output.bytes)
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
