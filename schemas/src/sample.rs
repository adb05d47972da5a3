//! One record of every kind, with every field set: for tests of whatever reads or writes records.
//! Not part of the public interface.

use crate::fact::{
    Access, Argument, Belonging, CgroupFact, EpollTarget, FdDetail, FdFact, FdLock, FileLockFact, FuseFact, Gap, Io,
    LimitFact, LimitKind, LockClass, LockFileFact, LockFileShape, LockMode, Maker, MessageQueueFact, MountFact,
    NamedProcess, Namespaces, PollFd, ProcessFact, SemaphoreFact, SemaphoreOperation, Signals, SocketFact,
    SocketFamily, SocketState, Syscall, TaskState, Terminal, ThreadFact,
};
use crate::record::{
    Action, Bystander, Call, Deed, Doer, ExitStatus, FileEvent, FileOp, FileWatch, KernelDeed, KernelEvent,
    LockOutcome, LockRequest, Lost, Output, PhaseClose, PhaseMeaning, PhaseOpen, PhaseState, Primitive,
    ProcessChange, ProcessEnd, ProcessStart, RunEnd, Sample, SignalAction, SnapshotBegin, SnapshotEnd,
    SnapshotExtent, Stream, ThreadSample, Trigger, TriggerReason, Visit, WatchedBy, Whose,
};
use crate::{
    Actor, Address, Big, CAPTURE_VERSION, ClockAnchor, Confidence, Device, Edge, Evidence, FactRef, Fd, Finding,
    FindingKind, FuseConnection, Observed, PhaseId, Pid, ProcessId, REPORT_VERSION, Record, Report, Resource,
    ResourceKey, RunHeader, RunNs, RunSummary, SnapshotId, ThreadId, Tid, Watched, When,
};

/// A number that JSON readers with 53 bits would round.
const LARGE: Big = Big(u64::MAX - 1);

/// A process.
pub fn process(pid: u32) -> ProcessId {
    ProcessId { pid: Pid(pid), start: Big(u64::from(pid) + 1_000_000) }
}

/// The first thread of a process.
pub fn thread(pid: u32) -> ThreadId {
    ThreadId::main_of(process(pid))
}

/// A moment in milliseconds.
pub fn ms(t: u64) -> When {
    When::exactly(RunNs(t * 1_000_000))
}

/// A run header.
pub fn header() -> RunHeader {
    RunHeader {
        format: CAPTURE_VERSION,
        hangdog: "0.1.0".to_owned(),
        run: "01JD3X5Z8Q6V7W9Y0A1B2C3D4E".to_owned(),
        host: "ci-7".to_owned(),
        kernel: "6.18.44".to_owned(),
        arch: "x86_64".to_owned(),
        boot_id: "6c5a3b1e-2f4d-4e8a-9b7c-1d2e3f4a5b6c".to_owned(),
        pid_namespace: Big(4_026_531_836),
        mount_namespace: Big(4_026_531_841),
        ticks_per_second: 100,
        page_size: 4096,
        uid: 1000,
        cpus: 2,
        command: vec!["cargo".to_owned(), "test".to_owned()],
        root: process(4390),
        observer: process(4380),
        cwd: "/home/u/project".to_owned(),
        environment: vec![("LANG".to_owned(), "C.UTF-8".to_owned())],
        anchor: anchor(0),
        options: vec!["--quiet-after=3s".to_owned()],
        terminal: Some(Device { major: 136, minor: 3 }),
        watched: Watched::Command,
    }
}

/// The clocks read together.
pub fn anchor(t: u64) -> ClockAnchor {
    ClockAnchor { t: ms(t).t, monotonic: LARGE, boottime: LARGE, realtime: Big(1_790_000_000_000_000_000) }
}

/// A phase that opens.
pub fn phase_open(t: u64, pid: u32, phase: u64, name: &str) -> PhaseOpen {
    PhaseOpen {
        when: ms(t),
        id: PhaseId { process: process(pid), phase: Big(phase) },
        parent: None,
        tid: Some(Tid(pid)),
        task: None,
        name: name.to_owned(),
        fields: Vec::new(),
        hang: PhaseMeaning::default(),
    }
}

