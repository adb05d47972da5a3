//! The thread that a program's recorder has for itself, to keep its clock: no part of what the program does.
//!
//! It wakes up fifty times a second. Taken for a thread of the program it would be a sign of life in every hang, and
//! in a wait graph somebody who may yet help. So it is in no sample and no snapshot. A program could
//! call any thread of its own so; therefore a name alone is not believed, but in the moments before the recorder has
//! said the thread's number, or before a new process's recorder was found at all: one of other namespaces bears other
//! numbers in its file's name, and one that is still being made cannot be read.

use std::collections::BTreeSet;

use hangdog_schemas::record::ThreadSample;
use hangdog_schemas::{ProcessId, ThreadId, Tid};

use super::{Budget, Known, Pass, Thread, Tree};

/// Recorders whose process is not known yet.
const MOST_EARLY: usize = 1024;

/// Which thread of a process is a recorder's own. It keeps a clock for what the program records; its timer is no sign of
/// life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Until that pass, the one that is called so: a recorder may yet be found.
    Unsaid {
        /// The pass.
        until: u64,
    },
    /// The one that is called so: the recorder did not say which yet.
    ByName,
    /// This one, if it is called so too; in the process's own pid namespace.
    Thread(u32),
    /// None is.
    None,
}

impl Tree {
    /// Leaves out the threads that recorders have for themselves, from now on and of the pass that was just made.
    pub fn leave_out_ticks(&mut self, ticks: &[(ProcessId, Tick)], pass: &mut Pass) {
        for (process, tick) in ticks {
            let Some(known) = self.known.get_mut(&process.pid).filter(|known| known.id == Some(*process)) else {
                if self.early_ticks.len() < MOST_EARLY {
                    self.early_ticks.insert(*process, *tick);
                }
                continue;
            };
            // A recorder that was read knows better than its name does.
            if *tick == Tick::ByName && matches!(known.tick, Tick::Thread(_)) {
                continue;
            }
            known.tick = *tick;
            known.confirm_tick(&mut self.budget);
            let Some(tid) = known.find_tick() else { continue };
            let thread = ThreadId { process: *process, tid };
            let was_new = |sample: &ThreadSample| sample.thread == thread && sample.comm.is_some();
            if !pass.sample.threads.iter().any(was_new) {
                pass.sample.gone.push(thread);
            }
            pass.sample.threads.retain(|sample| sample.thread != thread);
        }
    }

    /// The threads that are surely recorders' own.
    pub fn ticks(&self) -> BTreeSet<ThreadId> {
        let sure = self.known.values().filter(|known| matches!(known.tick, Tick::Thread(_)));
        sure.filter_map(|known| Some(ThreadId { process: known.id?, tid: known.tick_thread.as_ref()?.0 })).collect()
    }
}

impl Known {
    /// Whether a thread is the recorder's own. The first thread is the program's.
    fn is_tick(&self, tid: Tid, thread: &Thread) -> bool {
        thread.raw_comm == hangdog_flight::TICK_THREAD.as_bytes()
            && self.id.is_none_or(|process| process.pid.0 != tid.0)
            && match self.tick {
                Tick::None => false,
                Tick::ByName | Tick::Unsaid { .. } => true,
                // What the kernel calls it in its own pid namespace comes last.
                Tick::Thread(inner) => self
                    .dir
                    .thread_status(tid)
                    .is_ok_and(|status| status.ns_pids.last().map_or(tid.0 == inner, |last| *last == inner)),
            }
    }

    /// Puts the recorder's own thread aside, if it is among those that were looked at.
    pub(super) fn find_tick(&mut self) -> Option<Tid> {
        if self.tick_thread.is_some() {
            return None;
        }
        let tid = *self.threads.iter().find(|(tid, thread)| self.is_tick(**tid, thread))?.0;
        self.put_aside(tid);
        Some(tid)
    }

    /// Whether a thread with a new name is the recorder's own: then it is put aside.
    pub(super) fn has_new_tick(&mut self, tid: Tid) -> bool {
        let is_tick =
            self.tick_thread.is_none() && self.threads.get(&tid).is_some_and(|thread| self.is_tick(tid, thread));
        if is_tick {
            self.put_aside(tid);
        }
        is_tick
    }

    /// Whether what was believed so far still is. A process in which nobody said for long that it has a recorder has
    /// none: then its thread with that name is one like all, and this pass is to find it.
    pub(super) fn believe_tick(&mut self, pass: u64, budget: &mut Budget) -> bool {
        if matches!(self.tick, Tick::Unsaid { until } if until <= pass) {
            self.tick = Tick::None;
            self.confirm_tick(budget);
        }
        !std::mem::take(&mut self.has_put_back)
    }

    /// What was believed by its name may be another. Then the next pass finds it again, as a thread like all.
    pub(super) fn confirm_tick(&mut self, budget: &mut Budget) {
        let Some((tid, thread)) = self.tick_thread.take() else { return };
        if self.is_tick(tid, &thread) {
            self.tick_thread = Some((tid, thread));
        } else {
            thread.release(budget);
            self.has_put_back = true;
        }
    }

    fn put_aside(&mut self, tid: Tid) {
        self.tick_thread = self.threads.remove(&tid).map(|thread| (tid, thread));
    }

    /// Takes the recorder's own thread from the list. A later one may have its number, and is another.
    pub(super) fn look_at_tick(&mut self, tids: &mut Vec<Tid>, budget: &mut Budget) {
        let Some((tid, mut thread)) = self.tick_thread.take() else { return };
        let is_there = tids.contains(&tid) && thread.look(self.dir.fd(), tid, budget).is_ok();
        if is_there && self.tick != Tick::None && thread.raw_comm == hangdog_flight::TICK_THREAD.as_bytes() {
            tids.retain(|other| *other != tid);
            self.tick_thread = Some((tid, thread));
        } else {
            thread.release(budget);
        }
    }

    pub(super) fn forget_tick(&mut self, budget: &mut Budget) {
        if let Some((_, thread)) = self.tick_thread.take() {
            thread.release(budget);
        }
    }
}
