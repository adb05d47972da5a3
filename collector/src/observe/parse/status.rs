//! `/proc/PID/status` and `/proc/PID/task/TID/status`: the one file that no lock ever blocked.
//!
//! A parser of its own, since it runs for every thread several times a second, and since a name
//! may hold anything: `:` and blanks as they are, a newline as `\n`, bytes that are no UTF-8.

use hangdog_schemas::fact::{Signals, TaskState};
use hangdog_schemas::{Address, Pid};

use super::text::{hex, lines, number, text, unescape, words};

/// What is used of a `status` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) comm: String,
    pub(crate) state: TaskState,
    pub(crate) tgid: Pid,
    pub(crate) parent: Pid,
    pub(crate) tracer: Option<Pid>,
    pub(crate) uid: Option<u32>,
    /// From the observer's pid namespace inwards.
    pub(crate) ns_pids: Vec<u32>,
    pub(crate) group: Option<Pid>,
    pub(crate) session: Option<Pid>,
    pub(crate) threads: u32,
    pub(crate) signals: Signals,
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
}

/// The few fields that a sample needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulse<'a> {
    /// Name as the kernel escaped it.
    pub(crate) raw_comm: &'a [u8],
    pub(crate) state: TaskState,
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
}

/// A field's name and value.
fn fields(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(bytes).filter_map(|line| {
        let colon = line.iter().position(|&b| b == b':')?;
        let value = &line[colon + 1..];
        Some((&line[..colon], value.strip_prefix(b"\t").unwrap_or(value)))
    })
}

fn state(value: &[u8]) -> TaskState {
    value.first().map_or(TaskState::Unknown, |&b| TaskState::from_letter(b as char))
}

/// The short look. `None` when it is no status file.
pub(crate) fn pulse(bytes: &[u8]) -> Option<Pulse<'_>> {
    let mut pulse = Pulse { raw_comm: b"", state: TaskState::Unknown, voluntary: 0, involuntary: 0 };
    let mut found = 0;
    for (name, value) in fields(bytes) {
        match name {
            b"Name" => pulse.raw_comm = value,
            b"State" => pulse.state = state(value),
            b"voluntary_ctxt_switches" => pulse.voluntary = number(value)?,
            b"nonvoluntary_ctxt_switches" => pulse.involuntary = number(value)?,
            _ => continue,
        }
        found += 1;
    }
    (found == 4).then_some(pulse)
}

/// A name as its owner set it.
pub(crate) fn comm(raw: &[u8]) -> String {
    text(&unescape(raw))
}

/// The whole look. `None` when it is no status file.
pub(crate) fn status(bytes: &[u8]) -> Option<Status> {
    let mut out = Status {
        comm: String::new(),
        state: TaskState::Unknown,
        tgid: Pid(0),
        parent: Pid(0),
        tracer: None,
        uid: None,
        ns_pids: Vec::new(),
        group: None,
        session: None,
        threads: 0,
        signals: Signals { pending: Address(0), blocked: Address(0), ignored: Address(0), caught: Address(0) },
        voluntary: 0,
        involuntary: 0,
    };
    let first_pid = |value| words(value).next().and_then(number).map(Pid);
    for (name, value) in fields(bytes) {
        match name {
            b"Name" => out.comm = comm(value),
            b"State" => out.state = state(value),
            b"Tgid" => out.tgid = Pid(number(value)?),
            b"PPid" => out.parent = Pid(number(value)?),
            b"TracerPid" => out.tracer = number(value).filter(|&pid| pid != 0).map(Pid),
            b"Uid" => out.uid = words(value).next().and_then(number),
            b"NSpid" => out.ns_pids = words(value).filter_map(number).collect(),
            b"NSpgid" => out.group = first_pid(value),
            b"NSsid" => out.session = first_pid(value),
            b"Threads" => out.threads = number(value)?,
            b"SigPnd" | b"ShdPnd" => out.signals.pending.0 |= hex(value)?,
            b"SigBlk" => out.signals.blocked = Address(hex(value)?),
            b"SigIgn" => out.signals.ignored = Address(hex(value)?),
            b"SigCgt" => out.signals.caught = Address(hex(value)?),
            b"voluntary_ctxt_switches" => out.voluntary = number(value)?,
            b"nonvoluntary_ctxt_switches" => out.involuntary = number(value)?,
            _ => {}
        }
    }
    (out.tgid.0 != 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "Name:\tevil) S: \\n(x\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4412\nNgid:\t0\nPid:\t4412\n\
        PPid:\t4390\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\nNStgid:\t4412\t7\nNSpid:\t4412\t7\nNSpgid:\t4400\t1\n\
        NSsid:\t4399\t1\nThreads:\t3\nSigPnd:\t0000000000000100\nShdPnd:\t0000000000000001\nSigBlk:\t0000000000000002\n\
        SigIgn:\t0000000000001000\nSigCgt:\t0000000000000004\nvoluntary_ctxt_switches:\t17\nnonvoluntary_ctxt_switches:\t4\n";

    #[test]
    fn a_hostile_name_stays_a_name() {
        let status = status(REAL.as_bytes()).unwrap();
        assert_eq!(status.comm, "evil) S: \n(x");
        assert_eq!((status.state, status.tgid, status.parent), (TaskState::S, Pid(4412), Pid(4390)));
        assert_eq!(
            (status.ns_pids.as_slice(), status.group, status.session),
            (&[4412, 7][..], Some(Pid(4400)), Some(Pid(4399)))
        );
        assert_eq!((status.signals.pending, status.signals.caught), (Address(0x101), Address(4)));
        assert_eq!((status.threads, status.tracer, status.uid), (3, None, Some(1000)));
    }

    #[test]
    fn the_short_look_agrees() {
        let pulse = pulse(REAL.as_bytes()).unwrap();
        assert_eq!((pulse.state, pulse.voluntary, pulse.involuntary), (TaskState::S, 17, 4));
        assert_eq!(comm(pulse.raw_comm), "evil) S: \n(x");
    }

    #[test]
    fn what_is_cut_off_is_no_sample() {
        assert_eq!(pulse(&REAL.as_bytes()[..60]), None);
        assert_eq!(status(b""), None);
    }
}
