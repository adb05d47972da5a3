//! A capture made by hand: a walk into one's own FUSE mount, with a pipe reader, a child and an old server beside it.
//!
//! `fuse.test` serves a mount in its thread `fuse-loop` and writes to it from its main thread. Closing the file
//! becomes FLUSH, FLUSH becomes a POST to `indexd`, and the POST walks the directory under which the mount lies.

mod facts;
mod life;
mod report;

use hangdog_schemas::record::{Action, Deed, ExitStatus, ProcessEnd, RunEnd, SnapshotExtent, Trigger, TriggerReason};
use hangdog_schemas::{
    Big, CAPTURE_VERSION, ClockAnchor, FuseConnection, Pid, ProcessId, Record, RunHeader, RunNs, ThreadId, Tid,
    Watched, When,
};

use facts::snapshot;
use life::{lives, outputs, phases, samples};
#[cfg(test)]
pub(crate) use report::nothing;
pub(crate) use report::report;

const MOUNT: &str = "/tmp/it-7/mount";
const TEST: u32 = 4390;
const LOOP: u32 = 4391;
const SERVER: u32 = 4412;
const WORKER: u32 = 4413;
const WALKER: u32 = 4414;
const SHELL: u32 = 4431;
const DOOMED: u32 = 4402;

fn at(ms: u64) -> When {
    When::exactly(RunNs(ms * 1_000_000))
}

fn process(pid: u32) -> ProcessId {
    ProcessId { pid: Pid(pid), start: Big(u64::from(pid) * 10) }
}

fn thread(pid: u32, tid: u32) -> ThreadId {
    ThreadId { process: process(pid), tid: Tid(tid) }
}

/// The first line alone.
pub(crate) fn header() -> Record {
    let anchor = ClockAnchor { t: RunNs(0), monotonic: Big(1), boottime: Big(1), realtime: Big(1_790_000_000) };
    Record::Run(Box::new(RunHeader {
        format: CAPTURE_VERSION,
        hangdog: "0.1.0".to_owned(),
        run: "01K0EXAMPLE000000000000000".to_owned(),
        host: "build-17".to_owned(),
        kernel: "6.18.44".to_owned(),
        arch: "x86_64".to_owned(),
        boot_id: "b3c1f7aa-0000-4000-8000-000000000000".to_owned(),
        pid_namespace: Big(4_026_531_836),
        mount_namespace: Big(4_026_531_832),
        ticks_per_second: 100,
        page_size: 4096,
        uid: 1000,
        cpus: 8,
        command: ["cargo", "test", "--test", "fuse", "--", "send_creates_a_conversation"].map(str::to_owned).to_vec(),
        root: process(4380),
        observer: process(4379),
        cwd: "/home/ci/chat".to_owned(),
        environment: Vec::new(),
        anchor,
        options: vec!["--quiet-after=10s".to_owned()],
        terminal: None,
        watched: Watched::Command,
    }))
}

/// All records, in the order in which a collector would have written them.
pub(crate) fn records() -> Vec<Record> {
    let mut records = vec![header()];
    lives(&mut records);
    phases(&mut records);
    samples(&mut records);
    outputs(&mut records);
    snapshot(&mut records, 1, 7_000, SnapshotExtent::Light, TriggerReason::Still);
    let quiet = Trigger {
        when: at(16_000),
        reason: TriggerReason::Quiet,
        last_progress: at(5_900).t,
        progress: "phase walk".to_owned(),
    };
    records.push(Record::Trigger(quiet));
    snapshot(&mut records, 2, 16_050, SnapshotExtent::Full, TriggerReason::Quiet);
    for (ms, deed) in [
        (16_400, Deed::Kill(process(TEST))),
        (16_410, Deed::Kill(process(SERVER))),
        (16_450, Deed::AbortFuse(FuseConnection(41))),
        (16_500, Deed::Detach { mount_point: MOUNT.to_owned() }),
    ] {
        records.push(Record::Action(Action { when: at(ms), deed, failed: None }));
    }
    for pid in [TEST, SERVER, SHELL] {
        let how = Some(ExitStatus::Signal(9));
        records.push(Record::ProcessEnd(ProcessEnd { when: at(16_600), process: process(pid), how }));
    }
    let how = Some(ExitStatus::Code(101));
    records.push(Record::ProcessEnd(ProcessEnd { when: at(16_900), process: process(4380), how }));
    records.push(Record::RunEnd(RunEnd {
        when: at(17_000),
        how,
        ended_by_hangdog: true,
        cpu_ns: 3_400_000_000,
        own_cpu_ns: 21_000_000,
    }));
    records
}
