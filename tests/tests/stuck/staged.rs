//! A situation that is built under hangdog: it looks at it for some seconds, ends it, and leaves nothing behind.
//!
//! What is stuck is let go in any case, by a shell that outlives the test: connections are aborted, disks and groups
//! thawed, processes killed.

use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hangdog_tests::{Bench, Disk, Freezer, Group, Undo, programs, until};

use crate::looked;
use crate::situations::Situation;
use crate::watched::{Watched, watch};

/// Longer than any run here takes on a slow and busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Lets go of whatever is left of a situation. Numbers are given to somebody else soon: a connection is aborted only as
/// long as it is mounted here, a process killed only when it has the name.
const LET_GO: &str = r#"
    connection=$(awk -v place="$1" '$5 == place { split($3, device, ":"); print device[2] }' /proc/self/mountinfo)
    [ -n "$connection" ] && echo 1 > "/sys/fs/fuse/connections/$connection/abort"
    umount -l "$1"
    while read -r role pid; do
        [ "$(cat "/proc/$pid/comm")" = "$role" ] && kill -9 "$pid"
    done < "$2"
    true"#;

/// A situation with all that it takes.
pub(crate) struct Staged {
    pub(crate) bench: Bench,
    /// Before the bench: the files that it reads lie there.
    let_go: Option<Undo>,
    place: PathBuf,
    disk: Option<(Disk, Option<Undo>)>,
    group: Option<Group>,
}

impl Staged {
    pub(crate) fn new(situation: &Situation) -> Self {
        let bench = Bench::new(programs!());
        let mut place = bench.path("place");
        let let_go = Undo::by(LET_GO, [place.clone(), bench.path("roles")]);
        let disk = (situation.name == "frozen-disk").then(|| {
            let disk = Disk::new();
            place = disk.path();
            let thaw = disk.freeze();
            (disk, Some(thaw))
        });
        Self { bench, let_go: Some(let_go), place, disk, group: None }
    }

    /// The command line that builds it.
    pub(crate) fn line(&self, situation: &Situation) -> Vec<std::ffi::OsString> {
        self.bench.scenario("stuck", &[OsStr::new(situation.name), self.place.as_os_str()])
    }

    /// `hangdog run` that only looks, until its time is over; then it ends the run.
    pub(crate) fn run(&self, situation: &Situation) -> Command {
        let mut command =
            self.bench.hangdog(["run", "--quiet-after", "1s", "--timeout", "5s", "--on-hang", "report"]);
        command.arg("--report").arg(self.bench.report_path()).arg("-o").arg(self.bench.capture_path());
        command.arg("--").args(self.line(situation));
        command
    }

    /// What the outside has to do once the victim is there.
    fn freeze(&mut self, situation: &Situation) {
        let freezer = match situation.name {
            "frozen-v1" => Freezer::V1,
            "frozen-v2" => Freezer::V2,
            _ => return,
        };
        until("the victim", || self.bench.roles().iter().any(|(role, _)| role == "victim").then_some(()));
        let group = Group::of(freezer, self.bench.pid_of("victim"));
        group.freeze();
        self.group = Some(group);
    }

    /// Where a server's files are, if there is one.
    pub(crate) fn place(&self) -> &std::path::Path {
        &self.place
    }

    /// Where requests are noted, if there is a server.
    pub(crate) fn requests(&self) -> PathBuf {
        let mut path = self.place.clone().into_os_string();
        path.push(".requests");
        path.into()
    }

    /// Whether its mount is there.
    pub(crate) fn is_mounted(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("our own mounts");
        mounts.lines().any(|line| line.split(' ').nth(4) == self.place.to_str() && line.contains("fuse.stuck"))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Thawed first: nobody who is frozen can be killed.
        if let Some((_, thaw)) = &mut self.disk {
            drop(thaw.take());
        }
        if let Some(group) = &self.group {
            group.thaw();
        }
        drop(self.let_go.take());
    }
}

/// A hangdog that is killed when the test is over before it is.
struct Hangdog(Child);

impl Drop for Hangdog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds it, watches hangdog look at it, and compares.
#[track_caller]
pub(crate) fn check(situation: &Situation) {
    let mut staged = Staged::new(situation);
    let (out, err) = (staged.bench.path("out"), staged.bench.path("err"));
    let file = |path| File::create(path).expect("a file for output");
    let mut command = staged.run(situation);
    let mut hangdog = Hangdog(command.stdout(file(&out)).stderr(file(&err)).spawn().expect("hangdog"));
    staged.freeze(situation);
    let mut watched = Watched::new(&staged, situation, hangdog.0.id());
    let began = Instant::now();
    let status = loop {
        if let Some(status) = hangdog.0.try_wait().expect("our own child") {
            break status;
        }
        watch(&mut watched, staged.group.as_ref());
        assert!(began.elapsed() < PATIENCE, "hangdog did not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    let told = || format!("{}{}", text(&out), text(&err));
    assert_eq!(status.code(), Some(124), "{}", told());
    watched.check(situation, &told());
    looked::check(&staged.bench, situation, &watched);
    if situation.outlives {
        let left = text(&err);
        assert!(left.contains("still there"), "what is left is named: {left}");
    } else {
        assert_eq!(staged.bench.alive(), Vec::<String>::new(), "left behind: {}", told());
    }
    assert!(!staged.is_mounted(), "the mount is left: {}", told());
    watched.check_readers_are_gone();
}

fn text(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
