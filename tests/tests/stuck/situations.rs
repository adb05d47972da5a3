//! Each way to be stuck, and what a look from outside must see of it (kernel 6.18).

use std::fs::File;

use hangdog_tests::{Disk, Freezer, root};

/// A thread that is stuck.
#[derive(Debug)]
pub(crate) struct Situation {
    /// Its name, also for the scenario that builds it.
    pub(crate) name: &'static str,
    /// What is missing here to build it, if something is.
    pub(crate) needs: fn() -> Option<String>,
    /// The letter of its state.
    pub(crate) letter: char,
    /// Where it sleeps in the kernel; `None` where reading that is what gets stuck.
    pub(crate) wchan: Option<&'static str>,
    /// The system call that it is in; `None` when it is in none, or in one that was before.
    pub(crate) call: Option<&'static str>,
    /// The read of it that gets stuck: the file, and where the reader sleeps then.
    pub(crate) gap: Option<(&'static str, &'static str)>,
    /// Whether a signal that kills waits for the outside to end it.
    pub(crate) outlives: bool,
}

/// The wait of nearly all requests to a server.
const ANSWER: &str = "request_wait_answer";
/// The wait for a page of a file.
const PAGE: &str = "folio_wait_bit_common";

const fn on_fuse(name: &'static str, letter: char, wchan: &'static str, call: &'static str) -> Situation {
    Situation { name, needs: fuse, letter, wchan: Some(wchan), call: Some(call), gap: None, outlives: false }
}

const fn on_a_page(name: &'static str, call: &'static str) -> Situation {
    Situation { needs: faults, ..on_fuse(name, 'S', "handle_userfault", call) }
}

/// All of them.
pub(crate) const ALL: &[Situation] = &[
    on_fuse("open", 'S', ANSWER, "openat"),
    on_fuse("opendir", 'S', ANSWER, "openat"),
    on_fuse("getdents", 'S', ANSWER, "getdents64"),
    on_fuse("stat", 'S', ANSWER, "statx"),
    on_fuse("lookup", 'S', ANSWER, "statx"),
    on_fuse("read", 'D', PAGE, "read"),
    on_fuse("read-direct", 'S', ANSWER, "read"),
    on_fuse("close", 'S', ANSWER, "close"),
    on_fuse("exit", 'S', ANSWER, "exit_group"),
    // The line of its system call says what it was in when the signal came.
    Situation { call: None, ..on_fuse("killed", 'D', ANSWER, "") },
    on_fuse("chdir", 'S', ANSWER, "chdir"),
    on_fuse("execve", 'D', PAGE, "execve"),
    Situation { call: None, ..on_fuse("page-fault", 'D', PAGE, "") },
    on_fuse("write", 'S', ANSWER, "write"),
    on_fuse("write-direct", 'S', ANSWER, "write"),
    on_fuse("fsync", 'S', ANSWER, "fsync"),
    on_fuse("lock", 'S', ANSWER, "fcntl"),
    on_fuse("readlink", 'S', ANSWER, "readlink"),
    on_fuse("ioctl", 'S', ANSWER, "ioctl"),
    on_fuse("poll", 'S', ANSWER, "ppoll"),
    on_fuse("statfs", 'S', ANSWER, "statfs"),
    on_fuse("msync", 'D', "folio_wait_bit", "msync"),
    on_fuse("second-thread", 'S', ANSWER, "openat"),
    on_fuse("server-sleeps", 'S', ANSWER, "openat"),
    on_fuse("server-died", 'S', ANSWER, "openat"),
    on_fuse("directory-lock", 'D', "walk_component", "statx"),
    on_fuse("path-in-file", 'D', PAGE, "openat"),
    Situation {
        gap: Some(("cmdline", "__access_remote_vm")),
        ..on_fuse("inside-mmap", 'D', "folio_wait_bit", "mmap")
    },
    Situation { wchan: None, gap: Some(("stat", "do_task_stat")), call: None, ..on_fuse("exec-lock", 'S', "", "") },
    Situation { gap: Some(("fdinfo/", "ep_show_fdinfo")), ..on_a_page("epoll-page", "epoll_wait") },
    on_a_page("tcp-page", "sendto"),
    on_a_page("pipe-page", "write"),
    on_a_page("path-page", "openat"),
    Situation { needs: nothing, ..on_fuse("vfork", 'D', "kernel_clone", "clone") },
    Situation { needs: Disk::missing, outlives: true, ..on_fuse("frozen-disk", 'D', "percpu_rwsem_wait", "openat") },
    // A v1 freezer leaves everything as it was but the letter.
    Situation { needs: || Freezer::V1.missing(), call: None, ..on_fuse("frozen-v1", 'D', "", "") },
    Situation { needs: || Freezer::V2.missing(), call: None, ..on_fuse("frozen-v2", 'S', "", "") },
    Situation { needs: nothing, call: None, ..on_fuse("stopped", 'T', "do_signal_stop", "") },
];

/// By its name.
#[track_caller]
pub(crate) fn named(name: &str) -> &'static Situation {
    ALL.iter().find(|situation| situation.name == name).unwrap_or_else(|| panic!("no situation {name}"))
}

fn nothing() -> Option<String> {
    None
}

fn fuse() -> Option<String> {
    let opened = File::options().read(true).write(true).open("/dev/fuse");
    root().or_else(|| opened.err().map(|error| format!("needs /dev/fuse ({error})")))
}

#[expect(unsafe_code, reason = "the call is safe, what may be done with its result is not")]
fn faults() -> Option<String> {
    // SAFETY: the descriptor is dropped at once and was never used for memory.
    let faults = unsafe { rustix::mm::userfaultfd(rustix::mm::UserfaultfdFlags::CLOEXEC) };
    faults.err().map(|error| format!("needs userfaultfd ({error})"))
}
