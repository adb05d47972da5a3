//! Snapshots of real processes: pipes, locks, sockets, a stopped process, a dead FUSE mount.

mod kinds;

use std::io::{BufRead as _, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use hangdog_schemas::fact::{
    Access, Argument, Belonging, FdDetail, FdFact, FileLockFact, FuseFact, Gap, LimitFact, LimitKind,
    MessageQueueFact, MountFact, ProcessFact, SocketFact, SocketState, TaskState, ThreadFact,
};
use hangdog_schemas::{FuseConnection, SnapshotId};
use nix::sys::signal::{Signal, kill};
use rustix::fs::FlockOperation;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::*;

mod spared;

/// The facts of a snapshot, parted by kind.
#[derive(Default, Debug)]
struct Facts {
    processes: Vec<ProcessFact>,
    threads: Vec<ThreadFact>,
    fds: Vec<FdFact>,
    mounts: Vec<MountFact>,
    fuse: Vec<FuseFact>,
    locks: Vec<FileLockFact>,
    sockets: Vec<SocketFact>,
    limits: Vec<LimitFact>,
    gaps: Vec<Gap>,
    queues: Vec<MessageQueueFact>,
    stalls: u32,
}

impl Facts {
    fn thread_in(&self, name: &str) -> Option<&ThreadFact> {
        self.threads.iter().find(|t| t.syscall.seen().is_some_and(|call| call.name() == Some(name)))
    }

    fn process(&self, pid: u32) -> Option<&ProcessFact> {
        self.processes.iter().find(|fact| fact.process.pid == Pid(pid))
    }

    fn fd(&self, pid: u32, fd: u32) -> Option<&FdFact> {
        self.fds.iter().find(|fact| fact.process.pid == Pid(pid) && fact.fd.0 == fd)
    }
}

fn parted(records: Vec<Record>) -> Facts {
    let mut facts = Facts::default();
    assert!(matches!(records.first(), Some(Record::SnapshotBegin(_))));
    assert!(matches!(records.last(), Some(Record::SnapshotEnd(_))));
    for record in records {
        match record {
            Record::Process(fact) => facts.processes.push(*fact),
            Record::Thread(fact) => facts.threads.push(*fact),
            Record::Fd(fact) => facts.fds.push(*fact),
            Record::Mount(fact) => facts.mounts.push(*fact),
            Record::Fuse(fact) => facts.fuse.push(fact),
            Record::FileLock(fact) => facts.locks.push(fact),
            Record::Socket(fact) => facts.sockets.push(*fact),
            Record::Limit(fact) => facts.limits.push(fact),
            Record::Gap(fact) => facts.gaps.push(fact),
            Record::MessageQueue(fact) => facts.queues.push(fact),
            Record::SnapshotEnd(end) => facts.stalls = end.stalls,
            _ => {}
        }
    }
    facts
}

/// A run that consists of `pid` and what descends from it.
fn request(pid: u32, extent: SnapshotExtent) -> Request {
    Request {
        snapshot: SnapshotId(1),
        extent,
        reason: TriggerReason::Demand,
        // Nobody: the run is what is named.
        observer: Pid(0),
        helpers: BTreeSet::new(),
        adopted: Adopted::OfRun,
        roots: [Pid(pid)].into(),
        run: Vec::new(),
        ticks: BTreeSet::new(),
        lock_files: Vec::new(),
        baseline: Baseline::default(),
    }
}

/// Takes snapshots until one shows what the test waits for.
fn until(pid: u32, extent: SnapshotExtent, done: impl Fn(&Facts) -> bool) -> Facts {
    until_by(MOST_IN_FULL, pid, extent, done)
}

/// The same with so many descriptors in full.
fn until_by(most_in_full: usize, pid: u32, extent: SnapshotExtent, done: impl Fn(&Facts) -> bool) -> Facts {
    let mut snapshotter = Snapshotter::new(RunClock::start()).unwrap();
    snapshotter.most_in_full = most_in_full;
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        snapshotter.begin(request(pid, extent));
        let facts = parted(snapshotter.run_to_end(limit));
        if done(&facts) {
            return facts;
        }
        assert!(Instant::now() < limit, "it never came: {facts:#?}");
    }
}

