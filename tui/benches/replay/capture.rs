//! A large capture, made by arithmetic: the same one on every machine.
//!
//! ```text
//! 40 processes ── 60 threads each ── two levels of phases ──▶ 7,200 lanes
//!              └─ 40 async tasks each ── two levels ────────▶ 4,800 lanes
//! ```

use hangdog_schemas::fact::{Belonging, ProcessFact, Syscall, TaskState, ThreadFact};
use hangdog_schemas::file::Writer;
use hangdog_schemas::record::{
    KernelDeed, KernelEvent, Output, PhaseClose, PhaseMeaning, PhaseOpen, ProcessStart, Sample, SnapshotBegin,
    SnapshotEnd, SnapshotExtent, Stream, ThreadSample, Trigger, TriggerReason,
};
use hangdog_schemas::{
    Address, Big, CAPTURE_VERSION, ClockAnchor, Observed, PhaseId, Pid, ProcessId, Record, RunHeader, RunNs,
    SnapshotId, ThreadId, Tid, Watched, When,
};

const PROCESSES: u32 = 40;
const THREADS: u32 = 60;
const TASKS: u32 = 40;

/// Nanoseconds of the run.
const LENGTH: u64 = 60_000_000_000;

/// How much a capture holds.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Begins and ends together.
    pub(crate) phase_records: u64,
    pub(crate) kernel_events: u64,
}

fn process(n: u32) -> ProcessId {
    ProcessId { pid: Pid(1_000 + n * 100), start: Big(u64::from(n) + 1) }
}

fn thread(n: u32, of: u32) -> ThreadId {
    let process = process(n);
    ThreadId { process, tid: Tid(process.pid.0 + of) }
}

fn header() -> Record {
    Record::Run(Box::new(RunHeader {
        format: CAPTURE_VERSION,
        hangdog: "0.1.0".to_owned(),
        run: "01K0LARGE00000000000000000".to_owned(),
        host: "bench".to_owned(),
        kernel: "6.18".to_owned(),
        arch: "x86_64".to_owned(),
        boot_id: "b3c1f7aa-0000-4000-8000-000000000000".to_owned(),
        pid_namespace: Big(4_026_531_836),
        mount_namespace: Big(4_026_531_832),
        ticks_per_second: 100,
        page_size: 4096,
        uid: 1000,
        cpus: 8,
        command: vec!["large".to_owned()],
        root: process(0),
        observer: ProcessId { pid: Pid(9), start: Big(1) },
        cwd: "/".to_owned(),
        environment: Vec::new(),
        anchor: ClockAnchor { t: RunNs(0), monotonic: Big(1), boottime: Big(1), realtime: Big(1) },
        options: Vec::new(),
        terminal: None,
        watched: Watched::Command,
    }))
}

/// Gives the records of a capture, in the order of time, one after the other.
pub(crate) fn records(size: Size, mut take: impl FnMut(Record)) {
    take(header());
    for n in 0..PROCESSES {
        let parent = if n == 0 { Pid(9) } else { process((n - 1) / 3).pid };
        let comm = format!("worker-{n}");
        let when = When::exactly(RunNs(u64::from(n) * 1_000));
        take(Record::ProcessStart(ProcessStart { when, process: process(n), parent, comm }));
    }
    let mut phases = Phases::new(size.phase_records);
    let (steps, mut kernel, mut step) = (3_000, 0, 0);
    while step < steps {
        let t = LENGTH / steps * step;
        if step.is_multiple_of(10) {
            take(sample(t, step));
        }
        if step.is_multiple_of(100) {
            let when = When::exactly(RunNs(t + 1));
            take(Record::Output(Output { when, stream: Stream::Stdout, bytes: 64, text: None }));
        }
        phases.until(t, step, steps, &mut take);
        while kernel < size.kernel_events * (step + 1) / steps {
            take(kernel_event(t, kernel));
            kernel += 1;
        }
        if step == steps / 2 {
            snapshot(1, t + 2, SnapshotExtent::Light, &mut take);
        }
        step += 1;
    }
    let when = When::exactly(RunNs(LENGTH - 10_000_000));
    let progress = "output".to_owned();
    take(Record::Trigger(Trigger { when, reason: TriggerReason::Quiet, last_progress: RunNs(LENGTH / 2), progress }));
    snapshot(2, LENGTH - 9_000_000, SnapshotExtent::Full, &mut take);
}

/// Begins and ends of phases: each owner is in an outer phase all the time, and in one inner phase after the other.
struct Phases {
    owners: u64,
    /// Phases of each owner.
    each: u64,
    done: u64,
}

impl Phases {
    fn new(records: u64) -> Self {
        let owners = u64::from(PROCESSES * (THREADS + TASKS));
        Self { owners, each: (records / 2 / owners).max(1), done: 0 }
    }

    fn until(&mut self, t: u64, step: u64, steps: u64, take: &mut impl FnMut(Record)) {
        let wanted = self.each * (step + 1) / steps;
        while self.done < wanted {
            for owner in 0..self.owners {
                // Owners take turns a little after each other.
                self.one(owner, self.done, t + owner * 7, take);
            }
            self.done += 1;
        }
    }

