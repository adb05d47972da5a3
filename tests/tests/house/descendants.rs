//! Who is left of a run: this process is the one that orphans come to, so all that outlives a run descends from it.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than anybody takes to end on a slow and busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Descendants of this process with `mark` in their command line, zombies left out. Only what descends from a test is
/// asked for its command line: that of somebody else may never come.
pub(crate) fn with_mark(mark: &str) -> BTreeSet<u32> {
    // Who gets another parent during one walk may be missed by it.
    &walk(mark) | &walk(mark)
}

/// Whether a process that descends from this one has it.
pub(crate) fn has_mark(pid: u32, mark: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains(mark)
}

fn walk(mark: &str) -> BTreeSet<u32> {
    let mut open = children(std::process::id());
    let mut found = BTreeSet::new();
    while let Some(pid) = open.pop() {
        open.extend(children(pid));
        if has_mark(pid, mark) {
            found.insert(pid);
        }
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Whether a process is there and no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z') && !line.contains('X'))
}

/// Ends all of them but `but`.
pub(crate) fn end(mark: &str, but: &BTreeSet<u32>) {
    hangdog_tests::until("the end of what a round left", || {
        let left: Vec<u32> = with_mark(mark).difference(but).copied().collect();
        for pid in &left {
            // It may have ended meanwhile.
            let _ended = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
        }
        left.is_empty().then_some(())
    });
}

/// Nobody but `but` is left. hangdog's helpers have its command line, and a moment to end.
///
/// # Panics
/// When somebody stays.
#[track_caller]
pub(crate) fn none(mark: &str, but: &BTreeSet<u32>, told: &str) {
    let begun = Instant::now();
    loop {
        let left = &with_mark(mark) - but;
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{} are left: {told}", described(left));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A name and a state, for messages.
fn described(pids: impl IntoIterator<Item = u32>) -> String {
    let one = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let of =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
        format!("{pid} {} {}, child of {}", of("Name:"), of("State:"), of("PPid:"))
    };
    pids.into_iter().map(one).collect::<Vec<_>>().join("; ")
}
