//! Processes, phases and signals of a run as clauses.

use std::collections::BTreeMap;

use hangdog_schemas::record::KernelDeed;
use hangdog_schemas::{Actor, RunNs, Tid};
use hangdog_timeline::{CallDone, Phase, Timeline};

use super::name;
use super::sketch::{Feature, Measure, Sketch, Tier};
use super::sockets::overlap;
use super::who::Who;

/// Signals by which programs and people end each other.
const TOLD: &[(i32, &str)] = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (6, "SIGABRT"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (12, "SIGUSR2"),
    (15, "SIGTERM"),
];
/// Signals that the kernel sends for a mistake.
const FATAL: &[(i32, &str)] = &[(4, "SIGILL"), (7, "SIGBUS"), (8, "SIGFPE"), (11, "SIGSEGV"), (31, "SIGSYS")];

/// Notes programs that begin and end, and signals.
pub(super) fn processes(timeline: &Timeline, who: &Who, sketch: &mut Sketch) {
    let busy = Busy::of(timeline);
    for event in timeline.kernel_events() {
        let (t, tid) = (event.when.t, event.tid);
        let named =
            |table: &[(i32, &'static str)], signal: i32| table.iter().find(|(n, _)| *n == signal).map(|(_, s)| *s);
        match &event.what {
            KernelDeed::Exec { .. } => {
                let text = format!("{} is started", who.role(tid, t));
                sketch.mark(&format!("{} is started", who.one(tid, t)), t);
                sketch.note(Tier::Deed, text, t, Some(who.actor(tid, t)));
            }
            KernelDeed::ExitCall { code } if *code != 0 => {
                let text = format!("{} ends with exit code {code}", who.role(tid, t));
                sketch.note(Tier::Ending, text, t, Some(who.actor(tid, t)));
            }
            KernelDeed::Exit { .. } => sketch.mark(&format!("{} ends", who.one(tid, t)), t),
            // What the one that watches did comes of the hang, and is no part of the run.
            KernelDeed::SignalSent { .. } if tid.0 == timeline.header().observer.pid.0 => {}
            KernelDeed::SignalSent { signal, code, target, .. } => {
                if let Some(word) = named(FATAL, *signal) {
                    sketch.note(
                        Tier::Error,
                        format!("{} gets {word}", who.role(*target, t)),
                        t,
                        Some(who.actor(*target, t)),
                    );
                } else if let Some(word) = named(TOLD, *signal).filter(|_| *code <= 0) {
                    let text = format!("{} sends {word} to {}", who.role(tid, t), who.role(*target, t));
                    sketch.mark(&text, t);
                    sketch.note(Tier::Deed, text, t, Some(who.actor(tid, t)));
                    at_work(&busy, who, sketch, (tid, *target, word), t);
                }
            }
            _ => {}
        }
    }
}

/// How the clause of a signal ends that comes into a call.
pub(super) const AT_WORK: &str = "while that is at work with a file and does not wait for it";
/// How the clause of an end within something else ends.
pub(super) const IS_OPEN: &str = " is open";

/// The calls with names of files of each thread, in order of time.
struct Busy<'t>(BTreeMap<Tid, Vec<&'t CallDone>>);

impl<'t> Busy<'t> {
    fn of(timeline: &'t Timeline) -> Self {
        let mut calls: BTreeMap<Tid, Vec<&CallDone>> = BTreeMap::new();
        for done in timeline.calls().iter().filter(|done| !done.call.paths.is_empty()) {
            calls.entry(done.call.tid).or_default().push(done);
        }
        for calls in calls.values_mut() {
            calls.sort_by_key(|done| done.call.when.t);
        }
        Self(calls)
    }

    /// The call in which a thread is at a time.
    fn at(&self, tid: Tid, t: RunNs) -> Option<&'t CallDone> {
        let calls = self.0.get(&tid)?;
        let before = calls.partition_point(|done| done.call.when.t <= t).checked_sub(1)?;
        Some(calls[before]).filter(|done| t < done.done_at())
    }
}

/// A signal that comes while its receiver does something with a file. Who looks whether a signal came and waits for one
/// after that sleeps through this one.
fn at_work(busy: &Busy<'_>, who: &Who, sketch: &mut Sketch, (tid, target, word): (Tid, Tid, &str), t: RunNs) {
    let Some(done) = busy.at(target, t) else { return };
    let text = format!("{word} of {} comes to {} {AT_WORK}", who.role(tid, t), who.role(target, t));
    let path = done.call.paths.first().map(|path| name::path(path, &who.pids)).unwrap_or_default();
    let detail = format!(
        "{}[{target}] was in {}({path}) from {} to {}, and the signal came {}",
        who.name(target, t),
        done.call.name,
        super::when(done.call.when.t).trim_start_matches("at "),
        super::when(done.done_at()).trim_start_matches("at "),
        super::when(t)
    );
    sketch.note_with(Tier::Race, text, t, vec![who.actor(target, t), who.actor(tid, t)], Some(detail));
}

