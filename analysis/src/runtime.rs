//! Which language runtime a process is, and how that is asked for what no fact outside of it tells: which of its
//! tasks holds what another one waits for.

use hangdog_schemas::Pid;
use hangdog_schemas::fact::{Syscall, ThreadFact};

use crate::view::View;

/// What runs in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    Go,
    Java,
    Node,
    Python,
    Ruby,
    /// A program of its own, or a runtime that is not known here.
    Native,
}

/// Where the heap of a Go program begins on 64-bit machines (runtime/malloc.go, `arenaHint`).
const GO_HEAP: std::ops::Range<u64> = 0xc0_0000_0000..0xc1_0000_0000;

/// Whether a thread runs or parks in the heap of a Go program: its threads run on stacks of that heap, and where the
/// program has parts in C they park there at least.
pub(crate) fn is_in_go_heap(thread: &ThreadFact) -> bool {
    let Some(Syscall::In { name, args, sp, .. }) = thread.syscall.seen() else { return false };
    GO_HEAP.contains(&sp.0) || name == "futex" && args.first().is_some_and(|address| GO_HEAP.contains(&address.0))
}

impl Runtime {
    pub(crate) fn of(view: &View<'_>, pid: Pid) -> Self {
        let exe = view.process(pid).and_then(|process| process.exe.seen()).map_or("", String::as_str);
        let program = exe.trim_end_matches(" (deleted)").rsplit('/').next().unwrap_or_default();
        match program {
            "java" => Self::Java,
            "node" | "nodejs" => Self::Node,
            _ if program.starts_with("python") => Self::Python,
            _ if program.starts_with("ruby") => Self::Ruby,
            _ if view.snapshot.threads_of(pid).any(is_in_go_heap) => Self::Go,
            _ => Self::Native,
        }
    }

    /// What shows the stacks of all its tasks.
    fn asked(self, pid: Pid) -> String {
        match self {
            Self::Go => format!("`kill -QUIT {pid}` prints the stacks of all goroutines and ends the program"),
            Self::Java => format!("`jstack {pid}` prints all Java threads with the locks that they hold"),
            Self::Node => format!("`kill -USR1 {pid}` and `node inspect -p {pid}` show where its JavaScript is"),
            Self::Python => format!("`py-spy dump --nonblocking --pid {pid}` shows the Python stacks of all threads"),
            Self::Ruby => format!("`rbspy dump --pid {pid}` shows the Ruby stack"),
            Self::Native => {
                format!("`gdb -p {pid} -batch -ex 'thread apply all bt'` shows the stacks of all threads")
            }
        }
    }
}

/// Advice for a wait that only the process itself could explain.
pub(crate) fn advice(view: &View<'_>, pid: Pid) -> String {
    let asked = Runtime::of(view, pid).asked(pid);
    format!("to see which part of {} waits for which: {asked}; `--on-hang report` leaves it there", view.comm(pid))
}
