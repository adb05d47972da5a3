//! Hangs over what processes share by a number or by memory: semaphores of System V, mutexes in shared memory.
#![expect(unsafe_code, reason = "fork, System V and pthread have no other form")]

use std::io::{self, Error};
use std::mem::MaybeUninit;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};

use crate::{Outcome, role};

/// Two semaphores, each 1, in an IPC namespace of our own: they go with it.
struct Semaphores(i32);

impl Semaphores {
    fn new() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWIPC)?;
        // SAFETY: makes a set, without any memory of ours.
        let set = unsafe { libc::semget(libc::IPC_PRIVATE, 2, 0o600) };
        let made = Self(result(set)?);
        made.give(0)?;
        made.give(1)?;
        Ok(made)
    }

    fn change(&self, number: u16, by: i16) -> io::Result<()> {
        let mut operation = libc::sembuf { sem_num: number, sem_op: by, sem_flg: 0 };
        // SAFETY: one operation, which lives through the call.
        result(unsafe { libc::semop(self.0, &raw mut operation, 1) }).map(drop)
    }

    fn take(&self, number: u16) -> io::Result<()> {
        self.change(number, -1)
    }

    fn give(&self, number: u16) -> io::Result<()> {
        self.change(number, 1)
    }
}

fn result(value: i32) -> io::Result<i32> {
    if value < 0 { Err(Error::last_os_error()) } else { Ok(value) }
}

/// A child that does its part and ends.
fn child(name: &str, part: impl FnOnce() -> Outcome) -> io::Result<Pid> {
    // SAFETY: a process of one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let done = role::take(name).map_err(Into::into).and_then(|()| part());
            // SAFETY: the parent's destructors are not for the child.
            unsafe { libc::_exit(i32::from(done.is_err())) }
        }
    }
}

/// Two processes take two semaphores in different order.
pub(crate) fn semaphores_abba(_: &[String]) -> Outcome {
    role::take("starter")?;
    let semaphores = Semaphores::new()?;
    let both = |first: u16, second: u16| {
        semaphores.take(first)?;
        std::thread::sleep(Duration::from_millis(300));
        Ok(semaphores.take(second)?)
    };
    let children = [child("taker-a", || both(0, 1))?, child("taker-b", || both(1, 0))?];
    for child in children {
        waitpid(child, None)?;
    }
    Ok(())
}

/// A process that holds a semaphore is killed.
pub(crate) fn semaphore_of_the_dead(_: &[String]) -> Outcome {
    role::take("waiter")?;
    let semaphores = Semaphores::new()?;
    let taker = child("taker", || {
        semaphores.take(0)?;
        Ok(raise(Signal::SIGKILL)?)
    })?;
    waitpid(taker, None)?;
    Ok(semaphores.take(0)?)
}

/// A mutex in memory that two processes share; its holder is killed.
pub(crate) fn shared_mutex_of_the_dead(_: &[String]) -> Outcome {
    role::take("waiter")?;
    let mutex = shared_mutex()?;
    // SAFETY: initialised, in memory that is never unmapped.
    let lock = || unsafe { libc::pthread_mutex_lock(mutex) };
    let holder = child("holder", || {
        lock();
        Ok(raise(Signal::SIGKILL)?)
    })?;
    waitpid(holder, None)?;
    lock();
    Ok(())
}

fn shared_mutex() -> io::Result<*mut libc::pthread_mutex_t> {
    let (read_write, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, at no address in particular.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), 4096, read_write, shared, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(Error::last_os_error());
    }
    let mutex = memory.cast::<libc::pthread_mutex_t>();
    let mut attribute = MaybeUninit::uninit();
    // SAFETY: initialises it.
    unsafe { libc::pthread_mutexattr_init(attribute.as_mut_ptr()) };
    // SAFETY: it is initialised.
    unsafe { libc::pthread_mutexattr_setpshared(attribute.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED) };
    // SAFETY: the attribute is initialised, and the mutex fits into its page.
    unsafe { libc::pthread_mutex_init(mutex, attribute.as_ptr()) };
    Ok(mutex)
}

/// So long does each hold what the others wait for: longer than the quiet time.
const TURN: Duration = Duration::from_secs(4);

/// Three processes take turns at a semaphore.
pub(crate) fn semaphore_queue(_: &[String]) -> Outcome {
    role::take("queue")?;
    let semaphores = Semaphores::new()?;
    let turn = || {
        semaphores.take(0)?;
        std::thread::sleep(TURN);
        Ok(semaphores.give(0)?)
    };
    all_of([child("worker", turn)?, child("worker", turn)?, child("worker", turn)?])
}

/// Three processes take turns at a mutex in memory that they share.
pub(crate) fn shared_mutex_queue(_: &[String]) -> Outcome {
    role::take("queue")?;
    let mutex = shared_mutex()?;
    let turn = || {
        // SAFETY: initialised, in memory that is never unmapped.
        unsafe { libc::pthread_mutex_lock(mutex) };
        std::thread::sleep(TURN);
        // SAFETY: as above, and locked by this thread.
        unsafe { libc::pthread_mutex_unlock(mutex) };
        Ok(())
    };
    all_of([child("worker", turn)?, child("worker", turn)?, child("worker", turn)?])
}

fn all_of(children: [Pid; 3]) -> Outcome {
    for child in children {
        waitpid(child, None)?;
    }
    Ok(())
}