    fn one(&self, owner: u64, nth: u64, t: u64, take: &mut impl FnMut(Record)) {
        let per_process = u64::from(THREADS + TASKS);
        let (n, of) = ((owner / per_process) as u32, (owner % per_process) as u32);
        let phase = |nth: u64| PhaseId { process: process(n), phase: Big(u64::from(of) * self.each + nth + 1) };
        let (tid, task) = if of < THREADS {
            (Some(thread(n, of).tid), None)
        } else {
            (Some(thread(n, of % THREADS).tid), Some(Big(u64::from(of - THREADS))))
        };
        let close =
            |t, nth| Record::PhaseClose(PhaseClose { when: When::exactly(RunNs(t)), id: phase(nth), outcome: None });
        if nth > 1 {
            take(close(t, nth - 1));
        }
        let (name, parent) = match nth {
            0 => ("serve".to_owned(), None),
            nth => (format!("step {} of the work", (owner + nth) % 200), Some(phase(0).phase)),
        };
        take(Record::PhaseOpen(Box::new(PhaseOpen {
            when: When::exactly(RunNs(t + 1)),
            id: phase(nth),
            parent,
            tid,
            task,
            name,
            fields: Vec::new(),
            hang: PhaseMeaning::default(),
        })));
    }
}

/// A tenth of the threads changes with each sample.
fn sample(t: u64, step: u64) -> Record {
    let mut threads = Vec::new();
    for n in 0..PROCESSES {
        for of in (0..THREADS).filter(|of| step == 0 || (u64::from(of + n) + step / 10).is_multiple_of(10)) {
            threads.push(ThreadSample {
                thread: thread(n, of),
                comm: (step == 0).then(|| format!("pool-{of}")),
                state: if (u64::from(of) + step / 10).is_multiple_of(3) { TaskState::R } else { TaskState::S },
                cpu_ns: Some(step * 1_000),
                vol: step,
                invol: 0,
            });
        }
    }
    Record::Sample(Sample { when: When::exactly(RunNs(t)), threads, gone: Vec::new() })
}

fn kernel_event(t: u64, n: u64) -> Record {
    let thread = thread((n % u64::from(PROCESSES)) as u32, (n % u64::from(THREADS)) as u32);
    Record::KernelEvent(KernelEvent {
        when: When::exactly(RunNs(t + n % 1_000)),
        tid: thread.tid,
        by: hangdog_schemas::record::Doer::Thread,
        what: KernelDeed::Futex { op: "WAIT".to_owned(), uaddr: Address(0x7f00_0000_0000 + n), val: 2 },
    })
}

fn snapshot(id: u32, t: u64, extent: SnapshotExtent, take: &mut impl FnMut(Record)) {
    let (snapshot, when) = (SnapshotId(id), When::exactly(RunNs(t)));
    take(Record::SnapshotBegin(SnapshotBegin { when, snapshot, extent, reason: TriggerReason::Quiet }));
    for n in 0..PROCESSES {
        take(Record::Process(Box::new(process_fact(snapshot, when, n))));
        for of in 0..THREADS {
            take(Record::Thread(Box::new(thread_fact(snapshot, when, n, of))));
        }
    }
    take(Record::SnapshotEnd(SnapshotEnd { when, snapshot, stalls: 0 }));
}

fn process_fact(snapshot: SnapshotId, when: When, n: u32) -> ProcessFact {
    ProcessFact {
        snapshot,
        when,
        process: process(n),
        belongs: if n == 0 { Belonging::Root } else { Belonging::Run },
        comm: format!("worker-{n}"),
        state: TaskState::S,
        parent: if n == 0 { Pid(9) } else { process((n - 1) / 3).pid },
        group: Observed::NotAsked,
        session: Observed::NotAsked,
        terminal: Observed::NotAsked,
        ns_pids: Vec::new(),
        tracer: None,
        uid: Some(1000),
        cmdline: Observed::NotAsked,
        exe: Observed::NotAsked,
        cwd: Observed::NotAsked,
        root: Observed::NotAsked,
        namespaces: Observed::NotAsked,
        cgroups: Observed::NotAsked,
        frozen: Observed::NotAsked,
        signals: Observed::NotAsked,
        timers: Observed::NotAsked,
        io: Observed::NotAsked,
        threads: THREADS,
    }
}

/// Half of the threads read a pipe, the others wait for a futex.
fn thread_fact(snapshot: SnapshotId, when: When, n: u32, of: u32) -> ThreadFact {
    let (number, name, first) = if of.is_multiple_of(2) { (202, "futex", 0x7f00_0000_1000) } else { (0, "read", 3) };
    let zero = Address(0);
    let syscall = Syscall::In {
        number,
        name: name.to_owned(),
        args: [Address(first), zero, zero, zero, zero, zero],
        sp: Address(0x7ffd_1000),
        pc: Address(0x7f00_2000),
        memory: Vec::new(),
    };
    ThreadFact {
        snapshot,
        when,
        thread: thread(n, of),
        comm: format!("pool-{of}"),
        state: TaskState::S,
        wchan: Observed::Seen("futex_do_wait".to_owned()),
        stack: Observed::Denied,
        syscall: Observed::Seen(syscall),
        voluntary_switches: 5,
        involuntary_switches: 0,
        cpu_ns: Some(1_000),
        children: Vec::new(),
    }
}

/// The capture as a file, and how long its text is.
pub(crate) fn file(size: Size) -> (Vec<u8>, u64) {
    let mut writer = Writer::new(Vec::new()).expect("a compressor");
    let mut text = 0;
    records(size, |record| {
        text += serde_json::to_vec(&record).map_or(0, |line| line.len() as u64 + 1);
        writer.write(&record).expect("memory takes everything");
    });
    (writer.finish().expect("memory takes everything"), text)
}
