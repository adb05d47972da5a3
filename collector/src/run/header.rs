//! The first line of a capture: what ran where.

use std::ffi::OsString;
use std::io;

use hangdog_schemas::{Big, CAPTURE_VERSION, Inode, Pid, ProcessId, RunHeader, Watched, redact};

use super::options::{KeepCapture, KernelTrace, RunOptions};
use crate::clock::RunClock;
use crate::kernel::start_of_own;

/// What is watched.
pub(super) struct Header {
    pub(super) command: Vec<String>,
    pub(super) root: ProcessId,
    pub(super) options: Vec<String>,
    pub(super) watched: Watched,
}

impl Header {
    /// Of a command. `kernel_trace` is what is recorded, which may be less than what was asked for.
    pub(super) fn of_command(options: &RunOptions, root: ProcessId, kernel_trace: KernelTrace) -> Self {
        let command = options.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Self { command, root, options: in_force(options, kernel_trace), watched: Watched::Command }
    }
}

/// Gathers the header. Reads files of our own process and of the kernel only.
pub(super) fn header(about: Header, run: &str, clock: RunClock) -> io::Result<RunHeader> {
    let system = rustix::system::uname();
    let own = std::process::id();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    // Our own environment says nothing of processes that ran already.
    let environment = std::env::vars_os().filter(|_| about.watched.is_command());
    let utf8 = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    Ok(RunHeader {
        format: CAPTURE_VERSION,
        hangdog: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.to_owned(),
        host: text(system.nodename()),
        kernel: text(system.release()),
        arch: text(system.machine()),
        boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
        pid_namespace: namespace("pid")?,
        mount_namespace: namespace("mnt")?,
        ticks_per_second: rustix::param::clock_ticks_per_second() as u32,
        page_size: rustix::param::page_size() as u32,
        uid: rustix::process::geteuid().as_raw(),
        cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        command: redact::arguments(&about.command).value,
        root: about.root,
        observer: ProcessId { pid: Pid(own), start: Big(start_of_own(own)?) },
        cwd: std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
        environment: redact::environment(environment.filter_map(utf8)).value,
        anchor: clock.anchor(),
        options: about.options,
        terminal: super::command::terminal(),
        watched: about.watched,
    })
}

/// The inode of one of our own namespaces: `pid:[4026531836]`.
fn namespace(name: &str) -> io::Result<Inode> {
    let link = std::fs::read_link(format!("/proc/self/ns/{name}"))?;
    let number = link.to_str().and_then(|text| text.split_once('[')?.1.strip_suffix(']')?.parse().ok());
    number.map(Big).ok_or_else(|| io::Error::other(format!("/proc/self/ns/{name} is not as documented")))
}

fn in_force(options: &RunOptions, kernel_trace: KernelTrace) -> Vec<String> {
    let mut words = vec![
        format!("--quiet-after={}ms", options.quiet_after.as_millis()),
        format!("--on-hang={}", options.on_hang.word()),
        format!("--kernel-trace={}", kernel_trace.word()),
    ];
    words.extend(options.timeout.map(|limit| format!("--timeout={}ms", limit.as_millis())));
    if let KeepCapture::In(path) = &options.capture {
        words.push(format!("--output={}", path.display()));
    }
    words.extend(options.tee.then(|| "--tee".to_owned()));
    words.extend(options.watch_dirs.iter().map(|path| format!("--watch-dir={}", path.display())));
    words.extend(options.noted.iter().cloned());
    words
}

/// A new name for a run: 26 letters and digits, the first ten by time (a ULID).
pub(super) fn name_a_run(realtime_ns: u64, chance: u128) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let number = (u128::from(realtime_ns / 1_000_000) << 80) | (chance & ((1 << 80) - 1));
    (0..26).rev().map(|place| char::from(DIGITS[(number >> (5 * place)) as usize & 31])).collect()
}

/// Numbers that no two runs share. `RandomState` is keyed by the kernel's random numbers, anew in each process.
pub(super) fn chance() -> u128 {
    use std::hash::BuildHasher;
    let one = || std::hash::RandomState::new().hash_one((std::process::id(), std::time::Instant::now()));
    u128::from(one()) << 64 | u128::from(one())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runs_sort_by_time() {
        let early = name_a_run(1_700_000_000_000_000_000, u128::MAX);
        let late = name_a_run(1_700_000_000_001_000_000, 0);
        assert_eq!((early.len(), late.len()), (26, 26));
        assert!(early < late);
        assert_ne!(name_a_run(0, chance()), name_a_run(0, chance()));
    }
}
