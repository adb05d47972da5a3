//! What goes on inside a language's runtime is in no fact of the kernel: which dump from inside would tell.

use std::collections::BTreeSet;

use hangdog_schemas::Pid;
use hangdog_schemas::fact::Syscall;

use crate::view::View;

/// Runtimes told.
const TOLD: usize = 3;

/// Advice for each process of the run that has such a runtime.
pub(super) fn dumps(view: &View<'_>) -> Vec<String> {
    let of_run = view.snapshot.processes.keys().copied().filter(|pid| view.is_of_run(*pid));
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    of_run
        .filter_map(|pid| dump(view, pid))
        .filter(|(what, _)| seen.insert(what))
        .take(TOLD)
        .map(|(_, text)| text)
        .collect()
}

/// Which runtime a process has, and how to ask it.
pub(super) fn dump(view: &View<'_>, pid: Pid) -> Option<(&'static str, String)> {
    let has_thread = |names: &[&str]| {
        view.snapshot.threads_of(pid).any(|thread| names.iter().any(|name| thread.comm.starts_with(name)))
    };
    let program = view.process(pid)?.exe.seen().and_then(|exe| exe.rsplit('/').next()).unwrap_or_default();
    let name = view.name(crate::key::Key::main_of(pid));
    if is_go(view, pid) {
        return Some((
            "go",
            format!(
                "which goroutine waits for which only Go itself knows: `kill -QUIT {pid}` has {name} print them and end"
            ),
        ));
    }
    if has_thread(&["VM Thread", "VM Periodic Tas"]) {
        return Some((
            "java",
            format!("which monitors are held only the JVM knows: `jstack {pid}` prints those of {name}"),
        ));
    }
    if program == "node" || has_thread(&["V8Worker", "libuv-worker"]) {
        return Some((
            "node",
            format!("what promises wait for only Node knows: `kill -USR1 {pid}` opens the inspector of {name}"),
        ));
    }
    if program.starts_with("python") {
        return Some((
            "python",
            format!("which line of Python it stands in: `py-spy dump --nonblocking --pid {pid}` of {name}"),
        ));
    }
    None
}

/// Threads of Go run on stacks of its own heap, at a fixed place.
fn is_go(view: &View<'_>, pid: Pid) -> bool {
    const HEAP: std::ops::Range<u64> = 0xc0_0000_0000..0xc1_0000_0000;
    view.snapshot.threads_of(pid).any(|thread| match thread.syscall.seen() {
        Some(Syscall::In { sp, .. }) => HEAP.contains(&sp.0),
        _ => false,
    })
}