/// A phase that closes.
pub fn phase_close(t: u64, pid: u32, phase: u64) -> PhaseClose {
    PhaseClose { when: ms(t), id: PhaseId { process: process(pid), phase: Big(phase) }, outcome: None }
}

fn memory() -> Vec<(u8, Observed<Argument>)> {
    let lock = Argument::FileLock { lock_type: 1, start: 0, len: -1 };
    let seen = [
        Argument::Path("mount/conversation \u{1b}[31m".to_owned()),
        Argument::PollFds(vec![PollFd { fd: -1, events: 1 }]),
        Argument::FdSet(vec![0, 7]),
        Argument::Time { ns: 5_000_000_000 },
        Argument::Words { values: vec![2, 0x8000_1126], shared: None },
        Argument::Words { values: vec![2], shared: Some("/dev/shm/counter".to_owned()) },
        Argument::SemaphoreOperations(vec![SemaphoreOperation { number: 1, add: -1 }]),
        lock,
        Argument::SocketAddress("[::1]:8080".to_owned()),
        Argument::SignalSet(Address(u64::MAX)),
    ];
    let missing = [Observed::TimedOut("__access_remote_vm".to_owned()), Observed::Denied, Observed::NotAsked];
    (0..).zip(seen.into_iter().map(Observed::Seen).chain(missing)).collect()
}

/// System calls: one of each shape.
pub fn syscalls() -> Vec<Syscall> {
    let (sp, pc) = (Address(0x7ffd_0000_1000), Address(0x7f00_0000_2000));
    let args = [Address(u64::MAX), Address(1), Address(2), Address(3), Address(4), Address(5)];
    vec![
        Syscall::Running,
        Syscall::None { sp, pc },
        Syscall::In { number: 257, name: "openat".to_owned(), args, sp, pc, memory: memory() },
        Syscall::In { number: 34, name: "pause".to_owned(), args, sp, pc, memory: Vec::new() },
    ]
}

/// What fdinfo can say: one of each.
pub fn fd_details() -> Vec<FdDetail> {
    vec![
        FdDetail::Plain,
        FdDetail::Epoll(vec![EpollTarget { fd: Fd(7), events: 1 << 31, inode: LARGE }]),
        FdDetail::Eventfd { count: LARGE, id: Some(3) },
        FdDetail::Timerfd { value_ns: 1, interval_ns: 0 },
        FdDetail::Signalfd { mask: Address(0x4000) },
        FdDetail::Pidfd { pid: Some(Pid(4412)) },
        FdDetail::Pidfd { pid: None },
        FdDetail::Inotify { watches: 2 },
        FdDetail::IoUring { to_submit: 1, completed: 2 },
        FdDetail::Userfaultfd { pending: 1, waiting: 2 },
        FdDetail::FuseServer { connection: Some(FuseConnection(41)) },
        FdDetail::FuseServer { connection: None },
        FdDetail::PtyMaster { index: 3 },
        FdDetail::UnixSocket { in_flight: 2 },
    ]
}

fn fd(detail: FdDetail) -> Record {
    let lock = FdLock {
        class: LockClass::Ofd,
        mode: LockMode::Write,
        pid: -1,
        device: Device { major: 8, minor: 1 },
        inode: LARGE,
        start: Big(0),
        end: None,
    };
    Record::Fd(Box::new(FdFact {
        snapshot: SnapshotId(1),
        process: process(4412),
        fd: Fd(17),
        target: "pipe:[81234]".to_owned(),
        inode: Some(Big(81234)),
        access: Some(Access::ReadWrite),
        flags: Some(0o4002),
        position: Some(0),
        mount: Some(15),
        detail,
        locks: vec![lock],
    }))
}