/// A child that is killed when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first of a process group of its own.
struct KilledGroup(Child);

impl Drop for KilledGroup {
    fn drop(&mut self) {
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(self.0.id().cast_signed()), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

fn state(pid: u32) -> TaskState {
    let bytes = std::fs::read(format!("/proc/{pid}/status")).unwrap();
    crate::observe::parse::status::status(&bytes).unwrap().state
}

fn own() -> u32 {
    std::process::id()
}

#[test]
fn descriptors_that_are_used_up_are_told() {
    let script = "ulimit -n 8; exec 3</dev/null 4<&3 5<&3 6<&3 7<&3; read _";
    let full = Killed(Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap());
    let pid = full.0.id();
    let facts = until(pid, SnapshotExtent::Full, |facts| facts.thread_in("read").is_some());
    let limit = facts.limits.iter().find(|limit| limit.limit == LimitKind::Descriptors).unwrap();
    assert_eq!((limit.pid, limit.used.0, limit.most.0), (Some(Pid(pid)), 8, 8));
    assert!(facts.process(pid).unwrap().io.seen().is_some());
    let light = until(pid, SnapshotExtent::Light, |facts| facts.process(pid).is_some());
    assert_eq!(light.limits, [], "a light look does not count");
}

#[test]
fn whoever_holds_the_pipe_is_kept_though_it_is_outside() {
    let cat = Killed(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let pid = cat.0.id();
    for extent in [SnapshotExtent::Full, SnapshotExtent::Light] {
        let facts = until(pid, extent, |facts| facts.thread_in("read").is_some());
        let reader = facts.fd(pid, 0).unwrap();
        assert_eq!((reader.access, reader.pipe().is_some()), (Some(Access::Read), true));
        assert_eq!(facts.process(pid).unwrap().belongs, Belonging::Root);
        assert_eq!(facts.process(own()).unwrap().belongs, Belonging::Outside);
        let ours = |fd: &&FdFact| fd.process.pid == Pid(own()) && fd.pipe() == reader.pipe();
        assert_eq!(facts.fds.iter().find(ours).unwrap().access, Some(Access::Write));
        assert_eq!(facts.process(pid).unwrap().cmdline.is_not_asked(), extent == SnapshotExtent::Light);
        assert_eq!(state(pid), TaskState::S);
    }
}

#[test]
fn the_process_that_inherited_a_lock_is_its_holder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let file = std::fs::File::create(&path).unwrap();
    rustix::fs::flock(&file, FlockOperation::LockExclusive).unwrap();
    // Its child gets the open file as stderr; the shell ends, so the child belongs to nobody here.
    // Only the child holds it from then on.
    let mut shell = Command::new("/bin/sh")
        .args(["-c", "sleep 600 >/dev/null & echo $!"])
        .stdout(Stdio::piped())
        .stderr(Stdio::from(file))
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
    shell.wait().unwrap();
    let holder: u32 = line.trim().parse().unwrap();
    let waiter = std::thread::spawn({
        let path = path.clone();
        move || {
            let file = std::fs::File::open(path).unwrap();
            rustix::fs::flock(&file, FlockOperation::LockExclusive)
        }
    });
    // Who holds a lock is always told.
    for most_in_full in [MOST_IN_FULL, 0] {
        let facts = until_by(most_in_full, own(), SnapshotExtent::Full, |facts| {
            facts.thread_in("flock").is_some() && facts.locks.iter().any(|lock| lock.waits)
        });
        let fd = facts.fd(holder, 2).unwrap();
        assert_eq!(fd.target, path.to_str().unwrap());
        assert_eq!(fd.locks.len(), 1, "{fd:?}");
        assert!(
            facts
                .locks
                .iter()
                .any(|lock| lock.waits && Some(lock.inode) == fd.inode && lock.device == fd.locks[0].device)
        );
    }
    kill(nix::unistd::Pid::from_raw(holder as i32), Signal::SIGKILL).unwrap();
    waiter.join().unwrap().unwrap();
}

#[test]
fn a_connection_that_nobody_accepted_has_a_row_of_its_own() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let client = std::net::TcpStream::connect(server).unwrap();
    let address = client.local_addr().unwrap().to_string();
    (&client).write_all(b"hello?").unwrap();
    let facts = until(own(), SnapshotExtent::Full, |facts| {
        facts.sockets.iter().any(|socket| socket.inode.0 == 0 && socket.remote == address)
    });
    let unaccepted = facts.sockets.iter().find(|s| s.inode.0 == 0 && s.remote == address).unwrap();
    assert_eq!((unaccepted.local.clone(), unaccepted.receive_queue), (server.to_string(), Some(6)));
    let listening = facts.sockets.iter().find(|s| s.state == SocketState::Listen && s.local == server.to_string());
    assert_eq!(listening.unwrap().receive_queue, Some(1));
    assert!(facts.sockets.iter().any(|s| s.local == address && s.inode.0 != 0));
}

#[test]
fn unix_sockets_know_their_other_end() {
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let cat = Killed(Command::new("cat").stdin(OwnedFd::from(one)).stdout(Stdio::null()).spawn().unwrap());
    let pid = cat.0.id();
    let facts = until(pid, SnapshotExtent::Full, |facts| facts.thread_in("read").is_some());
    let inode = facts.fd(pid, 0).unwrap().socket().unwrap();
    let socket = facts.sockets.iter().find(|socket| socket.inode == inode).unwrap();
    let peer = socket.peer.unwrap();
    assert!(facts.fds.iter().any(|fd| fd.process.pid == Pid(own()) && fd.socket() == Some(peer)));
    drop(other);
}

#[test]
fn a_unix_socket_tells_of_descriptors_in_its_queue() {
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let fds = [other.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    sendmsg(&other, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
    let sleep = Killed(Command::new("sleep").arg("600").stdin(OwnedFd::from(one)).spawn().unwrap());
    let pid = sleep.0.id();
    let facts = until(pid, SnapshotExtent::Light, |facts| facts.thread_in("clock_nanosleep").is_some());
    assert_eq!(facts.fd(pid, 0).unwrap().detail, FdDetail::UnixSocket { in_flight: 1 });
}

#[test]
fn a_stopped_process_stays_stopped() {
    let sleep = Killed(Command::new("sleep").arg("600").spawn().unwrap());
    let pid = sleep.0.id();
    kill(nix::unistd::Pid::from_raw(pid as i32), Signal::SIGSTOP).unwrap();
    let facts = until(pid, SnapshotExtent::Full, |facts| facts.threads.iter().any(|t| t.state == TaskState::T));
    assert_eq!(facts.process(pid).unwrap().state, TaskState::T);
    assert_eq!(state(pid), TaskState::T);
}

#[test]
fn a_cut_snapshot_ends_and_is_well_formed() {
    let mut snapshotter = Snapshotter::new(RunClock::start()).unwrap();
    snapshotter.begin(request(own(), SnapshotExtent::Full));
    let records = snapshotter.run_to_end(Instant::now());
    let facts = parted(records);
    assert_eq!(facts.stalls, 0);
    assert_eq!(snapshotter.poll(Instant::now()), Progress::Idle);
    // And the next one is whole.
    snapshotter.begin(request(own(), SnapshotExtent::Light));
    let facts = parted(snapshotter.run_to_end(Instant::now() + Duration::from_secs(30)));
    assert!(facts.process(own()).is_some());
}

/// A FUSE mount whose server answers INIT and then nothing any more.
struct DeadMount {
    dir: tempfile::TempDir,
    _device: std::sync::Arc<std::fs::File>,
}

impl DeadMount {
    fn new() -> Result<Self, String> {
        let open = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let device = std::sync::Arc::new(open.map_err(|e| format!("/dev/fuse: {e}"))?);
        let dir = tempfile::tempdir().unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", std::os::fd::AsRawFd::as_raw_fd(&*device));
        let flags = nix::mount::MsFlags::MS_NOSUID | nix::mount::MsFlags::MS_NODEV;
        nix::mount::mount(Some("dead"), dir.path(), Some("fuse.dead"), flags, Some(options.as_str()))
            .map_err(|e| format!("mount: {e}"))?;
        let server = std::sync::Arc::clone(&device);
        std::thread::spawn(move || serve(&server));
        Ok(Self { dir, _device: device })
    }
}

impl Drop for DeadMount {
    fn drop(&mut self) {
        // MNT_FORCE aborts the connection, which frees whoever waits for it.
        let flags = nix::mount::MntFlags::MNT_FORCE | nix::mount::MntFlags::MNT_DETACH;
        let _ = nix::mount::umount2(self.dir.path(), flags);
    }
}

/// Reads requests until the mount is gone. `struct fuse_in_header`: length, opcode, unique.
fn serve(device: &std::fs::File) {
    use std::io::Read as _;
    let mut request = vec![0; 1 << 20];
    while let Ok(n) = (&*device).read(&mut request) {
        let opcode = u32::from_ne_bytes(request[4..8].try_into().unwrap());
        if n >= 48 && opcode == 26 {
            // FUSE_INIT, version 7.31, no flags, 4096 bytes a write.
            let mut reply = Vec::new();
            reply.extend(80_u32.to_ne_bytes());
            reply.extend(0_i32.to_ne_bytes());
            reply.extend(&request[8..16]);
            for word in [7_u32, 31, 4096, 0, 0, 4096, 1] {
                reply.extend(word.to_ne_bytes());
            }
            reply.resize(80, 0);
            (&*device).write_all(&reply).unwrap();
        }
    }
}

#[test]
fn a_wait_for_a_dead_mount_names_path_mount_and_server() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED a_wait_for_a_dead_mount: mounting needs root");
        return;
    }
    // The mount goes first, also when this fails: until then nothing ends who waits for it.
    let cat;
    let mount = match DeadMount::new() {
        Ok(mount) => mount,
        Err(why) => {
            println!("SKIPPED a_wait_for_a_dead_mount: {why}");
            return;
        }
    };
    let path = mount.dir.path().join("some file");
    cat = Killed(Command::new("cat").arg(&path).stdout(Stdio::null()).spawn().unwrap());
    let pid = cat.0.id();
    let wanted = path.to_str().unwrap();
    let waits = |facts: &Facts| {
        let thread = facts.thread_in("openat");
        // Its state is read before the rest: it may have gone to sleep in between.
        thread.is_some_and(|t| t.state != TaskState::R && t.syscall.seen().unwrap().path(1) == Some(wanted))
    };
    let facts = until(pid, SnapshotExtent::Full, waits);
    let thread = facts.thread_in("openat").unwrap();
    assert_eq!((thread.state, thread.wchan.seen().map(String::as_str)), (TaskState::S, Some("request_wait_answer")));
    assert_eq!(thread.syscall.seen().unwrap().memory(1).unwrap().seen(), Some(&Argument::Path(wanted.to_owned())));
    let line = facts.mounts.iter().find(|m| m.mount_point == mount.dir.path().to_str().unwrap()).unwrap();
    let connection = line.fuse().unwrap();
    assert!(facts.fuse.iter().any(|fuse| fuse.connection == connection && fuse.made_by_run));
    let serves = |fd: &FdFact| match fd.detail {
        FdDetail::FuseServer { connection: Some(FuseConnection(n)) } => n == connection.0,
        FdDetail::FuseServer { connection: None } => true,
        _ => false,
    };
    assert!(facts.fds.iter().any(|fd| fd.process.pid == Pid(own()) && serves(fd)), "{:?}", facts.fds);
    // A signal, or a ptrace stop, would have turned S into D.
    assert_eq!(state(pid), TaskState::S);
    drop(mount);
}

#[test]
#[expect(unsafe_code, reason = "timer_create has no safe form")]
fn posix_timers_are_counted() {
    let mut timer = std::ptr::null_mut();
    // SAFETY: no sigevent is asked for, and the id is written to a variable that lives through the call.
    let made = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, std::ptr::null_mut(), &raw mut timer) };
    assert_eq!(made, 0);
    let timers = |facts: &Facts| facts.process(own()).unwrap().timers.clone();
    let facts = until(own(), SnapshotExtent::Light, |facts| facts.process(own()).is_some());
    // SAFETY: the timer was made above and is deleted once; it was never armed.
    assert_eq!(unsafe { libc::timer_delete(timer) }, 0);
    assert_eq!(timers(&facts), Observed::Seen(1));
    let facts = until(own(), SnapshotExtent::Light, |facts| facts.process(own()).is_some());
    assert_eq!(timers(&facts), Observed::Seen(0));
}

