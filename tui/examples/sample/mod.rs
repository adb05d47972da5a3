//! A capture made by hand: a walk into one's own FUSE mount, with a pipe reader, a child and an old server beside it.
//!
//! `fuse.test` serves a mount in its thread `fuse-loop` and writes to it from its main thread. Closing the file
//! becomes FLUSH, FLUSH becomes a POST to `indexd`, and the POST walks the directory under which the mount lies.

use hangdog_schemas::fact::{
    Access, Argument, Belonging, EpollTarget, FdDetail, FdFact, FdLock, FileLockFact, FuseFact, Gap, LockClass,
    LockMode, MountFact, ProcessFact, SocketFact, SocketFamily, SocketState, Syscall, TaskState, ThreadFact,
};
use hangdog_schemas::record::{
    Action, Deed, ExitStatus, Output, PhaseClose, PhaseMeaning, PhaseOpen, ProcessChange, ProcessEnd, ProcessStart,
    RunEnd, Sample, SnapshotBegin, SnapshotEnd, SnapshotExtent, Stream, ThreadSample, Trigger, TriggerReason,
};
use hangdog_schemas::{
    Actor, Address, Big, CAPTURE_VERSION, ClockAnchor, Confidence, Device, Edge, Evidence, FactRef, Fd, Finding,
    FindingKind, FuseConnection, Observed, PhaseId, Pid, ProcessId, REPORT_VERSION, Record, Report, Resource,
    ResourceKey, RunHeader, RunNs, RunSummary, SnapshotId, ThreadId, Tid, Watched, When,
};

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

fn lives(records: &mut Vec<Record>) {
    for (ms, pid, parent, comm) in [
        (0, 4380, 4379, "cargo"),
        (1_200, TEST, 4380, "fuse.test"),
        (2_000, DOOMED, TEST, "fusermount3"),
        (2_300, SERVER, TEST, "indexd"),
        (3_100, SHELL, SERVER, "sh"),
    ] {
        let start = ProcessStart { when: at(ms), process: process(pid), parent: Pid(parent), comm: comm.to_owned() };
        records.push(Record::ProcessStart(start));
    }
    records.push(Record::ProcessChange(ProcessChange {
        when: at(3_150),
        process: process(SHELL),
        comm: "git".to_owned(),
    }));
    let how = Some(ExitStatus::Code(0));
    records.push(Record::ProcessEnd(ProcessEnd { when: at(2_200), process: process(DOOMED), how }));
}