fn process_fact() -> ProcessFact {
    ProcessFact {
        snapshot: SnapshotId(1),
        when: When { t: RunNs(1_000_000), err: 10_000 },
        process: process(4412),
        belongs: Belonging::Run,
        comm: "indexd".to_owned(),
        state: TaskState::Traced,
        parent: Pid(4390),
        group: Pid(4390).into(),
        session: Observed::Denied,
        terminal: Some(Terminal { device: Device { major: 136, minor: 3 }, foreground: -1 }).into(),
        ns_pids: vec![4412, 7],
        tracer: Some(Pid(1)),
        uid: Some(1000),
        cmdline: vec!["indexd".to_owned(), "--port=0".to_owned()].into(),
        exe: "/usr/bin/indexd".to_owned().into(),
        cwd: Observed::Vanished,
        root: Observed::Unsupported,
        namespaces: Namespaces { mnt: LARGE, net: LARGE, pid: LARGE, user: LARGE, ipc: LARGE }.into(),
        cgroups: Observed::TimedOut("kernfs_iop_permission".to_owned()),
        frozen: Observed::Garbled("freezer says ?".to_owned()),
        signals: Signals {
            pending: Address(0),
            blocked: Address(u64::MAX),
            ignored: Address(0x1000),
            caught: Address(0x4000),
        }
        .into(),
        timers: 1.into(),
        io: Io { read: LARGE, ..Io::default() }.into(),
        threads: 12,
    }
}

fn thread_fact(syscall: Observed<Syscall>) -> Record {
    Record::Thread(Box::new(ThreadFact {
        snapshot: SnapshotId(1),
        when: ms(1),
        thread: thread(4412),
        comm: "tokio-rt-worker".to_owned(),
        state: TaskState::S,
        wchan: "request_wait_answer".to_owned().into(),
        stack: vec!["request_wait_answer".to_owned(), "fuse_simple_request".to_owned()].into(),
        syscall,
        voluntary_switches: 12,
        involuntary_switches: 3,
        cpu_ns: Some(1_234_567),
        children: vec![Pid(4413)],
    }))
}

fn socket(family: SocketFamily, state: SocketState) -> Record {
    Record::Socket(Box::new(SocketFact {
        snapshot: SnapshotId(1),
        netns: LARGE,
        inode: Big(81240),
        family,
        state,
        local: "127.0.0.1:8080".to_owned(),
        remote: "127.0.0.1:40312".to_owned(),
        receive_queue: Some(0),
        send_queue: Some(128),
        peer: Some(Big(81241)),
        pending: vec![Big(81242)],
        retransmits: Some(0),
    }))
}

fn deeds() -> Vec<Deed> {
    vec![
        Deed::Kill(process(4412)),
        Deed::Signal { process: process(4412), signal: 15 },
        Deed::AbortFuse(FuseConnection(41)),
        Deed::Detach { mount_point: "/mnt/x".to_owned() },
        Deed::Thaw { cgroup: "/user.slice".to_owned() },
        Deed::Reap(process(4412)),
        Deed::Left { what: "a mount".to_owned(), command: Some("fusermount3 -u /mnt/x".to_owned()) },
        Deed::Left { what: "a process".to_owned(), command: None },
    ]
}

/// A finding with everything set.
pub fn finding(kind: FindingKind) -> Finding {
    let actor = |pid: u32, comm: &str, phase: Option<&str>| Actor {
        pid: Pid(pid),
        tid: Tid(pid),
        task: None,
        comm: comm.to_owned(),
        phase: phase.map(str::to_owned),
    };
    let edge = Edge {
        waiter: actor(4412, "indexd", Some("POST /api/conversations/new > walk")),
        resource: Resource {
            kind: "fuse-reply".to_owned(),
            name: "/mnt/x/conversation".to_owned(),
            call: Some("openat(\"/mnt/x/conversation\")".to_owned()),
        },
        resolver: Some(actor(4390, "fuse.test", None)),
        confidence: Confidence::Certain,
        evidence: vec![Evidence {
            text: "fuse.test[4390] holds /dev/fuse of connection 41".to_owned(),
            facts: vec![FactRef::fd(SnapshotId(1), process(4390), Fd(5))],
        }],
    };
    let nobody = Edge { resolver: None, confidence: Confidence::Possible, ..edge.clone() };
    Finding {
        kind,
        confidence: Confidence::Likely,
        sentence: "deadlock through a FUSE mount: …".to_owned(),
        culprits: vec![actor(4390, "fuse.test", None)],
        edges: vec![edge, nobody],
        advice: vec!["serve the mount from a thread that waits for nobody".to_owned()],
        rescue: vec!["echo 1 > /sys/fs/fuse/connections/41/abort".to_owned()],
        unknown: vec!["kernel stacks need CAP_SYS_ADMIN".to_owned()],
        id: "deadlock-cycle-1".to_owned(),
        signature: "0123456789abcdef".to_owned(),
    }
}

