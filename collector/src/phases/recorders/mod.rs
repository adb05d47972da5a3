//! The recorder files of the run: one a process, in the run's directory; and the memfds of those that reach none.
//!
//! | module | is |
//! | --- | --- |
//! | `recorder` | one of them, looked at |
//! | `owner` | whose it is, and its clock |
//! | `ended` | what its rings say of phases that came and went |
//! | `meaning` | `hang.*` |
//! | `pace` | how often there is time to look |
//!
//! A look costs the writers nothing and this process some time: 30 µs for a small recorder, 0.1 s for a hundred
//! thousand open phases. So a process of which no thread ran since the last look is not looked at, and all looks
//! together take a hundredth of a processor: with much to see, each recorder has its turn less often. At a trigger all
//! are looked at.
//!
//! A recorder whose process is gone is read once more, closed and removed: a run of many short processes would
//! fill the tmpfs. Its open phases stay open in the capture: that is how it died.

mod ended;
mod meaning;
mod owner;
mod pace;
mod recorder;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use hangdog_flight::{ENDING, Reader};
use hangdog_schemas::record::{Lost, PhaseClose, PhaseOpen, PhaseState};
use hangdog_schemas::{ClockAnchor, ProcessId, Record, RunNs, When};
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};

use self::owner::Host;
use self::pace::Pace;
use self::recorder::{Recorder, Turn};
use super::{Found, Moment, Phases, Processes};
use crate::observe::Tick;
use crate::run::names;

/// Recorder files that are followed at once.
const MOST_FILES: usize = 512;
/// Phases that led up to a trigger, all processes together.
const LEAD_UP: usize = 4096;
/// States of open phases that are told at a trigger.
const MOST_STATES: usize = 4096;
/// Clocks that stand this near stand together.
const SAME_CLOCK: u64 = 10_000_000;

/// Why recorders are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is time for a sample: those in which something can have happened, as far as the pace allows.
    Passing,
    /// Something is to be found out: all of them, with what led up to this moment and how every open phase stands; no
    /// further one is begun after that time.
    Closely(RunNs),
    /// The command has ended: all of them.
    Last,
}

/// What recorders are looked at with.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The times of this look.
    pub moment: Moment,
    /// The host's clocks, read together.
    pub clocks: ClockAnchor,
    /// The observer's pid namespace.
    pub pid_namespace: u64,
    /// The unit of start times.
    pub ticks_per_second: u64,
    /// The processes of the run.
    pub processes: &'a dyn Processes,
}