struct Bar(u32, u32, Option<u64>, u64, Option<u64>, u64, Option<u64>, &'static str);

fn phases(records: &mut Vec<Record>) {
    // pid, tid, task, number, parent, begin, end, name
    let bars = [
        Bar(TEST, TEST, None, 1, None, 1_300, None, "test send_creates_a_conversation"),
        Bar(TEST, TEST, None, 2, Some(1), 1_900, Some(2_250), "mount"),
        Bar(TEST, TEST, None, 3, Some(1), 2_260, Some(4_000), "start indexd"),
        Bar(TEST, TEST, None, 4, Some(1), 4_200, None, "write send"),
        Bar(TEST, LOOP, None, 5, None, 4_300, Some(4_420), "LOOKUP send"),
        Bar(TEST, LOOP, None, 6, None, 4_440, None, "FLUSH send"),
        Bar(TEST, LOOP, None, 7, Some(6), 4_500, None, "POST /api/conversations/new"),
        Bar(SERVER, WALKER, Some(7), 1, None, 4_510, None, "POST /api/conversations/new"),
        Bar(SERVER, WALKER, Some(7), 2, Some(1), 4_600, Some(5_100), "load settings"),
        Bar(SERVER, WALKER, Some(7), 3, Some(1), 5_200, None, "walk /tmp"),
        Bar(SERVER, WORKER, None, 4, None, 2_600, Some(3_900), "open index"),
        Bar(SERVER, WORKER, None, 5, None, 4_000, Some(4_400), "GET /health"),
    ];
    let mut lines: Vec<(u64, Record)> = Vec::new();
    for Bar(pid, tid, task, number, parent, begin, end, name) in bars {
        let id = PhaseId { process: process(pid), phase: Big(number) };
        let mut hang = PhaseMeaning::default();
        let mut fields = Vec::new();
        if name == "FLUSH send" {
            hang.serve = Some(ResourceKey::new("fuse", MOUNT));
        }
        if name.starts_with("POST") && pid == TEST {
            hang.wait = Some(ResourceKey::new("http", "127.0.0.1:8080"));
        }
        if name.starts_with("POST") && pid == SERVER {
            hang.serve = Some(ResourceKey::new("http", "127.0.0.1:8080"));
            fields.push(("method".to_owned(), "POST".to_owned()));
        }
        let open = PhaseOpen {
            when: at(begin),
            id,
            parent: parent.map(Big),
            tid: Some(Tid(tid)),
            task: task.map(Big),
            name: name.to_owned(),
            fields,
            hang,
        };
        lines.push((begin, Record::PhaseOpen(Box::new(open))));
        if let Some(end) = end {
            lines.push((end, Record::PhaseClose(PhaseClose { when: at(end), id, outcome: Some("ok".to_owned()) })));
        }
    }
    lines.sort_by_key(|(ms, _)| *ms);
    records.extend(lines.into_iter().map(|(_, record)| record));
}

fn samples(records: &mut Vec<Record>) {
    use TaskState::{D, R, S};
    // pid, tid, name, begin, then (until, state): woken at each sample of a state that is followed by `~`.
    type Row = (u32, u32, &'static str, u64, &'static [(u64, TaskState, bool)]);
    let rows: [Row; 8] = [
        (4380, 4380, "cargo", 0, &[(1_200, R, true), (17_000, S, false)]),
        (TEST, TEST, "fuse.test", 1_200, &[(2_000, R, true), (4_000, S, true), (4_400, R, true), (17_000, S, false)]),
        (TEST, LOOP, "fuse-loop", 1_800, &[(4_300, S, true), (4_600, R, true), (17_000, S, false)]),
        (DOOMED, DOOMED, "fusermount3", 2_000, &[(2_200, R, true)]),
        (SERVER, SERVER, "indexd", 2_300, &[(2_800, R, true), (17_000, S, false)]),
        (SERVER, WORKER, "tokio-rt-worker", 2_500, &[(3_900, D, true), (4_600, R, true), (17_000, S, true)]),
        (SERVER, WALKER, "blocking-1", 4_500, &[(5_900, R, true), (17_000, S, false)]),
        (SHELL, SHELL, "git", 3_100, &[(3_400, R, true), (17_000, S, false)]),
    ];
    for ms in (0..16_600).step_by(200) {
        let mut sample = Sample { when: at(ms), ..Sample::default() };
        for (pid, tid, name, begin, states) in &rows {
            let end = states.last().map_or(0, |last| last.0);
            if ms < *begin || ms >= end {
                if ms >= end && ms < end + 200 {
                    sample.gone.push(thread(*pid, *tid));
                }
                continue;
            }
            let now = states.iter().position(|(until, _, _)| ms < *until).unwrap_or(0);
            let before = ms.checked_sub(200).filter(|before| before >= begin);
            let then = before.and_then(|before| states.iter().position(|(until, _, _)| before < *until));
            // Woken every other second or so, so that a lane is not the same all over.
            let woken = states[now].2 && (ms / 200 + u64::from(*tid)) % 3 != 0;
            if then == Some(now) && !woken {
                continue;
            }
            sample.threads.push(ThreadSample {
                thread: thread(*pid, *tid),
                comm: then.is_none().then(|| (*name).to_owned()),
                state: states[now].1,
                cpu_ns: Some(ms * 40_000),
                vol: ms / 10,
                invol: ms / 1000,
            });
        }
        records.push(Record::Sample(sample));
    }
}

fn outputs(records: &mut Vec<Record>) {
    for (ms, bytes) in [(300, 412), (1_250, 90), (2_350, 64), (4_100, 38)] {
        records.push(Record::Output(Output { when: at(ms), stream: Stream::Both, bytes, text: None }));
    }
}

fn snapshot(records: &mut Vec<Record>, number: u32, ms: u64, extent: SnapshotExtent, reason: TriggerReason) {
    let snapshot = SnapshotId(number);
    records.push(Record::SnapshotBegin(SnapshotBegin { when: at(ms), snapshot, extent, reason }));
    for (pid, parent, comm, command, threads) in [
        (4380, 4379, "cargo", "cargo test --test fuse -- send_creates_a_conversation", 1),
        (TEST, 4380, "fuse.test", "target/debug/deps/fuse-3f1c send_creates_a_conversation", 2),
        (SERVER, TEST, "indexd", "target/debug/indexd --port 8080", 3),
        (SHELL, SERVER, "git", "git status --porcelain", 1),
        (901, 1, "postgres", "postgres -D /var/lib/postgres", 1),
    ] {
        records.push(Record::Process(Box::new(ProcessFact {
            snapshot,
            when: at(ms + 2),
            process: process(pid),
            belongs: match pid {
                4380 => Belonging::Root,
                901 => Belonging::Outside,
                _ => Belonging::Run,
            },
            comm: comm.to_owned(),
            state: TaskState::S,
            parent: Pid(parent),
            group: Observed::Seen(Pid(4380)),
            session: Observed::Seen(Pid(4300)),
            terminal: Observed::Seen(None),
            ns_pids: vec![pid],
            tracer: None,
            uid: Some(1000),
            cmdline: if pid == 901 {
                Observed::Denied
            } else {
                Observed::Seen(command.split(' ').map(str::to_owned).collect())
            },
            exe: Observed::Seen(format!("/home/ci/chat/{}", command.split(' ').next().unwrap_or_default())),
            cwd: Observed::Seen("/home/ci/chat".to_owned()),
            root: Observed::Seen("/".to_owned()),
            namespaces: Observed::NotAsked,
            cgroups: Observed::NotAsked,
            frozen: Observed::Seen(false),
            signals: Observed::NotAsked,
            timers: Observed::NotAsked,
            io: Observed::NotAsked,
            threads,
        })));
    }
    threads(records, snapshot, ms);
    if extent == SnapshotExtent::Full {
        descriptors(records, snapshot);
    }
    mounts(records, snapshot);
    sockets(records, snapshot);
    let gap = Gap { snapshot, pid: Some(Pid(901)), what: "fd".to_owned(), why: Observed::Denied };
    records.push(Record::Gap(gap));
    records.push(Record::SnapshotEnd(SnapshotEnd { when: at(ms + 12), snapshot, stalls: 0 }));
}

fn threads(records: &mut Vec<Record>, snapshot: SnapshotId, ms: u64) {
    let path = format!("{MOUNT}/conversation");
    let futex = 0x7f3a_1c00_0910;
    for (pid, tid, comm, wchan, number, call, first, memory) in [
        (4380, 4380, "cargo", "do_wait", 61, "wait4", u64::from(TEST), None),
        (TEST, TEST, "fuse.test", "request_wait_answer", 3, "close", 7, None),
        (TEST, LOOP, "fuse-loop", "sk_wait_data", 45, "recvfrom", 9, None),
        (SERVER, SERVER, "indexd", "futex_do_wait", 202, "futex", futex, None),
        (SERVER, WORKER, "tokio-rt-worker", "do_epoll_wait", 232, "epoll_wait", 5, None),
        (
            SERVER,
            WALKER,
            "blocking-1",
            "request_wait_answer",
            257,
            "openat",
            u64::MAX - 99,
            Some((1, Argument::Path(path.clone()))),
        ),
        (SHELL, SHELL, "git", "pipe_read", 0, "read", 3, None),
    ] {
        let syscall = Syscall::In {
            number,
            name: call.to_owned(),
            args: [Address(first), Address(0), Address(0), Address(0), Address(0), Address(0)],
            sp: Address(0x7ffd_1000),
            pc: Address(0x7f00_2000),
            memory: memory.into_iter().map(|(n, value)| (n, Observed::Seen(value))).collect(),
        };
        records.push(Record::Thread(Box::new(ThreadFact {
            snapshot,
            when: at(ms + 4),
            thread: thread(pid, tid),
            comm: comm.to_owned(),
            state: TaskState::S,
            wchan: Observed::Seen(wchan.to_owned()),
            stack: Observed::Denied,
            syscall: Observed::Seen(syscall),
            voluntary_switches: 590,
            involuntary_switches: 5,
            cpu_ns: Some(236_000_000),
            children: Vec::new(),
        })));
    }
}

fn descriptors(records: &mut Vec<Record>, snapshot: SnapshotId) {
    let send = format!("{MOUNT}/send");
    let device = Device { major: 8, minor: 1 };
    let lock = FdLock {
        class: LockClass::Flock,
        mode: LockMode::Write,
        pid: i64::from(SERVER),
        device,
        inode: Big(771_204),
        start: Big(0),
        end: None,
    };
    for (pid, fd, target, inode, access, detail) in [
        (TEST, 1, "pipe:[90211]", Some(90_211), Some(Access::Write), FdDetail::Plain),
        (
            TEST,
            6,
            "/dev/fuse",
            None,
            Some(Access::ReadWrite),
            FdDetail::FuseServer { connection: Some(FuseConnection(41)) },
        ),
        (TEST, 7, send.as_str(), None, Some(Access::Write), FdDetail::Plain),
        (TEST, 9, "socket:[90377]", Some(90_377), None, FdDetail::Plain),
        (SERVER, 1, "pipe:[90230]", Some(90_230), Some(Access::Write), FdDetail::Plain),
        (SERVER, 4, "/home/ci/chat/.index/lock", None, Some(Access::ReadWrite), FdDetail::Plain),
        (
            SERVER,
            5,
            "anon_inode:[eventpoll]",
            None,
            Some(Access::ReadWrite),
            FdDetail::Epoll(vec![EpollTarget { fd: Fd(10), events: 1, inode: Big(90_300) }]),
        ),
        (SERVER, 10, "socket:[90300]", Some(90_300), None, FdDetail::Plain),
        (SERVER, 15, "socket:[90378]", Some(90_378), None, FdDetail::Plain),
        (SERVER, 16, "/tmp", None, Some(Access::Read), FdDetail::Plain),
        (SERVER, 17, "pipe:[90412]", Some(90_412), Some(Access::Write), FdDetail::Plain),
        (SHELL, 3, "pipe:[90412]", Some(90_412), Some(Access::Read), FdDetail::Plain),
    ] {
        records.push(Record::Fd(Box::new(FdFact {
            snapshot,
            process: process(pid),
            fd: Fd(fd),
            target: target.to_owned(),
            inode: inode.map(Big),
            access,
            flags: Some(0o2_000_000),
            position: Some(0),
            mount: None,
            detail,
            locks: if target.ends_with("lock") { vec![lock.clone()] } else { Vec::new() },
        })));
    }
    for (number, waits, pid) in [(1, false, i64::from(SERVER)), (1, true, 4999)] {
        records.push(Record::FileLock(FileLockFact {
            snapshot,
            number,
            waits,
            class: LockClass::Flock,
            mode: LockMode::Write,
            pid,
            device,
            inode: Big(771_204),
            start: Big(0),
            end: None,
        }));
    }
}

fn mounts(records: &mut Vec<Record>, snapshot: SnapshotId) {
    for (mount, parent, device, point, fs, source, made_by_run) in [
        (22, 1, Device { major: 8, minor: 1 }, "/", "ext4", "/dev/sda1", false),
        (23, 22, Device { major: 0, minor: 22 }, "/proc", "proc", "proc", false),
        (31, 22, Device { major: 0, minor: 33 }, "/tmp", "tmpfs", "tmpfs", false),
        (88, 31, Device { major: 0, minor: 41 }, MOUNT, "fuse.chatfs", "chatfs", true),
    ] {
        records.push(Record::Mount(Box::new(MountFact {
            snapshot,
            namespace: Big(4_026_531_832),
            mount,
            parent,
            device,
            root: "/".to_owned(),
            mount_point: point.to_owned(),
            fs_type: fs.to_owned(),
            source: source.to_owned(),
            made_by_run,
        })));
    }
    records.push(Record::Fuse(FuseFact {
        snapshot,
        connection: FuseConnection(41),
        waiting: Observed::Seen(2),
        made_by_run: true,
    }));
}

fn sockets(records: &mut Vec<Record>, snapshot: SnapshotId) {
    for (inode, state, local, remote, receive) in [
        (90_300, SocketState::Listen, "127.0.0.1:8080", "", 0),
        (90_377, SocketState::Established, "127.0.0.1:40312", "127.0.0.1:8080", 0),
        (90_378, SocketState::Established, "127.0.0.1:8080", "127.0.0.1:40312", 0),
    ] {
        records.push(Record::Socket(Box::new(SocketFact {
            snapshot,
            netns: Big(4_026_531_840),
            inode: Big(inode),
            family: SocketFamily::Tcp,
            state,
            local: local.to_owned(),
            remote: remote.to_owned(),
            receive_queue: Some(receive),
            send_queue: Some(if state == SocketState::Listen { 128 } else { 0 }),
            peer: None,
            pending: Vec::new(),
            retransmits: None,
        })));
    }
}

fn actor(pid: u32, tid: u32, comm: &str, phase: &str) -> Actor {
    let phase = (!phase.is_empty()).then(|| phase.to_owned());
    Actor { pid: Pid(pid), tid: Tid(tid), task: None, comm: comm.to_owned(), phase }
}

fn evidence(text: &str, fact: FactRef) -> Evidence {
    Evidence { text: text.to_owned(), facts: vec![fact] }
}

fn edges() -> Vec<Edge> {
    let second = SnapshotId(2);
    let test = actor(TEST, TEST, "fuse.test", "test send_creates_a_conversation > write send");
    let fuse_loop = actor(TEST, LOOP, "fuse.test", "FLUSH send > POST /api/conversations/new");
    let walker = actor(SERVER, WALKER, "indexd", "POST /api/conversations/new > walk /tmp");
    let mount = format!("the reply of the file system on {MOUNT}");
    vec![
        Edge {
            waiter: test,
            resource: Resource {
                kind: "fuse-reply".to_owned(),
                name: mount.clone(),
                call: Some(format!("close(\"{MOUNT}/send\")")),
            },
            resolver: Some(fuse_loop.clone()),
            confidence: Confidence::Certain,
            evidence: vec![
                evidence(
                    "thread 4390 sleeps in request_wait_answer since 4.4 s",
                    FactRef::thread(second, thread(TEST, TEST)),
                ),
                evidence(
                    "fd 6 of fuse.test[4390] serves FUSE connection 41",
                    FactRef::fd(second, process(TEST), Fd(6)),
                ),
            ],
        },
        Edge {
            waiter: fuse_loop.clone(),
            resource: Resource {
                kind: "tcp-reply".to_owned(),
                name: "the reply to POST /api/conversations/new at 127.0.0.1:8080".to_owned(),
                call: Some("recvfrom(9)".to_owned()),
            },
            resolver: Some(walker.clone()),
            confidence: Confidence::Likely,
            evidence: vec![
                evidence(
                    "127.0.0.1:40312 > 127.0.0.1:8080 is fd 9 of 4390 and fd 15 of 4412; nothing is unread",
                    FactRef::socket(second, Big(90_377)),
                ),
                evidence(
                    "the phase POST /api/conversations/new of indexd serves that connection",
                    FactRef::phase(PhaseId { process: process(SERVER), phase: Big(1) }),
                ),
            ],
        },
        Edge {
            waiter: walker,
            resource: Resource {
                kind: "fuse-reply".to_owned(),
                name: mount,
                call: Some(format!("openat(\"{MOUNT}/conversation\")")),
            },
            resolver: Some(fuse_loop),
            confidence: Confidence::Certain,
            evidence: vec![
                evidence(
                    "the path lies on the mount of FUSE connection 41, which has 2 requests waiting",
                    FactRef::fuse(second, FuseConnection(41)),
                ),
                evidence(
                    "fuse-loop is the only thread that reads /dev/fuse of connection 41",
                    FactRef::thread(second, thread(TEST, LOOP)),
                ),
            ],
        },
    ]
}

/// What the analysis says of it.
pub(crate) fn report() -> Report {
    let edges = edges();
    let verdict = Finding {
        kind: FindingKind::DeadlockCycle,
        confidence: Confidence::Likely,
        sentence: "deadlock through a FUSE mount: indexd[4412] is in openat(\"/tmp/it-7/mount/conversation\") on a mount \
                   served by fuse.test[4390], which waits for the reply to POST /api/conversations/new from indexd[4412]"
            .to_owned(),
        culprits: vec![edges[1].waiter.clone(), edges[2].waiter.clone()],
        edges,
        advice: vec![
            "Serve the file system from a process of its own, or answer FLUSH before the POST is sent.".to_owned(),
            "Let the walk skip mounts (compare st_dev), or start it outside /tmp.".to_owned(),
        ],
        rescue: vec!["echo 1 > /sys/fs/fuse/connections/41/abort".to_owned()],
        unknown: vec!["Kernel stacks: needs CAP_SYS_ADMIN.".to_owned()],
        id: "deadlock-cycle-1".to_owned(),
        signature: "6b1f0c9d2e7a4453".to_owned(),
    };
    let idle = Finding {
        kind: FindingKind::HeldAcrossWait,
        confidence: Confidence::Possible,
        sentence: "indexd[4412] holds the lock on /home/ci/chat/.index/lock while it waits, and 4999 waits for it"
            .to_owned(),
        culprits: vec![actor(SERVER, SERVER, "indexd", "")],
        edges: vec![Edge {
            waiter: actor(SHELL, SHELL, "git", ""),
            resource: Resource {
                kind: "pipe-data".to_owned(),
                name: "data in pipe 90412".to_owned(),
                call: Some("read(3)".to_owned()),
            },
            resolver: Some(actor(SERVER, WALKER, "indexd", "")),
            confidence: Confidence::Possible,
            evidence: vec![evidence(
                "fd 17 of indexd[4412] is the only writer",
                FactRef::fd(SnapshotId(2), process(SERVER), Fd(17)),
            )],
        }],
        advice: vec!["Release the lock before the walk.".to_owned()],
        rescue: Vec::new(),
        unknown: Vec::new(),
        id: "held-across-wait-1".to_owned(),
        signature: "0c11f0c9d2e7a44a".to_owned(),
    };
    Report {
        verdict: Some(verdict.clone()),
        findings: vec![verdict, idle],
        run: RunSummary {
            id: "01K0EXAMPLE000000000000000".to_owned(),
            command: vec!["cargo".to_owned(), "test".to_owned()],
            host: "build-17".to_owned(),
            at: at(16_050).t,
            last_progress: Some(at(5_900).t),
            progress: Some("phase walk /tmp".to_owned()),
            capture: None,
            actions: vec![
                "killed 4390 and 4412".to_owned(),
                "aborted FUSE connection 41, detached /tmp/it-7/mount".to_owned(),
            ],
            missing: Vec::new(),
        },
        comparison: None,
        schema: REPORT_VERSION,
    }
}

/// A report on a run in which nothing was wrong.
#[cfg_attr(not(test), expect(dead_code, reason = "the example shows the hang alone"))]
pub(crate) fn nothing() -> Report {
    Report { verdict: None, findings: Vec::new(), ..report() }
}
