//! One real process that has a descriptor of every kind, a terminal, signals and counters: each fact of it is there.

use hangdog_schemas::{Address, Big};

use super::*;

/// Says a line when all is there, then waits for its input.
const MANY: &str = r"
import ctypes, fcntl, os, signal, struct, sys, termios
libc = ctypes.CDLL(None, use_errno=True)
os.setsid()
master, slave = os.openpty()
fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
event = libc.eventfd(7, 0)
timer = libc.timerfd_create(1, 0)
libc.timerfd_settime(timer, 0, struct.pack('qqqq', 5, 0, 1000, 0), None)
told = libc.signalfd(-1, struct.pack('Q', 1 << (signal.SIGTERM - 1)) + bytes(120), 0)
process = libc.syscall(434, os.getppid(), 0)
watch = libc.inotify_init()
libc.inotify_add_watch(watch, b'/', 2)
epoll = libc.epoll_create(1)
libc.epoll_ctl(epoll, 1, event, struct.pack('=IQ', 1, 0))
ring = libc.syscall(425, 4, ctypes.create_string_buffer(120))
faults = libc.syscall(323, 1)
queue = libc.mq_open(b'/hangdog-tests-%d' % os.getpid(), os.O_RDONLY | os.O_CREAT, 0o600, None)
libc.mq_unlink(b'/hangdog-tests-%d' % os.getpid())
held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(held, b'abc')
libc.flock(held, 2)
print(event, timer, told, process, watch, epoll, ring, faults, queue, held, master, flush=True)
os.read(0, 1)
";

#[test]
fn a_descriptor_of_every_kind_and_what_else_a_process_has() {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.arg("-c").arg(MANY).arg(place.path().join("held")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(child) = command.spawn() else {
        println!("SKIPPED: there is no python3");
        return;
    };
    let mut many = Killed(child);
    let pid = many.0.id();
    let mut line = String::new();
    std::io::BufReader::new(many.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let numbers: Vec<i64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let facts = until(pid, SnapshotExtent::Full, |facts| {
        facts.thread_in("read").is_some() && facts.process(pid).is_some_and(|process| process.io.seen().is_some())
    });
    // What this kernel or place does not give is -1.
    let fd = |at: usize| u32::try_from(numbers[at]).ok().map(|number| facts.fd(pid, number).unwrap());
    let detail = |at: usize| fd(at).map(|fact| fact.detail.clone());
    let is = |at: usize, name: &str, expected: &dyn Fn(&FdDetail) -> bool| match detail(at) {
        Some(detail) => assert!(expected(&detail), "{name}: {detail:?}"),
        None => println!("SKIPPED {name}: it cannot be had here"),
    };
    is(0, "eventfd", &|detail| matches!(detail, FdDetail::Eventfd { count: Big(7), .. }));
    is(1, "timerfd", &|detail| matches!(detail, FdDetail::Timerfd { value_ns: 1.., interval_ns: 5_000_000_000 }));
    is(2, "signalfd", &|detail| matches!(detail, FdDetail::Signalfd { mask: Address(0x4000) }));
    is(3, "pidfd", &|detail| *detail == FdDetail::Pidfd { pid: Some(Pid(own())) });
    is(4, "inotify", &|detail| *detail == FdDetail::Inotify { watches: 1 });
    is(5, "epoll", &|detail| matches!(detail, FdDetail::Epoll(targets) if targets.len() == 1));
    is(6, "io_uring", &|detail| matches!(detail, FdDetail::IoUring { .. }));
    is(7, "userfaultfd", &|detail| *detail == FdDetail::Userfaultfd { pending: 0, waiting: 0 });
    is(10, "the master of a terminal", &|detail| matches!(detail, FdDetail::PtyMaster { .. }));
    if let Some(queue) = fd(8) {
        assert!(queue.target.starts_with("/hangdog-tests-"), "{queue:?}");
        assert_eq!(queue.access, Some(Access::Read));
    }
    let held = fd(9).unwrap();
    assert_eq!((held.position, held.access, held.locks.len()), (Some(3), Some(Access::ReadWrite), 1));
    assert!(held.mount.is_some() && held.inode.is_some(), "{held:?}");

    let process = facts.process(pid).unwrap();
    let terminal = process.terminal.seen().copied().flatten().expect("a terminal");
    assert_eq!((terminal.device.major, terminal.foreground), (136, i32::try_from(pid).unwrap()));
    assert_eq!((process.session.seen(), process.group.seen()), (Some(&Pid(pid)), Some(&Pid(pid))));
    let signals = process.signals.seen().expect("its masks");
    let of = |signal: Signal| 1_u64 << (signal as u32 - 1);
    assert_eq!(signals.pending.0 & signals.blocked.0, of(Signal::SIGTERM));
    assert_eq!(signals.ignored.0 & of(Signal::SIGUSR2), of(Signal::SIGUSR2));
    assert_eq!(signals.caught.0 & of(Signal::SIGUSR1), of(Signal::SIGUSR1));
    let io = process.io.seen().expect("looked for above");
    assert!(io.written.0 >= 3 && io.writes.0 >= 1 && io.read.0 > 0 && io.reads.0 > 0, "{io:?}");
    assert!(process.namespaces.seen().is_some() && process.cgroups.seen().is_some());
    assert_eq!(process.tracer, None);
}
