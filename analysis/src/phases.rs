//! The open phases of a snapshot, understood: which of them a thread is inside, which belong to an async task that
//! nobody polls, and which only say who holds or serves what.
//!
//! ```text
//! phase ──▶ says who holds or serves (written by a traced lock or channel)    by resource
//!       ──▶ a thread is inside it                                             where the thread is
//!       ──▶ nobody is: it is of an async task ──▶ its innermost ones          what the task waits for
//! ```
//!
//! An async task may have several innermost phases (`join!`, `select!`). Whether all of them are still polled
//! together cannot be seen from outside, so the task waits for *any* of them.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::{TaskState, ThreadFact};
use hangdog_schemas::record::{PhaseState, Primitive};
use hangdog_schemas::{PhaseId, Pid, ResourceKey, RunNs, Tid};
use hangdog_timeline::{Phase, Snapshot, Timeline};

use crate::key::{Key, ThreadKey};

/// Who is inside a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    /// A thread, since it is open: plain code.
    Thread,
    /// A thread, for this poll. `same`: the same one as at the look before.
    Poll { same: bool },
    /// Nobody: it is of a future that waits. `same`: it was so at the look before and was not polled since; `None`
    /// when there was no look before.
    Nobody { same: Option<bool> },
    /// It is of an async task, and nobody looked whether that is being polled.
    Unknown,
}

/// An async task that no thread is polling.
#[derive(Clone, Debug, Default)]
pub(crate) struct AsyncTask<'a> {
    /// The open phases that it is in, outer ones first. None when only what it holds is known of it.
    phases: Vec<&'a Phase>,
    /// Those without another one inside.
    pub(crate) innermost: Vec<&'a Phase>,
    /// Whether it was polled between the looks; `None` when there was only one.
    pub(crate) same: Option<bool>,
    /// Whether it is known that nobody polls it.
    pub(crate) is_seen: bool,
}

impl<'a> AsyncTask<'a> {
    /// Its outermost phase.
    pub(crate) fn begin(&self) -> Option<&'a Phase> {
        self.phases.first().copied()
    }

    /// The thread that polled it last.
    pub(crate) fn tid(&self) -> Option<Tid> {
        self.innermost.iter().chain(&self.phases).find_map(|phase| phase.tid)
    }
}

/// Phases by the resource that they name, which is one of their process.
#[derive(Debug, Default)]
struct ByResource<'a>(BTreeMap<Pid, BTreeMap<&'a ResourceKey, Vec<&'a Phase>>>);

impl<'a> ByResource<'a> {
    fn add(&mut self, key: &'a ResourceKey, phase: &'a Phase) {
        self.0.entry(phase.id.process.pid).or_default().entry(key).or_default().push(phase);
    }

    fn get(&self, pid: Pid, key: &ResourceKey) -> &[&'a Phase] {
        self.0.get(&pid).and_then(|of_process| of_process.get(key)).map_or(&[], Vec::as_slice)
    }
}

/// Open phases by what they mean.
#[derive(Debug, Default)]
pub(crate) struct Phases<'a> {
    by_process: BTreeMap<Pid, Vec<&'a Phase>>,
    inside: BTreeMap<PhaseId, Inside>,
    /// The innermost phase that each thread is in.
    threads: BTreeMap<ThreadKey, &'a Phase>,
    tasks: BTreeMap<Key, AsyncTask<'a>>,
    /// Async tasks that are being polled, and by whom.
    polled: BTreeMap<Key, Tid>,
    waiting: ByResource<'a>,
    holding: ByResource<'a>,
    serving: ByResource<'a>,
    /// Threads that polled an async task between the looks.
    stirred: BTreeSet<ThreadKey>,
    /// Phases that ended after they notified or waited for something that somebody waits for now.
    past: ByResource<'a>,
}

/// Whether a traced lock or channel wrote it to say who holds or serves something. No thread is ever inside it.
fn is_statement(phase: &Phase) -> bool {
    phase.hang.primitive.is_some() && (phase.hang.hold.is_some() || phase.hang.serve.is_some())
}

