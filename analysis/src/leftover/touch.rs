//! Who did what to which name, in order: from system calls where it is known what came of them, else from file events.

use hangdog_schemas::record::{FileEvent, FileOp};
use hangdog_schemas::{Pid, RunNs, Tid};
use hangdog_timeline::{CallDone, Timeline};

/// `EEXIST`.
const EXISTS: i32 = 17;

/// What was done to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A file was made that was not there, by a call that fails where it is; file events do not say how.
    Made,
    /// The same of a directory.
    MadeDirectory,
    /// It was to be made, and was there.
    Refused,
    /// The same of a directory: `mkdir -p` does so all the time.
    RefusedDirectory,
    /// It was opened to write and emptied, or made where it was not there.
    Replaced,
    /// It was opened to write.
    Written,
    /// It was opened to read; file events do not say for what.
    Read,
    /// Its name went, or became another one's.
    Removed,
    /// Another file got its name.
    Renamed,
}

/// One deed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch<'t> {
    pub(crate) t: RunNs,
    /// How much later or earlier it may have been.
    pub(crate) err: u64,
    pub(crate) pid: Pid,
    pub(crate) tid: Tid,
    pub(crate) path: &'t str,
    pub(crate) deed: Deed,
}

/// All of a run that went well, and refusals.
pub(crate) fn of(timeline: &Timeline) -> Vec<Touch<'_>> {
    let calls = timeline.calls();
    let mut all: Vec<Touch<'_>> = if calls.iter().any(|done| done.result.is_some()) {
        calls.iter().flat_map(of_call).collect()
    } else {
        timeline.file_events().iter().flat_map(of_event).collect()
    };
    all.sort_by_key(|touch| touch.t);
    all
}

fn of_call(done: &CallDone) -> Vec<Touch<'_>> {
    let call = &done.call;
    let is_refused = done.errno() == Some(EXISTS);
    let (Some(first), Some(last)) = (call.paths.first(), call.paths.last()) else { return Vec::new() };
    if done.result.is_none() || done.errno().is_some() && !is_refused {
        return Vec::new();
    }
    let touch = |path, deed| Touch { t: done.done_at(), err: 0, pid: call.pid, tid: call.tid, path, deed };
    let exclusive = |made, refused| vec![touch(last, if is_refused { refused } else { made })];
    match call.name.as_str() {
        "open" | "openat" | "openat2" | "creat" if call.has("O_EXCL") && call.has("O_CREAT") => {
            exclusive(Deed::Made, Deed::Refused)
        }
        "link" | "linkat" | "symlink" | "symlinkat" => exclusive(Deed::Made, Deed::Refused),
        "mkdir" | "mkdirat" => exclusive(Deed::MadeDirectory, Deed::RefusedDirectory),
        _ if is_refused => Vec::new(),
        "open" | "openat" | "openat2" | "creat" if call.has("O_RDONLY") && !call.has("O_CREAT") => {
            vec![touch(last, Deed::Read)]
        }
        "open" | "openat" | "openat2" | "creat" if call.has("O_TRUNC") => vec![touch(last, Deed::Replaced)],
        "open" | "openat" | "openat2" | "creat" | "truncate" if !call.has("O_PATH") => {
            vec![touch(last, Deed::Written)]
        }
        "unlink" | "unlinkat" | "rmdir" => vec![touch(last, Deed::Removed)],
        "rename" | "renameat" | "renameat2" => vec![touch(first, Deed::Removed), touch(last, Deed::Renamed)],
        _ => Vec::new(),
    }
}

fn of_event(event: &FileEvent) -> Vec<Touch<'_>> {
    let Some(pid) = event.pid else { return Vec::new() };
    let tid = Tid(pid.0);
    let touch = |path, deed| Touch { t: event.when.t, err: event.when.err, pid, tid, path, deed };
    match event.op {
        FileOp::Create if event.directory => vec![touch(&event.path, Deed::MadeDirectory)],
        FileOp::Create => vec![touch(&event.path, Deed::Made)],
        FileOp::Open => vec![touch(&event.path, Deed::Read)],
        FileOp::CloseWrite => vec![touch(&event.path, Deed::Written)],
        FileOp::Unlink => vec![touch(&event.path, Deed::Removed)],
        FileOp::Rename => {
            let to = event.to.as_deref().map(|to| touch(to, Deed::Renamed));
            [touch(&event.path, Deed::Removed)].into_iter().chain(to).collect()
        }
    }
}