/// A report with a verdict.
pub fn report() -> Report {
    Report {
        verdict: Some(finding(FindingKind::DeadlockCycle)),
        findings: vec![finding(FindingKind::DeadlockCycle), finding(FindingKind::LeakedMount)],
        run: RunSummary {
            id: "01JD3X5Z8Q6V7W9Y0A1B2C3D4E".to_owned(),
            command: vec!["cargo".to_owned(), "test".to_owned()],
            host: "ci-7".to_owned(),
            at: RunNs(9_000_000_000),
            last_progress: Some(RunNs(1_000_000_000)),
            progress: Some("output".to_owned()),
            capture: Some("run.hang".to_owned()),
            actions: vec!["killed 4412".to_owned()],
            missing: vec!["the file has no index".to_owned()],
        },
        comparison: None,
        schema: REPORT_VERSION,
    }
}

/// A report of a run with nothing wrong.
pub fn empty_report() -> Report {
    let full = report();
    let run = RunSummary {
        last_progress: None,
        progress: None,
        capture: None,
        actions: Vec::new(),
        missing: Vec::new(),
        ..full.run
    };
    Report { verdict: None, findings: Vec::new(), run, comparison: None, schema: REPORT_VERSION }
}

/// A capture with records of every kind and every shape of them, in an order in which they can be written.
pub fn records() -> Vec<Record> {
    let full_phase = PhaseOpen {
        parent: Some(LARGE),
        task: Some(LARGE),
        fields: vec![("path".to_owned(), "/tmp".to_owned())],
        hang: PhaseMeaning {
            wait: Some(ResourceKey::new("http", "127.0.0.1:8080")),
            hold: Some(ResourceKey::new("lock", "cache")),
            serve: Some(ResourceKey::new("fuse", "/mnt/x")),
            op: Some("register ws-1".to_owned()),
            entity: Some("run/3".to_owned()),
            link: Some("127.0.0.1:40312>127.0.0.1:8080".to_owned()),
            deadline_ms: Some(1000),
            primitive: Some(Primitive::AsyncRwLockWrite),
        },
        ..phase_open(1, 4412, 9, "walk")
    };
    let thread_sample = |state| ThreadSample {
        thread: thread(4412),
        comm: Some("indexd".to_owned()),
        state,
        cpu_ns: Some(5),
        vol: 1,
        invol: 0,
    };
    let states = [
        TaskState::R,
        TaskState::S,
        TaskState::D,
        TaskState::T,
        TaskState::Traced,
        TaskState::Z,
        TaskState::X,
        TaskState::I,
        TaskState::Unknown,
    ];
    let mut records = vec![
        Record::Run(Box::new(header())),
        Record::Anchor(anchor(1)),
        Record::ProcessStart(ProcessStart {
            when: When { t: RunNs(2_000_000), err: 100_000 },
            process: process(4412),
            parent: Pid(4390),
            comm: "sh".to_owned(),
        }),
        Record::ProcessChange(ProcessChange { when: ms(3), process: process(4412), comm: "indexd".to_owned() }),
        Record::Sample(Sample {
            when: ms(4),
            threads: states.into_iter().map(thread_sample).collect(),
            gone: vec![thread(4413)],
        }),
        Record::Sample(Sample { when: ms(5), ..Sample::default() }),
        Record::PhaseOpen(Box::new(full_phase)),
        Record::PhaseOpen(Box::new(phase_open(6, 4412, 10, "read"))),
        Record::PhaseState(PhaseState {
            when: ms(7),
            id: phase_close(7, 4412, 10).id,
            polled_now: false,
            polls: 3,
            left: Some(RunNs(6_500_000)),
        }),
        Record::PhaseState(PhaseState {
            when: ms(7),
            id: phase_close(7, 4412, 10).id,
            polled_now: true,
            polls: 4,
            left: None,
        }),
        Record::PhaseClose(PhaseClose { outcome: Some("ok".to_owned()), ..phase_close(7, 4412, 10) }),
        Record::Lost(Lost { when: ms(8), at: "queue".to_owned(), records: 3 }),
    ];
    for op in [FileOp::Create, FileOp::Open, FileOp::CloseWrite, FileOp::Rename, FileOp::Unlink] {
        records.push(Record::FileEvent(FileEvent {
            when: When { t: RunNs(9_000_000), err: 500_000 },
            op,
            path: "/home/u/project/target/.lock".to_owned(),
            to: Some("/home/u/project/target/lock".to_owned()),
            directory: true,
            pid: Some(Pid(4412)),
            comm: Some("rm".to_owned()),
            times: 2,
        }));
    }
    for (by, whose) in
        [(WatchedBy::Fanotify, Whose::Run), (WatchedBy::Inotify, Whose::Everybody), (WatchedBy::Nothing, Whose::Run)]
    {
        let (directory, why) = ("/home/u/project".to_owned(), Some("it is on nfs4".to_owned()));
        records.push(Record::FileWatch(FileWatch { when: ms(0), directory, by, whose, why }));
    }
    for stream in [Stream::Stdout, Stream::Stderr, Stream::Both] {
        records.push(Record::Output(Output { when: ms(9), stream, bytes: 12, text: Some("hello\n".to_owned()) }));
    }
    records.extend(kernel_events());
    records.push(call());
    records.push(visit());
    let reasons = [
        TriggerReason::Still,
        TriggerReason::Quiet,
        TriggerReason::Timeout,
        TriggerReason::Signal(15),
        TriggerReason::Demand,
        TriggerReason::End,
    ];
    for reason in reasons {
        let progress = "output".to_owned();
        records.push(Record::Trigger(Trigger { when: ms(10), reason, last_progress: ms(9).t, progress }));
    }
    records.extend(snapshot());
    records.extend(deeds().into_iter().map(|deed| Record::Action(Action { when: ms(20), deed, failed: None })));
    let deed = Deed::Thaw { cgroup: "/a".to_owned() };
    records.push(Record::Action(Action { when: ms(21), deed, failed: Some("EACCES".to_owned()) }));
    for how in [Some(ExitStatus::Code(-1)), Some(ExitStatus::Signal(9)), None] {
        records.push(Record::ProcessEnd(ProcessEnd { when: ms(22), process: process(4412), how }));
        let end = RunEnd { when: ms(23), how, ended_by_hangdog: true, cpu_ns: 1, own_cpu_ns: 2 };
        records.push(Record::RunEnd(end));
    }
    records.push(Record::Report(Box::new(empty_report())));
    records.push(Record::Report(Box::new(report())));
    records
}