impl<'a> Phases<'a> {
    /// The phases that were open when `snapshot` was complete; `before` is the one that has to agree.
    pub(crate) fn new(timeline: &'a Timeline, snapshot: &'a Snapshot, before: Option<&Snapshot>) -> Self {
        let mut phases = Self::default();
        let mut all: Vec<&Phase> = timeline
            .open_phases_at(moment(timeline, snapshot))
            .filter(|phase| {
                let process = snapshot.processes.get(&phase.id.process.pid);
                process.is_some_and(|process| process.process == phase.id.process)
            })
            .collect();
        all.sort_by_cached_key(|phase| (timeline.phase_path(phase).len(), phase.open.t, phase.id));
        let until = next_look(timeline, snapshot);
        for phase in &all {
            let pid = phase.id.process.pid;
            phases.by_process.entry(pid).or_default().push(phase);
            let inside = match inside(timeline, phase, until, before) {
                Inside::Unknown => beside_event_loop(phase, snapshot, before),
                known => known,
            };
            phases.inside.insert(phase.id, inside);
            let meaning = &phase.hang;
            for (key, table) in [
                (&meaning.wait, &mut phases.waiting),
                (&meaning.hold, &mut phases.holding),
                (&meaning.serve, &mut phases.serving),
            ] {
                if let Some(key) = key {
                    table.add(key, phase);
                }
            }
        }
        for list in phases.waiting.0.values_mut().flat_map(BTreeMap::values_mut) {
            list.sort_by_key(|phase| (phase.open.t, phase.id));
        }
        phases.find_past(timeline);
        phases.find_tasks(timeline, &all);
        phases.find_threads(&all);
        phases
    }

    /// Looks at what is over only where somebody waits to be notified.
    fn find_past(&mut self, timeline: &'a Timeline) {
        let is_notification =
            |phase: &&Phase| matches!(phase.hang.primitive, Some(Primitive::Condvar | Primitive::Notify));
        if !self.waiting.0.values().flat_map(BTreeMap::values).flatten().any(is_notification) {
            return;
        }
        for phase in timeline.phases().iter().filter(|phase| phase.close.is_some()) {
            for key in phase.hang.wait.iter().chain(&phase.hang.serve) {
                if !self.waiting.get(phase.id.process.pid, key).is_empty() {
                    self.past.add(key, phase);
                }
            }
        }
    }

