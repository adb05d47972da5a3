//! The snapshots of the sample: threads, descriptors, mounts, sockets.

use hangdog_schemas::fact::{
    Access, Argument, Belonging, EpollTarget, FdDetail, FdFact, FdLock, FileLockFact, FuseFact, Gap, LockClass,
    LockMode, MountFact, ProcessFact, SocketFact, SocketFamily, SocketState, Syscall, TaskState, ThreadFact,
};
use hangdog_schemas::record::{SnapshotBegin, SnapshotEnd, SnapshotExtent, TriggerReason};
use hangdog_schemas::{Address, Big, Device, Fd, FuseConnection, Observed, Pid, Record, SnapshotId};

use super::{LOOP, MOUNT, SERVER, SHELL, TEST, WALKER, WORKER, at, process, thread};

pub(super) fn snapshot(
    records: &mut Vec<Record>,
    number: u32,
    ms: u64,
    extent: SnapshotExtent,
    reason: TriggerReason,
) {
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