/// A snapshot with facts of every kind and shape.
fn snapshot() -> Vec<Record> {
    let snapshot = SnapshotId(1);
    let begin = |extent| SnapshotBegin { when: ms(11), snapshot, extent, reason: TriggerReason::Quiet };
    let mut records = vec![
        Record::SnapshotBegin(begin(SnapshotExtent::Light)),
        Record::SnapshotBegin(begin(SnapshotExtent::Full)),
        Record::Process(Box::new(process_fact())),
        Record::Process(Box::new(ProcessFact {
            terminal: Observed::Seen(None),
            belongs: Belonging::Observer,
            group: Observed::NotAsked,
            cmdline: Observed::NotAsked,
            ..process_fact()
        })),
        Record::Bystander(Bystander {
            snapshot,
            process: process(1),
            comm: "init".to_owned(),
            state: TaskState::S,
            parent: Pid(0),
        }),
    ];
    records.extend(syscalls().into_iter().map(|call| thread_fact(call.into())));
    records.push(thread_fact(Observed::Garbled("3 words".to_owned())));
    records.extend(fd_details().into_iter().map(fd));
    records.push(Record::Mount(Box::new(MountFact {
        snapshot,
        namespace: LARGE,
        mount: 15,
        parent: 1,
        device: Device { major: 0, minor: 41 },
        root: "/".to_owned(),
        mount_point: "/mnt/x".to_owned(),
        fs_type: "fuse.test".to_owned(),
        source: "test".to_owned(),
        made_by_run: true,
    })));
    for waiting in [Observed::Seen(1), Observed::Denied] {
        let connection = FuseConnection(41);
        records.push(Record::Fuse(FuseFact { snapshot, connection, waiting, made_by_run: true }));
    }
    for (number, class) in (1..).zip([LockClass::Flock, LockClass::Posix, LockClass::Ofd, LockClass::Lease]) {
        records.push(Record::FileLock(FileLockFact {
            snapshot,
            number,
            waits: number == 2,
            class,
            mode: LockMode::Read,
            pid: -1,
            device: Device { major: 8, minor: 1 },
            inode: LARGE,
            start: Big(0),
            end: Some(LARGE),
        }));
    }
    for shape in [LockFileShape::File, LockFileShape::Directory, LockFileShape::Link] {
        records.push(Record::LockFile(Box::new(LockFileFact {
            snapshot,
            when: ms(1),
            path: "/tmp/publish.lock".to_owned(),
            shape,
            device: Device { major: 8, minor: 1 },
            inode: LARGE,
            age_ns: 5_000_000_000,
            text: "4412\n".to_owned().into(),
            named: vec![NamedProcess { pid: Pid(4412), exists: false }],
            maker: Some(Maker { pid: Pid(4412), comm: Some("publish".to_owned()), exists: false }),
        })));
    }
    let kinds = [LimitKind::Descriptors, LimitKind::InotifyInstances, LimitKind::Tasks, LimitKind::RunDirectory];
    records.extend(kinds.map(|limit| {
        Record::Limit(LimitFact {
            snapshot,
            limit,
            of: "4412".to_owned(),
            pid: Some(Pid(4412)),
            by_process: Some(LARGE),
            used: LARGE,
            most: LARGE,
        })
    }));
    records.push(Record::Cgroup(CgroupFact {
        snapshot,
        group: ":/ci/run".to_owned(),
        memory: Some(LARGE),
        memory_max: Some(LARGE),
        oom_kills: Some(Big(1)),
        throttled: Some(Big(2)),
        throttled_us: Some(LARGE),
        cpu_pressure: Some(1205),
        memory_pressure: Some(0),
        io_pressure: Some(10_000),
    }));
    records.push(Record::Semaphore(SemaphoreFact {
        snapshot,
        namespace: Some(LARGE),
        set: 5,
        number: 1,
        value: 0,
        waiting: 2,
        last: Pid(4412),
        made_by_run: true,
    }));
    records.push(Record::MessageQueue(MessageQueueFact {
        snapshot,
        namespace: Some(LARGE),
        queue: 7,
        messages: 2,
        bytes: 64,
        last_sender: Pid(4412),
        last_receiver: Pid(0),
        made_by_run: true,
    }));
    for family in [SocketFamily::Tcp, SocketFamily::Udp] {
        records.push(socket(family, SocketState::Listen));
    }
    for family in [SocketFamily::UnixStream, SocketFamily::UnixDatagram, SocketFamily::UnixSeqpacket] {
        records.push(socket(family, SocketState::Unknown));
    }
    for pid in [Some(Pid(4412)), None] {
        let why = Observed::TimedOut("rwsem_down_read_slowpath".to_owned());
        records.push(Record::Gap(Gap { snapshot, pid, what: "cmdline".to_owned(), why }));
    }
    records.push(Record::Gap(Gap { snapshot, pid: None, what: "fd".to_owned(), why: Observed::Seen(()) }));
    records.push(Record::SnapshotEnd(SnapshotEnd { when: ms(12), snapshot, stalls: 1 }));
    records
}