    fn find_tasks(&mut self, timeline: &Timeline, all: &[&'a Phase]) {
        let keys: BTreeMap<PhaseId, Key> =
            all.iter().filter_map(|phase| Some((phase.id, self.task_of(timeline, phase)?))).collect();
        for phase in all.iter().filter(|phase| !is_statement(phase)) {
            let Some(key) = keys.get(&phase.id) else { continue };
            if matches!(self.inside[&phase.id], Inside::Poll { .. })
                && let Some(tid) = phase.tid
            {
                self.polled.insert(*key, tid);
            }
        }
        let parents: BTreeSet<(Key, PhaseId)> = all
            .iter()
            .filter(|phase| !is_statement(phase))
            .filter_map(|phase| {
                let parent = PhaseId { process: phase.id.process, phase: phase.parent? };
                Some((*keys.get(&phase.id)?, parent))
            })
            .collect();
        for phase in all {
            let Some(key) = keys.get(&phase.id).filter(|key| !self.polled.contains_key(key)) else { continue };
            let first = AsyncTask { same: Some(true), is_seen: true, ..AsyncTask::default() };
            let task = self.tasks.entry(*key).or_insert(first);
            if is_statement(phase) {
                continue;
            }
            task.phases.push(phase);
            if !parents.contains(&(*key, phase.id)) {
                task.innermost.push(phase);
            }
            match self.inside[&phase.id] {
                Inside::Nobody { same } => {
                    if same == Some(false) {
                        self.stirred.extend(phase.tid.map(|tid| (key.pid(), tid)));
                    }
                    task.same = task.same.and_then(|so_far| same.map(|same| so_far && same));
                }
                _ => task.is_seen = false,
            }
        }
        for task in self.tasks.values_mut().filter(|task| task.phases.is_empty()) {
            task.is_seen = false;
        }
    }

    /// The async task that a phase belongs to, if it is of one.
    fn task_of(&self, timeline: &Timeline, phase: &Phase) -> Option<Key> {
        let pid = phase.id.process.pid;
        if let Some(task) = phase.task {
            return Some(Key::Task(pid, task.0));
        }
        let is_future = |phase: &Phase| {
            phase.task.is_none()
                && matches!(self.inside.get(&phase.id), Some(Inside::Nobody { .. } | Inside::Poll { .. }))
                && !is_statement(phase)
        };
        // What is held or served belongs to the future in which it was taken.
        let path = timeline.phase_path(phase);
        let mut around = path.iter().rev().skip(usize::from(is_statement(phase))).copied();
        let inner = around.next().filter(|phase| is_future(phase))?;
        let outermost = around.take_while(|phase| is_future(phase)).last().unwrap_or(inner);
        Some(Key::Future(pid, outermost.tid.unwrap_or(Tid(0))))
    }

    fn find_threads(&mut self, all: &[&'a Phase]) {
        let mut unknown: BTreeMap<ThreadKey, Vec<&'a Phase>> = BTreeMap::new();
        for phase in all.iter().filter(|phase| !is_statement(phase)) {
            let Some(thread) = phase.tid.map(|tid| (phase.id.process.pid, tid)) else { continue };
            match self.inside[&phase.id] {
                Inside::Thread | Inside::Poll { .. } => {
                    self.threads.insert(thread, phase);
                }
                Inside::Unknown => unknown.entry(thread).or_default().push(phase),
                Inside::Nobody { .. } => {}
            }
        }
        for (thread, phases) in unknown {
            // Of several async tasks on one thread nobody knows which it is in.
            let is_one = phases.iter().all(|phase| phase.task == phases[0].task);
            if let Some(phase) = phases.last().filter(|_| is_one) {
                self.threads.entry(thread).or_insert(phase);
            }
        }
    }

    /// Open phases of a process, outer ones first.
    pub(crate) fn of(&self, pid: Pid) -> &[&'a Phase] {
        self.by_process.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// The innermost open phase that a thread is in.
    pub(crate) fn of_thread(&self, thread: ThreadKey) -> Option<&'a Phase> {
        self.threads.get(&thread).copied()
    }

    /// Whether a phase is where a task is: the innermost one of a thread, one of the innermost of an async task.
    pub(crate) fn is_innermost(&self, who: Key, phase: &Phase) -> bool {
        match who.thread() {
            Some(thread) => self.of_thread(thread).is_some_and(|inner| inner.id == phase.id),
            None => self.task(who).is_some_and(|task| task.innermost.iter().any(|inner| inner.id == phase.id)),
        }
    }

    /// Whether a thread went into the phase that it is in after `seen`, or polled something since the look before.
    pub(crate) fn is_new(&self, thread: ThreadKey, seen: RunNs) -> bool {
        let is_new = |phase: &Phase| {
            phase.open.t > seen || matches!(self.inside.get(&phase.id), Some(Inside::Poll { same: false }))
        };
        self.stirred.contains(&thread) || self.of_thread(thread).is_some_and(is_new)
    }

    /// Async tasks that no thread is polling.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = (Key, &AsyncTask<'a>)> {
        self.tasks.iter().map(|(key, task)| (*key, task))
    }

    pub(crate) fn task(&self, key: Key) -> Option<&AsyncTask<'a>> {
        self.tasks.get(&key)
    }

    /// Phases that wait for a resource of their process, those that have waited longest first.
    pub(crate) fn waiting_for(&self, pid: Pid, key: &ResourceKey) -> &[&'a Phase] {
        self.waiting.get(pid, key)
    }

    /// Phases that hold it.
    pub(crate) fn holding(&self, pid: Pid, key: &ResourceKey) -> &[&'a Phase] {
        self.holding.get(pid, key)
    }

    /// Phases that serve it.
    pub(crate) fn serving(&self, pid: Pid, key: &ResourceKey) -> &[&'a Phase] {
        self.serving.get(pid, key)
    }

