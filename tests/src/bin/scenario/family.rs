//! Children that are forked in the middle of the work of other threads, and record phases of their own.
#![expect(unsafe_code, reason = "fork")]

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};

use hangdog_tracer::phase;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Forked children that wait for their end.
#[derive(Default)]
pub(crate) struct Family {
    children: Vec<Pid>,
    /// They end when this is closed.
    alive: Option<PipeWriter>,
}

impl Family {
    /// Forks so many, each of which says that its phase is open. Answers their process numbers.
    pub(crate) fn grow(&mut self, count: u64) -> Result<String, Box<dyn std::error::Error>> {
        let (ended, alive) = io::pipe()?;
        let (mut ready, tell) = io::pipe()?;
        for n in 0..count {
            // SAFETY: other threads are at work, so the child may only do what the recorder allows after a fork,
            // and what is meant to be found out; it ends by `_exit` and never returns.
            match unsafe { fork() }? {
                ForkResult::Parent { child } => self.children.push(child),
                ForkResult::Child => {
                    drop(alive);
                    child(n, &ended, &tell);
                }
            }
        }
        drop(tell);
        ready.read_exact(&mut vec![0; usize::try_from(count)?])?;
        self.alive = Some(alive);
        Ok(self.children.iter().map(Pid::to_string).collect::<Vec<_>>().join(" "))
    }

    /// Lets all end, and answers how many did as they should.
    pub(crate) fn reap(&mut self) -> Result<String, Box<dyn std::error::Error>> {
        self.alive = None;
        let mut well = 0;
        for child in self.children.drain(..) {
            well += u32::from(matches!(waitpid(child, None)?, WaitStatus::Exited(_, 0)));
        }
        Ok(well.to_string())
    }
}

fn child(n: u64, mut ended: &PipeReader, mut tell: &PipeWriter) -> ! {
    let mut well = false;
    {
        let _child = phase!("child", n = n);
        for step in 0..10 {
            let _step = phase!("step", of = "a child", step = step);
        }
        if tell.write_all(b"x").is_ok() {
            well = matches!(ended.read(&mut [0]), Ok(0));
        }
    }
    // SAFETY: ends this process at once; nothing of it is used any more. Other functions for the end belong to the parent.
    unsafe { libc::_exit(i32::from(!well)) }
}