/// Where recorder files are looked for.
#[derive(Clone, Copy)]
pub enum Directories<'a> {
    /// In the run's own: whose process is gone is removed, so that a run of many processes does not fill the tmpfs.
    OfRun(BorrowedFd<'a>),
    /// In those of others: only the files of processes that are followed are opened, and none is removed.
    OfOthers(&'a [OwnedFd]),
}

/// Follows the recorder files of a directory.
#[derive(Debug, Default)]
pub struct Recorders {
    files: BTreeMap<OsString, Recorder>,
    memfds: Vec<Recorder>,
    /// There was no room to follow them yet.
    refused: BTreeSet<OsString>,
    /// Read to the end, and could not be removed.
    done: BTreeSet<OsString>,
    pace: Pace,
    /// What led up to the end of those that are gone.
    gone: VecDeque<(PhaseOpen, PhaseClose)>,
    asleep_first: Option<u64>,
}

impl Recorders {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads those that may have something new. The directory and its files are on tmpfs: nothing here waits.
    pub fn look(
        &mut self,
        directories: Directories<'_>,
        way: Way,
        around: &Around<'_>,
        table: &mut Phases,
        found: &mut Found,
    ) {
        match directories {
            Directories::OfRun(directory) => self.find_files(directory, |_| true, around, found),
            Directories::OfOthers(directories) => {
                let is_followed = |name: &OsString| owner_of(name, around.processes).is_some();
                for directory in directories {
                    self.find_files(directory.as_fd(), is_followed, around, found);
                }
            }
        }
        let host = self.host(around);
        let most_ended = LEAD_UP / (self.files.len() + self.memfds.len()).max(1);
        let mut turn = Turn { way, around, host, most_ended, table, found, states: Vec::new(), not_looked_at: 0 };
        let mut all: Vec<(Option<&OsString>, &mut Recorder)> =
            self.files.iter_mut().map(|(name, recorder)| (Some(name), recorder)).collect();
        all.extend(self.memfds.iter_mut().map(|recorder| (None, recorder)));
        // Who waited longest comes first.
        all.sort_by_key(|(_, recorder)| recorder.looked);
        let mut over: Vec<OsString> = Vec::new();
        for (name, recorder) in all {
            turn.look(recorder, &mut self.pace);
            if recorder.is_over {
                over.extend(name.cloned());
                self.gone.extend(recorder.lead_up(around.moment));
            }
        }
        self.gone.drain(..self.gone.len().saturating_sub(LEAD_UP));
        turn.finish();
        if let Way::Closely(_) = way {
            self.tell_lead_up(around.moment, found);
        }
        self.forget(directories, over);
        table.losses(around.moment.now, found);
    }

    /// Follows a memfd too; what is no recorder is left alone.
    pub fn add(&mut self, memfd: File) {
        self.memfds.extend(Reader::from_file(memfd).map(Recorder::new));
    }

    fn find_files(
        &mut self,
        directory: BorrowedFd<'_>,
        is_wanted: impl Fn(&OsString) -> bool,
        around: &Around<'_>,
        found: &mut Found,
    ) {
        for name in names(directory).into_iter().filter(is_wanted) {
            if self.files.contains_key(&name) || self.done.contains(&name) {
                continue;
            }
            if self.files.len() >= MOST_FILES {
                if self.refused.insert(name) {
                    let at = format!("recorders ({MOST_FILES} are followed at once)");
                    found.records.push(Record::Lost(Lost { when: When::exactly(around.moment.now), at, records: 1 }));
                }
                continue;
            }
            // Whoever has a file has a recorder, or will have one in a moment.
            found.ticks.extend(owner_of(&name, around.processes).map(|process| (process, Tick::ByName)));
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
            let Ok(file) = openat(directory, &name, flags, Mode::empty()) else { continue };
            // A file that is still being made is opened again at the next look.
            let Ok(reader) = Reader::from_file(file.into()) else { continue };
            self.files.insert(name, Recorder::new(reader));
        }
    }

    fn host(&mut self, around: &Around<'_>) -> Host {
        let asleep = around.moment.asleep;
        let first = *self.asleep_first.get_or_insert(asleep);
        Host {
            clocks: around.clocks,
            pid_namespace: around.pid_namespace,
            ticks_per_second: around.ticks_per_second,
            has_slept: asleep.abs_diff(first) > SAME_CLOCK,
        }
    }

    /// What came and went before this moment and was not told yet: the newest, in the order of their ends. Nothing of
    /// it is progress: it is over.
    fn tell_lead_up(&mut self, moment: Moment, found: &mut Found) {
        let mut ended: Vec<(PhaseOpen, PhaseClose)> = std::mem::take(&mut self.gone).into();
        for recorder in self.files.values_mut().chain(&mut self.memfds) {
            ended.extend(recorder.lead_up(moment));
        }
        ended.sort_by_key(|(_, close)| close.when.t);
        let begin = ended.len().saturating_sub(LEAD_UP);
        for (open, close) in ended.drain(begin..) {
            found.records.push(Record::PhaseOpen(Box::new(open)));
            found.records.push(Record::PhaseClose(close));
        }
    }

    fn forget(&mut self, directories: Directories<'_>, over: Vec<OsString>) {
        for name in over {
            self.files.remove(&name);
            self.refused.remove(&name);
            let is_removed = match directories {
                Directories::OfRun(directory) => unlinkat(directory, &name, AtFlags::empty()).is_ok(),
                Directories::OfOthers(_) => false,
            };
            if !is_removed {
                self.done.insert(name);
            }
        }
        self.memfds.retain(|recorder| !recorder.is_over);
    }
}

impl Turn<'_, '_> {
    fn look(&mut self, recorder: &mut Recorder, pace: &mut Pace) {
        let Moment { clock, now, .. } = self.around.moment;
        let is_wanted = match self.way {
            Way::Passing if recorder.is_new() || recorder.is_gone(self.around.processes) => true,
            Way::Passing => !recorder.is_idle(self.around.processes) && pace.allows(now),
            Way::Closely(until) => clock.now() < until,
            Way::Last => true,
        };
        if !is_wanted {
            self.not_looked_at += u64::from(self.way != Way::Passing);
            return;
        }
        let began = clock.now();
        recorder.look(self);
        pace.spend(clock.now().since(began));
    }

    /// Tells how open phases stand: those that mean something first, then the oldest.
    fn finish(mut self) {
        let when = When::exactly(self.around.moment.now);
        // The words make it plain that nobody is missing, only how some stand: see `losses` of the analysis.
        let mut lose = |what: &str, records: u64| {
            if records > 0 {
                let at = format!("phases of the run, {what}");
                self.found.records.push(Record::Lost(Lost { when, at, records }));
            }
        };
        lose(
            &format!("how they stood ({MOST_STATES} are told)"),
            self.states.len().saturating_sub(MOST_STATES) as u64,
        );
        if self.not_looked_at > 0 {
            let at = "recorders, which there was no time to look at".to_owned();
            self.found.records.push(Record::Lost(Lost { when, at, records: self.not_looked_at }));
        }
        self.states.sort_by_key(|(rank, began, _)| (std::cmp::Reverse(*rank), *began));
        let states = self.states.into_iter().take(MOST_STATES);
        self.found.states.extend(states.map(|(_, _, state): (_, _, PhaseState)| state));
    }
}

/// A file that bears the number and start time of a process.
fn owner_of(name: &OsString, processes: &dyn Processes) -> Option<ProcessId> {
    let stem = name.to_str()?.strip_suffix(ENDING)?;
    let mut numbers = stem.split('-').map(str::parse::<u64>);
    let (pid, start) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    processes.by_pid(u32::try_from(pid).ok()?).filter(|process| process.start.0 == start)
}