/// What is said of phases that are called alike.
struct Alike<'t> {
    text: String,
    begins: String,
    ends: String,
    entered: Feature,
    phases: Vec<&'t Phase>,
}

impl Alike<'_> {
    fn new(role: &str, key: &str, path: &[&str], who: &Who) -> Self {
        let path: Vec<String> = path.iter().map(|part| name::word(part, &who.pids)).collect();
        let key = if key.is_empty() { String::new() } else { format!(" ({})", name::word(key, &who.pids)) };
        let text = format!("phase {}{key} of {}", path.join(" > "), name::word(role, &who.pids));
        let entered = Feature { tier: Tier::Deed, measure: Measure::Times, text: format!("{text} is entered") };
        let (begins, ends) = (format!("{text} begins"), format!("{text} ends"));
        Self { text, begins, ends, entered, phases: Vec::new() }
    }
}

/// Notes phases by their path, what they came to, and how many were open at once.
pub(super) fn phases(timeline: &Timeline, who: &Who, sketch: &mut Sketch) {
    // A run has many phases and few kinds of them: they are worded once.
    let mut all: BTreeMap<(&str, &str, Vec<&str>), Alike<'_>> = BTreeMap::new();
    for phase in timeline.phases() {
        let path: Vec<&str> = timeline.phase_path(phase).iter().map(|part| part.name.as_str()).collect();
        let key = phase.hang.op.as_deref().or(phase.hang.entity.as_deref()).unwrap_or_default();
        let role = timeline.process(phase.id.process).map_or("?", |process| process.comm_at(phase.open.t));
        let alike =
            all.entry((role, key, path)).or_insert_with_key(|(role, key, path)| Alike::new(role, key, path, who));
        sketch.mark(&alike.begins, phase.open.t);
        if let Some(close) = phase.close {
            sketch.mark(&alike.ends, close.t);
        }
        if !sketch.again(&alike.entered, phase.open.t) {
            let text = alike.entered.text.clone();
            sketch.note(Tier::Deed, text, phase.open.t, Some(actor(timeline, phase)));
        }
        if let Some(outcome) = phase.outcome.as_deref().filter(|outcome| *outcome != "ok") {
            let t = phase.close.map_or(phase.open.t, |close| close.t);
            sketch.note(Tier::Error, format!("{} ends as {outcome}", alike.text), t, Some(actor(timeline, phase)));
        }
        alike.phases.push(phase);
    }
    // What is worded alike is one thing, whatever it was before.
    let mut open: BTreeMap<String, Vec<&Phase>> = BTreeMap::new();
    for alike in all.into_values() {
        open.entry(alike.text).or_default().extend(alike.phases);
    }
    ends_within(timeline, &open, sketch);
    for (text, phases) in open {
        let end = |phase: &Phase| phase.close.map_or(timeline.end(), |close| close.t);
        let (many, since) = overlap(phases.iter().map(|phase| (phase.open.t, end(phase))));
        let has_key = phases.iter().any(|phase| phase.hang.op.is_some() || phase.hang.entity.is_some());
        let tier = if has_key { Tier::Race } else { Tier::Deed };
        sketch.at_once(tier, format!("phases like: {text}"), many, since, Vec::new());
    }
}

/// More kinds of phases than this are not held against each other.
const KINDS: usize = 60;

/// Notes what is open when something ends that a run has once: a drain, a start, a migration. Parts of it do not count.
fn ends_within(timeline: &Timeline, all: &BTreeMap<String, Vec<&Phase>>, sketch: &mut Sketch) {
    let once = all.iter().filter_map(|(text, phases)| match phases[..] {
        [phase] => Some((text, phase, phase.close?.t)),
        _ => None,
    });
    for (text, phase, end) in once.take(KINDS) {
        for (other, phases) in all.iter().filter(|(other, _)| *other != text).take(KINDS) {
            let is_open = |other: &&&Phase| {
                other.open.t < end
                    && other.close.is_none_or(|close| close.t > end)
                    && !timeline.phase_path(phase).iter().any(|part| part.id == other.id)
            };
            if let Some(open) = phases.iter().find(is_open) {
                let actors = vec![actor(timeline, phase), actor(timeline, open)];
                sketch.note_with(Tier::Deed, format!("{text} ends while {other}{IS_OPEN}"), end, actors, None);
            }
        }
    }
}

/// A phase's thread as an actor.
pub(crate) fn actor(timeline: &Timeline, phase: &Phase) -> Actor {
    let pid = phase.id.process.pid;
    let comm = timeline.process(phase.id.process).map_or("?", |process| process.comm_at(phase.open.t));
    let path: Vec<&str> = timeline.phase_path(phase).iter().map(|part| part.name.as_str()).collect();
    Actor {
        pid,
        tid: phase.tid.unwrap_or(Tid(pid.0)),
        task: phase.task,
        comm: comm.to_owned(),
        phase: Some(path.join(" > ")),
    }
}
