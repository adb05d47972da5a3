//! Whether the environments of adopted processes name this run, asked by helpers: a look may block where its owner
//! hangs in an exec.
//!
//! An answer is waited for but shortly, and taken whenever it comes: on a busy machine that is later. Nothing to read
//! is no answer either, for a process in the middle of an exec has no environment for a moment (seen on Linux 6.18
//! at a load of 10: one in 200 families kept a process because of that, or because its helper was late). So it is
//! asked again, at growing distances, and a process stays undecided until then: neither the run's nor another's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::helper::Helper;
use super::{fork_helper, has_ended, open_process};

/// How long answers are waited for in one round, all of them together.
const LOOK: Duration = Duration::from_millis(20);
/// Helpers that look at once.
const AT_ONCE: usize = 4;
/// How often nothing is read before that counts as an environment that is empty.
const MOST_ASKED: u32 = 8;

/// What a helper found: its exit code.
const OTHER: i32 = 0;
const OURS: i32 = 1;
const NOTHING: i32 = 2;

/// Processes that are not decided about.
#[derive(Debug, Default)]
pub(super) struct Marks {
    open: BTreeMap<u32, Asked>,
    /// Helpers that were killed and have not been waited for.
    late: BTreeSet<u32>,
}

/// A process whose environment is asked for.
#[derive(Debug, Default)]
struct Asked {
    helper: Option<Helper>,
    /// How often nothing was to be read.
    empty: u32,
    /// Rounds until it is asked again.
    rest: u32,
}

impl Marks {
    /// Whether anybody is undecided.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The helpers that look: children of ours which are waited for here alone.
    pub(super) fn is_helper(&self, pid: u32) -> bool {
        self.late.contains(&pid) || self.open.values().filter_map(|asked| asked.helper.as_ref()).any(|h| h.pid == pid)
    }

    /// Helpers that are not waited for here any more, to be waited for with the other children.
    pub(super) fn take_late(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.late)
    }

    /// One round for these processes: whether the environment has `mark`, of those where that is known now. All others
    /// that were asked about are forgotten.
    pub(super) fn ask(&mut self, pids: &BTreeSet<u32>, mark: &[u8]) -> BTreeMap<u32, bool> {
        let gone: Vec<u32> = self.open.keys().copied().filter(|pid| !pids.contains(pid)).collect();
        for pid in gone {
            self.forget(pid);
        }
        for pid in pids {
            self.open.entry(*pid).or_default();
        }
        self.start_helpers(mark);
        let until = Instant::now() + LOOK;
        let mut known = BTreeMap::new();
        for (pid, asked) in &mut self.open {
            if let Some(answer) = asked.answer(until.saturating_duration_since(Instant::now())) {
                known.insert(*pid, answer);
            } else if asked.empty >= MOST_ASKED || open_process(*pid).is_none_or(has_ended) {
                known.insert(*pid, false);
            }
        }
        for pid in known.keys() {
            self.forget(*pid);
        }
        known
    }

    fn start_helpers(&mut self, mark: &[u8]) {
        let mut free = AT_ONCE.saturating_sub(self.open.values().filter(|asked| asked.helper.is_some()).count());
        for (pid, asked) in &mut self.open {
            if asked.helper.is_some() || free == 0 {
                continue;
            }
            if asked.rest > 0 {
                asked.rest -= 1;
                continue;
            }
            let look = || look(*pid, mark);
            match fork_helper(c"hangdog-look", &[], look) {
                Ok(helper) => asked.helper = Some(helper),
                Err(_) => asked.nothing(),
            }
            free -= 1;
        }
    }

    fn forget(&mut self, pid: u32) {
        if let Some(helper) = self.open.remove(&pid).and_then(|asked| asked.helper) {
            helper.kill();
            self.late.insert(helper.pid);
        }
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        for helper in self.open.values().filter_map(|asked| asked.helper.as_ref()) {
            helper.kill();
        }
    }
}

impl Asked {
    /// What the helper says, if it does within `limit`.
    fn answer(&mut self, limit: Duration) -> Option<bool> {
        let code = self.helper.as_ref()?.wait(limit)?;
        self.helper = None;
        match code {
            OTHER => Some(false),
            OURS => Some(true),
            _ => {
                self.nothing();
                None
            }
        }
    }

    fn nothing(&mut self) {
        self.empty = (self.empty + 1).min(MOST_ASKED);
        self.rest = 1 << self.empty;
    }
}

fn look(pid: u32, mark: &[u8]) -> i32 {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    if environment.is_empty() {
        return NOTHING;
    }
    if environment.split(|byte| *byte == 0).any(|variable| variable == mark) { OURS } else { OTHER }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    const MARK: &str = "HANGDOG_RUN_ID=of-this-run";

    /// A shell without any environment that becomes another program when its input ends.
    fn without_environment(then: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("read _; {then}")]).env_clear().stdin(Stdio::piped());
        command.spawn().expect("a shell")
    }

    fn ask_of(marks: &mut Marks, child: &Child) -> Option<bool> {
        marks.ask(&[child.id()].into(), MARK.as_bytes()).remove(&child.id())
    }

    /// Asks until it is known. The number of rounds is bounded, since nothing to read is no answer for so long only.
    fn settled(marks: &mut Marks, child: &Child) -> bool {
        loop {
            if let Some(answer) = ask_of(marks, child) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(mut child: Child) {
        child.kill().expect("our own child");
        child.wait().expect("our own child");
    }

    #[test]
    fn an_environment_names_the_run_or_another() {
        for (variable, is_ours) in [("HANGDOG_RUN_ID=of-this-run", true), ("HANGDOG_RUN_ID=of-another", false)] {
            let (name, value) = variable.split_once('=').expect("a variable");
            let child = Command::new("sleep").arg("1000").env(name, value).spawn().expect("sleep");
            let mut marks = Marks::default();
            assert_eq!(settled(&mut marks, &child), is_ours, "{variable}");
            assert!(!marks.is_open());
            end(child);
        }
    }

    #[test]
    fn nothing_to_read_is_no_answer_until_it_was_asked_often() {
        let mut child = without_environment(&format!("{MARK} exec /bin/sleep 1000"));
        let mut marks = Marks::default();
        for _ in 0..MOST_ASKED {
            assert_eq!(ask_of(&mut marks, &child), None);
        }
        assert!(marks.is_open());
        drop(child.stdin.take());
        assert!(settled(&mut marks, &child));
        end(child);
        let child = without_environment("exec /bin/sleep 1000");
        assert!(!settled(&mut marks, &child));
        end(child);
    }

    #[test]
    fn who_is_not_asked_about_any_more_is_forgotten() {
        let child = without_environment("exit");
        let mut marks = Marks::default();
        assert_eq!(ask_of(&mut marks, &child), None);
        assert_eq!(marks.ask(&BTreeSet::new(), MARK.as_bytes()), BTreeMap::new());
        assert!(!marks.is_open());
        end(child);
    }
}