/// What the kernel's recorder sees, each in each shape.
fn call() -> Record {
    Record::Call(Box::new(Call {
        when: ms(9),
        pid: Pid(4412),
        tid: Tid(4413),
        parent: Pid(4390),
        inner: Some(Pid(12)),
        comm: "indexd".to_owned(),
        name: "openat".to_owned(),
        number: 257,
        paths: vec!["/tmp/x/leader".to_owned()],
        flags: vec!["O_WRONLY".to_owned(), "O_CREAT".to_owned()],
        address: Some("127.0.0.1:8080".to_owned()),
        fd: Some(Fd(5)),
        request: Some("GET /front".to_owned()),
        held_ns: 2_000_000,
    }))
}

fn visit() -> Record {
    Record::Visit(Box::new(Visit {
        when: ms(9),
        pid: Pid(4412),
        tid: Tid(4413),
        comm: "indexd".to_owned(),
        what: "write".to_owned(),
        object: "pipe".to_owned(),
        shared: Some("pipe:[77]".to_owned()),
        changes: true,
        held_ns: 2_000_000,
    }))
}

fn kernel_events() -> Vec<Record> {
    let (comm, connection) = ("indexd".to_owned(), FuseConnection(41));
    let lock = |asks, outcome| KernelDeed::FileLock {
        class: LockClass::Flock,
        asks,
        outcome,
        device: Device { major: 8, minor: 1 },
        inode: LARGE,
    };
    let taken = |action| KernelDeed::SignalTaken { signal: 11, code: 1, action };
    let deeds = [
        KernelDeed::FuseSend { connection, unique: LARGE, opcode: "LOOKUP".to_owned() },
        KernelDeed::FuseEnd { connection, unique: LARGE, error: -103 },
        KernelDeed::Futex { op: "WAIT".to_owned(), uaddr: Address(u64::MAX), val: 2 },
        KernelDeed::Wake { woken: Tid(4413), comm: comm.clone() },
        KernelDeed::Fork { child: Tid(4414), comm: comm.clone() },
        KernelDeed::Exec { file: "/bin/true".to_owned(), was: None },
        KernelDeed::Exec { file: "/bin/true".to_owned(), was: Some(Tid(4415)) },
        KernelDeed::ExitCall { code: -1 },
        KernelDeed::Exit { comm: comm.clone(), last: Some(true) },
        KernelDeed::Exit { comm: comm.clone(), last: None },
        KernelDeed::SignalSent { signal: 9, code: 0, target: Tid(4413), comm, result: 0 },
        taken(SignalAction::Default),
        taken(SignalAction::Handler),
        lock(LockRequest::Read, LockOutcome::Done),
        lock(LockRequest::Write, LockOutcome::Waits),
        lock(LockRequest::Unlock, LockOutcome::Failed(35)),
        KernelDeed::SocketState {
            local: "127.0.0.1:8080".to_owned(),
            remote: "127.0.0.1:40312".to_owned(),
            from: SocketState::SynRecv,
            to: SocketState::Established,
        },
        KernelDeed::Syscall { number: 0, name: "read".to_owned(), args: [Address(u64::MAX); 6] },
        KernelDeed::SyscallEnd { number: 0, name: "read".to_owned(), result: -4 },
        KernelDeed::Other { name: "filelock:break_lease_block".to_owned(), text: "i_ino=7".to_owned() },
    ];
    let event = |(what, by)| Record::KernelEvent(KernelEvent { when: ms(9), tid: Tid(4412), by, what });
    deeds.into_iter().zip([Doer::Thread, Doer::Interrupt].into_iter().cycle()).map(event).collect()
}