    /// The phase that notified, last, what `waiting` waits for: before that began, and while nobody else waited there.
    pub(crate) fn notified_before(&self, waiting: &Phase) -> Option<&'a Phase> {
        let key = waiting.hang.wait.as_ref()?;
        let pid = waiting.id.process.pid;
        let past = self.past.get(pid, key).iter().copied();
        let serves = |phase: &&Phase| phase.hang.serve.as_ref() == Some(key);
        let end = |phase: &Phase| phase.close.map_or(RunNs(u64::MAX), |close| close.t.plus(close.err));
        let notified =
            past.clone().filter(serves).filter(|phase| end(phase) < waiting.open.t).max_by_key(|phase| end(phase))?;
        // A notification that somebody else got was not lost.
        let beside = |other: &&Phase| other.open.t <= end(notified) && end(other) >= notified.open.t;
        let others = self.waiting.get(pid, key).iter().copied().chain(past.filter(|phase| !serves(phase)));
        others.filter(|other| other.id != waiting.id).all(|other| !beside(&other)).then_some(notified)
    }

    /// Who is in a phase, took what it holds, or used last what it serves. Several when it cannot be told which of
    /// them; none when the phase does not say.
    pub(crate) fn whose(&self, timeline: &Timeline, phase: &Phase) -> Vec<Key> {
        let pid = phase.id.process.pid;
        if let Some(key) = self.task_of(timeline, phase) {
            return match (key, self.polled.get(&key)) {
                (_, None) => vec![key],
                // A thread that polls one of the futures it had may have left the others to other threads.
                (Key::Future(..), Some(tid)) if !self.is_in_poll(timeline, phase) => {
                    vec![Key::Thread(pid, *tid), Key::Any(pid)]
                }
                (_, Some(tid)) => vec![Key::Thread(pid, *tid)],
            };
        }
        let Some(tid) = phase.tid else { return Vec::new() };
        let future = Key::Future(pid, tid);
        let mut whose = vec![Key::Thread(pid, tid)];
        whose.extend(self.tasks.contains_key(&future).then_some(future));
        whose
    }

    /// Whether a phase, or the one around what it states, is of the future that is being polled.
    fn is_in_poll(&self, timeline: &Timeline, phase: &Phase) -> bool {
        let path = timeline.phase_path(phase);
        let inner = path.iter().rev().nth(usize::from(is_statement(phase)));
        inner.is_some_and(|phase| matches!(self.inside.get(&phase.id), Some(Inside::Poll { .. })))
    }
}

/// Phases are sampled; those opened while the snapshot was taken count.
fn moment(timeline: &Timeline, snapshot: &Snapshot) -> RunNs {
    snapshot.end.max(snapshot.begin).min(timeline.end().max(snapshot.begin))
}

/// The last moment that belongs to a snapshot: before the next one begins.
fn next_look(timeline: &Timeline, snapshot: &Snapshot) -> RunNs {
    let next = timeline.snapshots().iter().find(|next| next.begin > snapshot.begin);
    next.map_or(RunNs(u64::MAX), |next| RunNs(next.begin.0.saturating_sub(1)))
}

fn inside(timeline: &Timeline, phase: &Phase, until: RunNs, before: Option<&Snapshot>) -> Inside {
    // A look that is as old as the snapshot before says nothing about this one.
    let is_fresh = |look: &&PhaseState| before.is_none_or(|before| look.when.t > before.begin);
    match timeline.phase_state_at(phase.id, until).filter(is_fresh) {
        // It was looked at before and not now: what it did since is not known.
        None if timeline.phase_state_at(phase.id, until).is_some() => Inside::Nobody { same: Some(false) },
        None if phase.task.is_none() => Inside::Thread,
        None => Inside::Unknown,
        Some(look) => {
            let earlier = timeline.phase_state_at(phase.id, RunNs(look.when.t.0.saturating_sub(1)));
            let same =
                earlier.is_some_and(|earlier| earlier.polled_now == look.polled_now && earlier.polls == look.polls);
            if look.polled_now { Inside::Poll { same } } else { Inside::Nobody { same: before.map(|_| same) } }
        }
    }
}

/// Clients that write phases as lines tell the task and not whether it runs. While the thread of the task sits in the
/// poll of its event loop, none of its tasks does.
fn beside_event_loop(phase: &Phase, snapshot: &Snapshot, before: Option<&Snapshot>) -> Inside {
    let Some(thread) = phase.tid.map(|tid| (phase.id.process.pid, tid)) else { return Inside::Unknown };
    let polls = |thread: &&ThreadFact| {
        let call = thread.syscall.seen().and_then(|syscall| syscall.name());
        thread.state == TaskState::S && call.is_some_and(|name| name.starts_with("epoll_"))
    };
    let Some(now) = snapshot.threads.get(&thread).filter(polls) else { return Inside::Unknown };
    let same = before.map(|before| {
        let earlier = before.threads.get(&thread).filter(polls);
        let has_rested = earlier.is_some_and(|earlier| earlier.voluntary_switches == now.voluntary_switches);
        has_rested && phase.open.t <= before.begin
    });
    Inside::Nobody { same }
}
