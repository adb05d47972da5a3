//! A run with more descriptors than are looked at in full: what is waited for is told all the same.

use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use super::*;

/// A process group that is killed when the test ends.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(self.0.id() as i32), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_has_the_same_fifo_is_told_with_what_it_may_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plain"), "").unwrap();
    // The second one of the run has the writing end alone.
    let script = "mkfifo f; sleep 600 3<>f 4>f 3<&- & exec 5<plain; read _ <f";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(dir.path()).stdin(Stdio::piped()).process_group(0);
    shell.stdout(Stdio::null()).stderr(Stdio::null());
    let shell = Group(shell.spawn().unwrap());
    let pid = shell.0.id();
    let is_fifo = |fact: &FdFact| fact.target.ends_with("/f");
    let facts = until_by(0, pid, SnapshotExtent::Full, |facts| {
        let writes = facts.fds.iter().any(|fact| is_fifo(fact) && fact.process.pid != Pid(pid));
        writes && facts.thread_in("read").is_some() && facts.fd(pid, 0).is_some_and(is_fifo)
    });
    let other = facts.fds.iter().find(|fact| is_fifo(fact) && fact.process.pid != Pid(pid)).unwrap();
    let own = facts.fd(pid, 0).unwrap();
    assert_eq!((own.access, other.access), (Some(Access::Read), Some(Access::Write)));
    assert_eq!((own.inode.is_some(), own.inode), (true, other.inode));
    // The shell keeps its standard input elsewhere meanwhile: a pipe, of which the link tells enough.
    let pipe = facts.fds.iter().find(|fact| fact.process.pid == Pid(pid) && fact.pipe().is_some()).unwrap();
    assert_eq!((pipe.access, pipe.flags), (Some(Access::Read), None));
    let plain = facts.fd(pid, 5).unwrap();
    assert_eq!((plain.access, plain.flags, plain.position), (None, None, None), "nobody waits for it");
    assert!(facts.gaps.iter().any(|gap| gap.why == Observed::NotAsked && gap.what.contains("nobody waits for")));
}

#[test]
fn epoll_sets_are_told_with_those_in_them() {
    let set = || epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let (outer, inner, unused) = (set(), set(), set());
    let event = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let none = epoll::EventData::new_u64(0);
    epoll::add(&outer, &inner, none, epoll::EventFlags::IN).unwrap();
    epoll::add(&inner, &event, none, epoll::EventFlags::IN).unwrap();
    epoll::add(&unused, &event, none, epoll::EventFlags::IN).unwrap();
    let number = |fd: &OwnedFd| fd.as_raw_fd() as u32;
    let targets = |facts: &Facts, fd: u32| match &facts.fd(own(), fd)?.detail {
        FdDetail::Epoll(targets) => Some(targets.iter().map(|target| target.fd.0).collect::<Vec<_>>()),
        _ => None,
    };
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
            epoll::wait(&outer, &mut [const { MaybeUninit::uninit() }; 1], Some(&limit)).map(|(new, _)| new.len())
        });
        let facts = until_by(0, own(), SnapshotExtent::Full, |facts| targets(facts, number(&outer)).is_some());
        assert_eq!(targets(&facts, number(&outer)), Some(vec![number(&inner)]));
        assert_eq!(targets(&facts, number(&inner)), Some(vec![number(&event)]));
        assert_eq!(
            facts.fd(own(), number(&event)).unwrap().detail,
            FdDetail::Eventfd { count: hangdog_schemas::Big(0), id: eventfd_id(number(&event)) }
        );
        assert_eq!(targets(&facts, number(&unused)), None, "nobody waits for it");
        rustix::io::write(&event, &1_u64.to_ne_bytes()).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(1));
    });
}

fn eventfd_id(fd: u32) -> Option<u32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
    info.lines().find_map(|line| line.strip_prefix("eventfd-id:")?.trim().parse().ok())
}
