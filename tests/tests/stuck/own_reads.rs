//! The main process of hangdog opens only what never blocks, whatever its command is stuck in: seen in a trace of its own
//! system calls. Its helpers are not followed: they may be lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::situations;
use crate::staged::Staged;

/// One for each lock of the kernel that a reader of `/proc` can wait for, and a wait for a server.
pub(crate) const SITUATIONS: &[&str] = &["open", "exec-lock", "inside-mmap", "epoll-page", "tcp-page"];

/// Files of other processes that never blocked in any situation, below `/proc/PID` and `/proc/PID/task/TID`.
const NEVER_BLOCK: &[&str] = &["", "task", "status", "schedstat", "children", "comm", "cgroup", "mountinfo", "statm"];

/// Calls that look something up, or look into another process.
const CALLS: &str = "trace=%file,clone,clone3,fork,vfork,ptrace,process_vm_readv,process_vm_writev,pidfd_getfd,kcmp,\
                     perf_event_open,get_robust_list";

/// Why there is no trace here, if so.
pub(crate) fn missing() -> Option<String> {
    let needed = situations::named("open").needs;
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    needed().or_else(|| (!traced.is_ok_and(|status| status.success())).then(|| "needs strace".to_owned()))
}

/// Traces one run.
#[track_caller]
pub(crate) fn check(name: &str) {
    let situation = situations::named(name);
    let staged = Staged::new(situation);
    let run = staged.run(situation);
    let trace = staged.bench.path("trace");
    let mut command = staged.bench.unwatched(["strace", "-y", "-e", CALLS, "-o"]);
    command.arg(&trace).arg(run.get_program()).args(run.get_args());
    let ended = staged.bench.end_of(&mut command);
    assert_eq!(ended.status.code(), Some(124), "{}", ended.stderr);
    let trace = std::fs::read_to_string(&trace).expect("a trace");
    let calls: Vec<Call<'_>> = trace.lines().filter_map(Call::parse).collect();
    let looks = calls.iter().filter(|call| call.path().is_some_and(|path| path.ends_with("/status"))).count();
    assert!(looks > 0, "the trace has no looks at the run: {trace}");
    let root = staged.bench.pid_of("starter");
    // It may look into itself and into its children, of which none is in an exec but the command.
    let children = calls.iter().filter_map(Call::child).filter(|pid| *pid != root);
    let own: BTreeSet<u32> = children.chain(calls.iter().find_map(Call::itself)).collect();
    let mut starts = 0;
    let wrong: Vec<&str> = calls
        .iter()
        .filter(|call| {
            // When the command began is read once, while it still waits to be let go.
            let is_start = call.path().is_some_and(|path| path == format!("/proc/{root}/stat"));
            starts += u32::from(is_start);
            !(call.is_harmless(&own, &staged) || is_start && starts == 1)
        })
        .map(|call| call.line)
        .collect();
    assert_eq!(wrong, Vec::<&str>::new());
}

/// A line of the trace: `openat(AT_FDCWD</>, "/proc/7/status", …) = 5</proc/7/status>`.
struct Call<'a> {
    line: &'a str,
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Call<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, arguments) = line.split_once('(')?;
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_').then_some(())?;
        Some(Self { line, name, arguments })
    }

    /// The path that was looked up, from the root.
    fn path(&self) -> Option<String> {
        // Without a path it is about a file that is open already.
        let path = self.arguments.split('"').nth(1).filter(|path| !path.is_empty())?;
        let directory = || self.arguments.split_once('<')?.1.split_once('>').map(|(directory, _)| directory);
        if path.starts_with('/') { Some(path.to_owned()) } else { Some(format!("{}/{path}", directory()?)) }
    }

    /// The process that was started.
    fn child(&self) -> Option<u32> {
        let starts = matches!(self.name, "clone" | "clone3" | "fork" | "vfork");
        self.line.rsplit_once(" = ").filter(|_| starts)?.1.parse().ok()
    }

    /// Who made the call, when it says so: `"/proc/self/maps", …) = 3</proc/7/maps>`.
    fn itself(&self) -> Option<u32> {
        let result = self.line.rsplit_once(" = ").filter(|_| self.arguments.contains("\"/proc/self/"))?.1;
        result.split_once("</proc/")?.1.split('/').next()?.parse().ok()
    }

    fn is_harmless(&self, own: &BTreeSet<u32>, staged: &Staged) -> bool {
        match self.name {
            "clone" | "clone3" | "fork" | "vfork" => return true,
            "ptrace" | "process_vm_readv" | "process_vm_writev" | "pidfd_getfd" | "kcmp" | "perf_event_open"
            | "get_robust_list" => return false,
            _ => {}
        }
        let Some(path) = self.path() else { return true };
        let of_process = path.strip_prefix("/proc/").and_then(|rest| {
            let (pid, file) = rest.split_once('/').unwrap_or((rest, ""));
            Some((pid.parse::<u32>().ok()?, file))
        });
        match of_process {
            Some((pid, _)) if own.contains(&pid) => true,
            Some((_, file)) => {
                let of_task = file.strip_prefix("task/").and_then(|rest| Some(rest.split_once('/')?.1));
                NEVER_BLOCK.contains(&of_task.unwrap_or(file).trim_end_matches('/'))
            }
            None => !Path::new(&path).starts_with(staged.place()),
        }
    }
}
