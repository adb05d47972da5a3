//! Calls without a name of their own at which a thread of a disturbed run can be made late. They are too many to be
//! recorded of every run; a run that is aimed at sees them.

use hangdog_schemas::Pid;
use nix::sys::signal::Signal;

/// What such a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Nothing that others could touch: a wait, the start or end of a thread.
    Itself,
    /// The program in the path of the first argument.
    Program,
    /// A signal, in this argument, for the process in that one, or for the caller itself.
    Signal(u8, Option<u8>),
    /// A signal's handler, in the first argument; the second is null when it is only looked at.
    Handler,
    /// The descriptor in the first argument.
    Descriptor(Deed),
    /// A word of memory, in the first argument; what is done with it in the second.
    Futex,
}

/// What is done by a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Looks,
    Changes,
}

const READ: About = About::Descriptor(Deed::Looks);
const WRITE: About = About::Descriptor(Deed::Changes);

/// The calls, by name. `set_robust_list` is what the C library calls first in each thread, forked child and program. `sendmsg` is not among them: by it the
/// helper gets the descriptor by which it hears of all others.
pub(super) const PLACES: &[(&str, About)] = &[
    ("set_robust_list", About::Itself),
    ("execve", About::Program),
    ("exit", About::Itself),
    ("exit_group", About::Itself),
    ("kill", About::Signal(1, Some(0))),
    ("tgkill", About::Signal(2, Some(0))),
    ("rt_sigaction", About::Handler),
    ("rt_sigsuspend", About::Itself),
    ("rt_sigtimedwait", About::Itself),
    ("pause", About::Itself),
    ("read", READ),
    ("readv", READ),
    ("pread64", READ),
    ("write", WRITE),
    ("writev", WRITE),
    ("pwrite64", WRITE),
    ("ftruncate", WRITE),
    ("fsync", READ),
    ("fdatasync", READ),
    ("close", WRITE),
    ("flock", WRITE),
    ("fcntl", READ),
    ("recvfrom", READ),
    ("recvmsg", READ),
    ("shutdown", WRITE),
    ("accept", WRITE),
    ("accept4", WRITE),
    ("futex", About::Futex),
    ("nanosleep", About::Itself),
    ("clock_nanosleep", About::Itself),
    ("poll", About::Itself),
    ("ppoll", About::Itself),
    ("select", About::Itself),
    ("pselect6", About::Itself),
    ("epoll_wait", About::Itself),
    ("epoll_pwait", About::Itself),
    ("wait4", About::Itself),
    ("waitid", About::Itself),
];

/// What a call is about: alike in all runs, in this run, and whether it changes something for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) object: String,
    pub(super) shared: Option<String>,
    pub(super) changes: bool,
}

impl Thing {
    /// A signal for a process. `None` for a number that is none.
    pub(super) fn signal(number: u64, whom: Pid) -> Option<Self> {
        let name = i32::try_from(number).ok().and_then(|number| Signal::try_from(number).ok())?;
        Some(Self { object: name.to_string(), shared: Some(format!("{name} of {}", whom.0)), changes: true })
    }

    /// A word that threads of a process wait at.
    pub(super) fn futex(address: u64, op: u64, pid: Pid) -> Self {
        // FUTEX_WAKE, FUTEX_WAKE_OP, FUTEX_WAKE_BITSET and FUTEX_UNLOCK_PI of include/uapi/linux/futex.h.
        let changes = matches!(op & 0x7f, 1 | 5 | 7 | 10);
        let object = if changes { "wake" } else { "wait" }.to_owned();
        Self { object, shared: Some(format!("futex {} {address:x}", pid.0)), changes }
    }

    /// What a descriptor is open on, by the link in `/proc`. `None` for what no two of a run come in each other's way
    /// at.
    pub(super) fn descriptor(link: &str, deed: Deed, is_of_system: fn(&str) -> bool) -> Option<Self> {
        let changes = deed == Deed::Changes;
        if link.starts_with('/') {
            let name = link.trim_end_matches(" (deleted)").rsplit('/').next().unwrap_or_default();
            let thing = Self { object: name.to_owned(), shared: Some(link.to_owned()), changes };
            return (!is_of_system(link)).then_some(thing);
        }
        let kind = link.strip_prefix("anon_inode:").unwrap_or(link);
        let object = kind.split(":[").next().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        // The two ends of a connection have numbers of their own.
        let shared = link.starts_with("pipe:").then(|| link.to_owned());
        Some(Self { object, shared, changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(link: &str, expected: Option<(&str, Option<&str>)>) {
        let found = Thing::descriptor(link, Deed::Looks, |path| path.starts_with("/usr/"));
        let words = found.as_ref().map(|thing| (thing.object.as_str(), thing.shared.as_deref()));
        assert_eq!(words, expected);
    }

    #[test]
    fn descriptors_in_words() {
        check("/tmp/x/counter", Some(("counter", Some("/tmp/x/counter"))));
        check("/tmp/x/gone (deleted)", Some(("gone", Some("/tmp/x/gone (deleted)"))));
        check("/usr/lib/x", None);
        check("pipe:[77]", Some(("pipe", Some("pipe:[77]"))));
        check("socket:[77]", Some(("socket", None)));
        check("anon_inode:[eventfd]", Some(("eventfd", None)));
    }

    #[test]
    fn signals_and_words_of_memory() {
        let signal = Thing::signal(15, Pid(7)).unwrap();
        assert_eq!((signal.object.as_str(), signal.shared.as_deref()), ("SIGTERM", Some("SIGTERM of 7")));
        assert_eq!(Thing::signal(0, Pid(7)), None);
        assert!(Thing::futex(16, 129, Pid(7)).changes);
        assert!(!Thing::futex(16, 128, Pid(7)).changes);
    }
}
