//! Signals that reach hangdog, and what becomes of them.
//!
//! | signal | from | what |
//! | --- | --- | --- |
//! | INT, QUIT, HUP | the terminal, which sent it to the command too | noted, not passed on |
//! | INT, QUIT, HUP, TERM | anybody else | a short look, then passed on |
//! | USR1, USR2 | anybody | passed on |
//! | URG | anybody (`hangdog dump`) | a look and a report now |
//! | CHLD | the kernel | children are waited for |
//! | CONT | anybody | time that passed while stopped is nobody's quiet |
//! | TSTP, TTIN, TTOU, WINCH | the terminal | as without hangdog: the group shares them |

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::command::Group;

/// Asks for a look and a report now. Whoever does not listen for it ignores it, so it harms nobody.
pub(crate) const DUMP: i32 = libc::SIGURG;

const CAUGHT: [Signal; 9] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCHLD,
    Signal::SIGCONT,
    Signal::SIGURG,
];

/// `si_code` of signals that the kernel itself sends, as the terminal's do.
const SI_KERNEL: i32 = 0x80;

/// What a signal means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A child changed.
    Child,
    /// We were continued.
    Continued,
    /// Asks the command to end; look first, then pass it on.
    PassAfterLook(i32),
    /// Asks the command to end, and the command got it already.
    AlreadyThere(i32),
    /// To be passed on as it is.
    Pass(i32),
    /// A look is asked for, now (`hangdog dump`).
    Dump,
}

/// Signals as a descriptor.
#[derive(Debug)]
pub(super) struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Blocks the signals and opens the descriptor.
    pub(super) fn catch() -> io::Result<Self> {
        let caught: SigSet = CAUGHT.into_iter().collect();
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&caught), Some(&mut before))?;
        let fd = SignalFd::with_flags(&caught, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { fd, before })
    }

    /// The mask that hangdog was started with.
    pub(super) fn mask_before(&self) -> SigSet {
        self.before
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The next signal that came; never waits.
    pub(super) fn next(&mut self, group: Group) -> Option<Heard> {
        let info = self.fd.read_signal().ok()??;
        Some(meaning(info.ssi_signo as i32, info.ssi_code, group))
    }
}

impl Drop for Signals {
    /// The caller of a run is a program too: it gets its mask back.
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

fn meaning(signal: i32, code: i32, group: Group) -> Heard {
    match signal {
        libc::SIGCHLD => Heard::Child,
        libc::SIGCONT => Heard::Continued,
        DUMP => Heard::Dump,
        libc::SIGUSR1 | libc::SIGUSR2 => Heard::Pass(signal),
        _ if code == SI_KERNEL && group == Group::Shared => Heard::AlreadyThere(signal),
        _ => Heard::PassAfterLook(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminals_signals_are_not_doubled() {
        for (signal, code, group, expected) in [
            (libc::SIGINT, SI_KERNEL, Group::Shared, Heard::AlreadyThere(libc::SIGINT)),
            (libc::SIGINT, SI_KERNEL, Group::Own, Heard::PassAfterLook(libc::SIGINT)),
            (libc::SIGINT, libc::SI_USER, Group::Shared, Heard::PassAfterLook(libc::SIGINT)),
            (libc::SIGTERM, libc::SI_USER, Group::Own, Heard::PassAfterLook(libc::SIGTERM)),
            (libc::SIGUSR1, libc::SI_USER, Group::Own, Heard::Pass(libc::SIGUSR1)),
            (libc::SIGCHLD, 1, Group::Own, Heard::Child),
            (libc::SIGURG, libc::SI_USER, Group::Own, Heard::Dump),
        ] {
            assert_eq!(meaning(signal, code, group), expected, "signal {signal} with code {code}");
        }
    }
}
