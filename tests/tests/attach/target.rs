//! A program that runs already, and ends with this value.

use std::ffi::OsString;
use std::fs;
use std::process::{Child, Command, Stdio};

use hangdog_tests::{Bench, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) struct Target<'a> {
    bench: &'a Bench,
    pub(crate) child: Child,
}

impl<'a> Target<'a> {
    /// Starts a scenario and waits until all of its processes sleep.
    pub(crate) fn start(bench: &'a Bench, name: &str) -> Self {
        let place = if name == "flock-abba" { bench.path("") } else { bench.path("resource") };
        let line = bench.scenario(name, &[place.as_os_str()]);
        let target = Self::of(bench, &mut bench.unwatched(line));
        target.settle();
        target
    }

    /// Starts any command.
    pub(crate) fn of(bench: &'a Bench, command: &mut Command) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a target");
        Self { bench, child }
    }

    pub(crate) fn pid(&self) -> OsString {
        self.child.id().to_string().into()
    }

    /// Until somebody took a role, and a look a little later finds everybody where they were.
    fn settle(&self) {
        until("the scenario to be under way", || (!self.bench.roles().is_empty()).then_some(()));
        let mut before = Vec::new();
        until("the scenario to come to rest", || {
            let now: Vec<Option<String>> = self.pids().into_iter().map(switches).collect();
            let is_at_rest = now == before;
            before = now;
            std::thread::sleep(std::time::Duration::from_millis(200));
            is_at_rest.then_some(())
        });
    }

    fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.bench.roles().into_iter().map(|(_, pid)| pid).collect();
        pids.push(self.child.id());
        pids
    }

    /// What `status` says of each of its processes that could be changed from outside.
    pub(crate) fn state(&self) -> Vec<(u32, Vec<String>)> {
        let of = |pid: u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let kept = [
                "State:",
                "TracerPid:",
                "PPid:",
                "NSsid:",
                "NSpgid:",
                "Sig",
                "Shd",
                "voluntary_ctxt_switches:",
                "Threads:",
            ];
            let lines = text.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
            (pid, lines.map(str::to_owned).collect())
        };
        self.pids().into_iter().map(of).collect()
    }
}

fn switches(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find(|line| line.starts_with("voluntary")).map(str::to_owned)
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        // A zombie of ours is not waited for yet, so the number is its own; the others are told by their names too.
        let _ = self.child.kill();
        for (role, pid) in self.bench.roles() {
            if fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == role) {
                let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
            }
        }
        let _ = self.child.wait();
    }
}
