//! The tree of real processes. The test process plays the observer; its other tests' children count
//! too, so each test looks for its own.

use std::process::{Child, Command, Stdio};

use super::*;

struct Run {
    child: Child,
    tree: Tree,
    clock: RunClock,
}

impl Run {
    fn new(command: &mut Command) -> Self {
        let clock = RunClock::start();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // A process with no children but the one of this test.
        let observer = Pid(child.id());
        let tree = Tree::new(clock, observer, Vec::new()).unwrap();
        Self { child, tree, clock }
    }

    fn pass(&mut self) -> Pass {
        self.tree.pass(self.clock.now(), &BTreeSet::new(), &Adopted::OfRun)
    }

    /// Passes until one satisfies `done`; all of them together.
    fn until(&mut self, mut done: impl FnMut(&Pass, &Tree) -> bool) -> Pass {
        let mut all = Pass::default();
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            let pass = self.pass();
            let enough = done(&pass, &self.tree);
            all.started.extend(pass.started);
            all.changed.extend(pass.changed);
            all.ended.extend(pass.ended);
            all.sample.threads.extend(pass.sample.threads);
            all.sample.gone.extend(pass.sample.gone);
            if enough {
                return all;
            }
            assert!(Instant::now() < limit, "it never came: {all:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[test]
fn children_come_with_their_start_time_and_go() {
    let mut run = Run::new(&mut shell("sleep 600 & child=$!; read line; kill $child; wait $child; read line"));
    let seen = run.until(|pass, _| {
        pass.started.iter().any(|s| s.comm == "sleep") || pass.changed.iter().any(|c| c.comm == "sleep")
    });
    let started = &seen.started[0];
    let stat = std::fs::read(format!("/proc/{}/stat", started.process.pid)).unwrap();
    assert_eq!(started.process.start.0, stat::stat(&stat).unwrap().start);
    assert_eq!(started.parent, Pid(run.child.id()));
    let now = run.clock.now();
    assert!(started.when.t.0 <= now.0 + started.when.err, "{started:?} {now:?}");
    std::io::Write::write_all(run.child.stdin.as_mut().unwrap(), b"\n").unwrap();
    let seen = run.until(|pass, _| !pass.ended.is_empty());
    assert_eq!(seen.ended[0].process, started.process);
    assert!(seen.sample.gone.iter().any(|thread| thread.process == started.process));
    assert_eq!(run.tree.processes().count(), 0);
}

#[test]
fn an_idle_process_is_in_one_sample_only() {
    let mut run = Run::new(&mut shell("sleep 600 & read line; kill $!"));
    run.until(|_, tree| tree.threads().any(|t| t.state == TaskState::S));
    // Whoever has just been started may still run for a moment.
    run.until(|pass, _| pass.sample.threads.is_empty());
    assert_eq!(run.tree.threads().count(), 1);
    std::io::Write::write_all(run.child.stdin.as_mut().unwrap(), b"\n").unwrap();
    run.until(|_, tree| tree.threads().count() == 0);
}

#[test]
fn a_hostile_name_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().join("a) R\n(b");
    std::fs::copy("/bin/sleep", &name).unwrap();
    let mut run = Run::new(shell("\"$0\" 600 & read line; kill $!").arg(&name));
    let seen = run.until(|pass, _| {
        pass.started
            .iter()
            .map(|s| &s.comm)
            .chain(pass.changed.iter().map(|c| &c.comm))
            .any(|comm| comm == "a) R\n(b")
    });
    assert!(!seen.started.is_empty());
    std::io::Write::write_all(run.child.stdin.as_mut().unwrap(), b"\n").unwrap();
    run.until(|_, tree| tree.threads().count() == 0);
}

#[test]
fn what_happens_to_a_sleeper_is_seen() {
    let mut run = Run::new(&mut shell("sleep 600 & read line; kill -9 $!"));
    run.until(|_, tree| tree.threads().any(|t| t.state == TaskState::S));
    // By now it is not looked at as a whole any more.
    for _ in 0..8 {
        run.pass();
    }
    let sleeper = run.tree.processes().next().unwrap().pid;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(sleeper.0 as i32), nix::sys::signal::Signal::SIGSTOP).unwrap();
    run.until(|pass, _| pass.sample.threads.iter().any(|sample| sample.state == TaskState::T));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(sleeper.0 as i32), nix::sys::signal::Signal::SIGKILL).unwrap();
    run.until(|_, tree| tree.threads().all(|t| t.state == TaskState::Z) || tree.threads().count() == 0);
}

#[test]
fn a_name_alone_is_believed_for_a_while_only() {
    let script = "import threading, time
def sleep():
    open('/proc/thread-self/comm', 'w').write('hangdog-tick')
    time.sleep(600)
for _ in range(2): threading.Thread(target=sleep, daemon=True).start()
time.sleep(600)";
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: there is no python3");
        return;
    }
    let mut run = Run::new(shell("python3 -c \"$0\" & read line; kill $!").arg(script));
    let called_so = |tree: &Tree| {
        let comm = |thread: &ThreadNow| {
            let ThreadId { process, tid } = thread.thread;
            std::fs::read_to_string(format!("/proc/{}/task/{tid}/comm", process.pid)).unwrap_or_default()
        };
        tree.threads().filter(|thread| comm(thread).trim_end() == hangdog_flight::TICK_THREAD).count()
    };
    // One of them may be a recorder's at first; both are threads like all when no recorder was found.
    run.until(|_, tree| called_so(tree) == 2);
    assert_eq!((run.tree.threads().count(), run.tree.ticks().len()), (3, 0));
    std::io::Write::write_all(run.child.stdin.as_mut().unwrap(), b"\n").unwrap();
    run.until(|_, tree| tree.threads().count() == 0);
}
