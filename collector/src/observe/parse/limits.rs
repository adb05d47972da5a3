//! `/proc/PID/limits`, `/proc/PID/io`, and files of control groups.

use hangdog_schemas::Big;
use hangdog_schemas::fact::{CgroupFact, Io};

use super::text::{lines, number, words};

/// The soft limit of `Max open files`; `None` when there is none.
pub(crate) fn most_descriptors(bytes: &[u8]) -> Option<u64> {
    let line = lines(bytes).find_map(|line| line.strip_prefix(b"Max open files"))?;
    words(line).next().and_then(number)
}

/// Lines of `name: number`.
pub(crate) fn io(bytes: &[u8]) -> Option<Io> {
    let field = |name: &[u8]| lines(bytes).find_map(|line| number(line.strip_prefix(name)?.trim_ascii())).map(Big);
    Some(Io {
        read: field(b"rchar:")?,
        written: field(b"wchar:")?,
        reads: field(b"syscr:")?,
        writes: field(b"syscw:")?,
        // Without CONFIG_TASK_IO_ACCOUNTING they are missing.
        from_disk: field(b"read_bytes:").unwrap_or(Big(0)),
        to_disk: field(b"write_bytes:").unwrap_or(Big(0)),
    })
}

/// Files of a control group of version 2, and those of version 1 that say the same.
pub(crate) const CGROUP_FILES: [&str; 10] = [
    "memory.current",
    "memory.max",
    "memory.events",
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.oom_control",
    "cpu.stat",
    "cpu.pressure",
    "memory.pressure",
    "io.pressure",
];

/// Takes in what one of these files says.
pub(crate) fn cgroup(fact: &mut CgroupFact, file: &str, bytes: &[u8]) {
    let value = || number::<u64>(bytes.trim_ascii()).map(Big);
    let field = |name: &str| {
        lines(bytes).find_map(|line| {
            let mut words = words(line);
            (words.next() == Some(name.as_bytes())).then(|| words.next().and_then(number::<u64>))?
        })
    };
    match file {
        "memory.current" | "memory.usage_in_bytes" => fact.memory = value(),
        "memory.max" => fact.memory_max = value(),
        // Without a limit version 1 says a number of almost 2^63.
        "memory.limit_in_bytes" => fact.memory_max = value().filter(|most| most.0 < 1 << 62),
        "memory.events" | "memory.oom_control" => fact.oom_kills = field("oom_kill").map(Big),
        "cpu.stat" => {
            fact.throttled = field("nr_throttled").map(Big);
            let v1 = || field("throttled_time").map(|ns| ns / 1000);
            fact.throttled_us = field("throttled_usec").or_else(v1).map(Big);
        }
        "cpu.pressure" => fact.cpu_pressure = pressure(bytes),
        "memory.pressure" => fact.memory_pressure = pressure(bytes),
        "io.pressure" => fact.io_pressure = pressure(bytes),
        _ => {}
    }
}

/// `some avg10=1.23 avg60=0.00 avg300=0.00 total=123` is 123.
fn pressure(bytes: &[u8]) -> Option<u32> {
    let some = lines(bytes).find_map(|line| line.strip_prefix(b"some "))?;
    let average = words(some).find_map(|word| word.strip_prefix(b"avg10="))?;
    let (whole, part) = average.split_at(average.iter().position(|&byte| byte == b'.')?);
    Some(number::<u32>(whole)? * 100 + number::<u32>(&part[1..])?)
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::SnapshotId;

    use super::*;

    #[test]
    fn files_of_a_process() {
        let limits = b"Limit                     Soft Limit           Hard Limit           Units     \n\
                       Max open files            1024                 524288               files     \n\
                       Max locked memory         unlimited            unlimited            bytes     \n";
        assert_eq!(most_descriptors(limits), Some(1024));
        assert_eq!(
            most_descriptors(b"Max open files            unlimited            unlimited            files"),
            None
        );
        let found = io(b"rchar: 10\nwchar: 20\nsyscr: 1\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 0\n").unwrap();
        assert_eq!((found.read, found.writes, found.from_disk), (Big(10), Big(2), Big(4096)));
        assert_eq!(io(b"rchar: 10\n"), None);
    }

    #[test]
    fn files_of_control_groups() {
        let new = || CgroupFact::new(SnapshotId(1), ":/ci".to_owned());
        let mut fact = new();
        for (file, text) in [
            ("memory.current", "4096\n"),
            ("memory.max", "max\n"),
            ("memory.events", "low 0\noom 3\noom_kill 2\n"),
            ("cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 4\nthrottled_usec 77\n"),
            (
                "cpu.pressure",
                "some avg10=12.05 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00 avg60=0 avg300=0 total=0\n",
            ),
        ] {
            cgroup(&mut fact, file, text.as_bytes());
        }
        let expected = CgroupFact {
            memory: Some(Big(4096)),
            oom_kills: Some(Big(2)),
            throttled: Some(Big(4)),
            throttled_us: Some(Big(77)),
            cpu_pressure: Some(1205),
            ..new()
        };
        assert_eq!(fact, expected);
        cgroup(&mut fact, "memory.limit_in_bytes", b"9223372036854771712\n");
        assert_eq!(fact.memory_max, None);
        cgroup(&mut fact, "cpu.stat", b"nr_periods 1\nnr_throttled 1\nthrottled_time 3000\n");
        assert_eq!(fact.throttled_us, Some(Big(3)));
    }
}