/// A program whose first thread ends while another reads from its standard input.
const HEADLESS: &str = "import ctypes, os, platform, threading
number = 60 if platform.machine() == 'x86_64' else 93
threading.Thread(target=lambda: (os.read(0, 1), os._exit(7))).start()
ctypes.CDLL(None).syscall(number, 0)";

#[test]
fn a_process_whose_first_thread_has_ended_is_seen_through_another() {
    let mut python = Command::new("python3");
    let Ok(child) = python.args(["-c", HEADLESS]).stdin(Stdio::piped()).spawn() else {
        println!("SKIPPED: there is no python3");
        return;
    };
    let headless = Killed(child);
    let pid = headless.0.id();
    let facts = until(pid, SnapshotExtent::Full, |facts| {
        facts.process(pid).is_some_and(|process| process.state == TaskState::Z) && facts.thread_in("read").is_some()
    });
    let process = facts.process(pid).unwrap();
    assert_eq!(process.threads, 2);
    assert!(facts.fd(pid, 0).unwrap().pipe().is_some(), "its descriptors");
    assert_eq!(facts.fd(pid, 0).unwrap().access, Some(Access::Read));
    let own_directory = std::env::current_dir().unwrap();
    assert_eq!(process.cwd.seen().map(String::as_str), own_directory.to_str());
    assert!(process.namespaces.seen().is_some());
    assert!(process.cmdline.seen().unwrap().iter().any(|word| word == HEADLESS));
    assert_eq!(process.timers, Observed::Seen(0));
    // Whoever holds the other end is kept for it.
    assert_eq!(facts.process(own()).unwrap().belongs, Belonging::Outside);
}

/// Makes a message queue that holds one message, and waits for one of another kind.
const RECEIVER: &str = "import ctypes
libc = ctypes.CDLL(None)
queue = libc.msgget(0, 0o1600)
libc.msgsnd(queue, (1).to_bytes(8, 'little') + b'abc', 3, 0)
libc.msgrcv(queue, ctypes.create_string_buffer(64), 8, 7, 0)";

#[test]
fn message_queues_of_another_namespace_are_read_there() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: namespaces need root");
        return;
    }
    let Ok(child) = Command::new("unshare").args(["--ipc", "python3", "-c", RECEIVER]).spawn() else {
        println!("SKIPPED: there is no unshare");
        return;
    };
    let receiver = Killed(child);
    let facts = until(receiver.0.id(), SnapshotExtent::Light, |facts| facts.thread_in("msgrcv").is_some());
    let told: Vec<_> =
        facts.queues.iter().map(|fact| (fact.queue, fact.messages, fact.bytes, fact.made_by_run)).collect();
    assert_eq!(told, [(0, 1, 3, true)]);
    assert_eq!(facts.queues[0].last_sender, Pid(receiver.0.id()));
}

/// Two of them side by side.
const TWO: &str = "unshare --ipc python3 -c \"$0\" & unshare --ipc python3 -c \"$0\" & wait";

/// Two receivers, each in an IPC namespace of its own, where the first queue has the number 0.
#[test]
fn queues_of_one_number_in_two_namespaces_are_told_apart() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: namespaces need root");
        return;
    }
    if Command::new("unshare").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED: there is no unshare");
        return;
    }
    let mut command = Command::new("sh");
    let shell = KilledGroup(command.args(["-c", TWO, RECEIVER]).process_group(0).spawn().expect("a shell"));
    let facts = until(shell.0.id(), SnapshotExtent::Light, |facts| facts.queues.len() == 2);
    let of = |fact: &MessageQueueFact| (fact.queue, fact.messages, facts.process(fact.last_sender.0).is_some());
    assert_eq!(facts.queues.iter().map(of).collect::<Vec<_>>(), [(0, 1, true), (0, 1, true)]);
    let namespaces: BTreeSet<_> = facts.queues.iter().map(|fact| fact.namespace).collect();
    assert_eq!(namespaces.len(), 2, "{:?}", facts.queues);
    for fact in &facts.queues {
        let sender = facts.process(fact.last_sender.0).expect("looked for above");
        assert_eq!(sender.namespaces.seen().map(|namespaces| namespaces.ipc), fact.namespace);
    }
}
