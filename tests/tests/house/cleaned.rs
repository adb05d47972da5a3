//! What a killed run leaves outside of memory, `hangdog clean` names with its proof and takes away: a server of a
//! hung FUSE mount, the mount itself, and whoever waits for it. Who only looks the same stays.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use hangdog_tests::{Bench, Ended, programs, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::descendants;

/// Lives on its own, with the variables of the run it was started in.
const DAEMON: &str = r#"setsid sleep 1000 & echo $! > "$0"; exec "$@""#;

/// A mount namespace in which `/dev/shm` is empty: nobody else's dead runs are touched.
struct Place(Child);

impl Place {
    fn new() -> Self {
        let script = "mount -t tmpfs tmpfs /dev/shm && echo there && read _";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("unshare");
        let read = BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut String::new());
        assert_eq!(read.expect("a line"), 6, "no namespace");
        Self(child)
    }

    fn proc(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{path}", self.0.id()))
    }

    fn inside(&self, bench: &Bench, line: impl IntoIterator<Item = OsString>) -> Command {
        let pid = self.0.id().to_string();
        let enter = ["nsenter", "-m", "-t", &pid, "--"].map(OsString::from);
        let mut command = bench.unwatched(enter.into_iter().chain(line));
        command.env_remove("XDG_RUNTIME_DIR");
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}

/// A run whose hangdog and command were killed.
struct Killed {
    bench: Bench,
    place: Place,
    mount: PathBuf,
}

pub(crate) fn processes_connections_and_mounts() {
    let killed = Killed::in_a_hang();
    let left = killed.left();
    let dry = killed.hangdog(&["clean"]);
    for (name, pid) in &left {
        let line = format!("would remove  process of a run       {pid} ({name}): its number and begin are on record");
        assert!(dry.stdout.contains(&line), "{line}\n{}", dry.stdout);
    }
    let mount = killed.mount.display().to_string();
    for line in [
        "would remove  FUSE connection        /sys/fs/fuse/connections/".to_owned(),
        format!("would remove  mount of a run         {mount}: it lies on a FUSE connection of run"),
        "would remove  directory of a run".to_owned(),
    ] {
        assert!(dry.stdout.contains(&line), "{line}\n{}", dry.stdout);
    }
    assert_eq!(killed.left(), left, "a dry run does nothing");
    assert!(killed.is_mounted(), "a dry run does nothing");
    let mut canary = killed.canary();
    // The records are the proof: another run leaves them where they are.
    let next = killed.hangdog(&["run", "--", "true"]);
    assert_eq!((next.status.code(), next.stderr.as_str()), (Some(0), ""));
    let applied = killed.hangdog(&["clean", "--apply"]);
    assert_eq!((applied.status.code(), applied.stderr.as_str()), (Some(0), ""), "{}", applied.stdout);
    until("the end of the processes", || killed.left().is_empty().then_some(()));
    assert!(!killed.is_mounted(), "{}", applied.stdout);
    let unproven = format!("left alone    process of a run       {} (sleep): its environment names run", canary.id());
    assert!(applied.stdout.contains(&unproven), "{unproven}\n{}", applied.stdout);
    assert_eq!(canary.try_wait().expect("our own child"), None, "who only looks the same stays");
    canary.kill().expect("our own child");
    canary.wait().expect("our own child");
    let again = killed.hangdog(&["clean"]);
    assert_eq!(again.stdout, "dead runs have left nothing here\n");
}

/// A mount whose server has been killed too is the run's by its number.
pub(crate) fn a_mount_without_a_server() {
    let killed = Killed::in_a_hang();
    for (_, pid) in killed.left() {
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).expect("a process of the test");
    }
    until("the end of the processes", || killed.left().is_empty().then_some(()));
    assert!(killed.is_mounted());
    let applied = killed.hangdog(&["clean", "--apply"]);
    assert_eq!((applied.status.code(), applied.stderr.as_str()), (Some(0), ""), "{}", applied.stdout);
    assert!(!killed.is_mounted(), "{}", applied.stdout);
}

/// Another one's mount at the same place, with the same numbers: the kernel gives both out again.
pub(crate) fn the_same_place_used_again() {
    let killed = Killed::in_a_hang();
    for (_, pid) in killed.left() {
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).expect("a process of the test");
    }
    until("the end of the processes", || killed.left().is_empty().then_some(()));
    let line = ["umount".into(), "-l".into(), killed.mount.clone().into_os_string()];
    assert!(killed.place.inside(&killed.bench, line).status().expect("umount").success());
    let line = killed.bench.scenario("stuck", &["stat".as_ref(), killed.mount.as_ref()]);
    let mut other =
        killed.place.inside(&killed.bench, line).stderr(Stdio::null()).process_group(0).spawn().expect("a program");
    until("the other mount", || killed.is_mounted().then_some(()));
    let applied = killed.hangdog(&["clean", "--apply"]);
    assert_eq!((applied.status.code(), applied.stderr.as_str()), (Some(0), ""), "{}", applied.stdout);
    assert!(killed.is_mounted(), "it is another one's: {}", applied.stdout);
    assert_eq!(other.try_wait().expect("our own child"), None, "{}", applied.stdout);
    // The server ends the wait of the one who waits for it.
    nix::sys::signal::killpg(Pid::from_raw(other.id().cast_signed()), Signal::SIGKILL).expect("a group of the test");
    other.wait().expect("our own child");
}

impl Killed {
    /// Killed when a snapshot has seen the mount.
    fn in_a_hang() -> Self {
        let bench = Bench::new(programs!());
        let (place, mount) = (Place::new(), bench.path("mount"));
        let run = ["run", "--on-hang", "wait", "--quiet-after", "1s", "--", "sh", "-c", DAEMON].map(OsString::from);
        let mut line = vec![bench.hangdog([""; 0]).get_program().to_owned()];
        line.extend(run);
        line.push(bench.path("daemon").into());
        line.extend(bench.scenario("stuck", &["stat".as_ref(), mount.as_ref()]));
        let mut command = place.inside(&bench, line);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut hangdog = command.spawn().expect("hangdog");
        let killed = Self { bench, place, mount };
        until("the note of the mount", || {
            let notes = fs::read_to_string(killed.directory()?.join("mounts.json")).ok()?;
            notes.contains("unique").then_some(())
        });
        hangdog.kill().expect("our own child");
        hangdog.wait().expect("our own child");
        let command = killed.bench.pid_of("starter");
        kill(Pid::from_raw(command.cast_signed()), Signal::SIGKILL).expect("a process of the test");
        killed
    }

    fn directory(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.place.proc("root/dev/shm/hangdog-0")).ok()?;
        entries.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("/run-"))
    }

    fn hangdog(&self, arguments: &[&str]) -> Ended {
        let mut line = vec![self.bench.hangdog([""; 0]).get_program().to_owned()];
        line.extend(arguments.iter().map(OsString::from));
        self.bench.end_of(&mut self.place.inside(&self.bench, line))
    }

    /// Processes of the run that live.
    fn left(&self) -> BTreeSet<(String, u32)> {
        let daemon =
            fs::read_to_string(self.bench.path("daemon")).expect("its number").trim().parse().expect("a number");
        let mut roles: Vec<(String, u32)> =
            self.bench.roles().into_iter().filter(|(name, _)| name != "starter").collect();
        roles.push(("sleep".to_owned(), daemon));
        roles.into_iter().filter(|(_, pid)| descendants::is_alive(*pid)).collect()
    }

    fn is_mounted(&self) -> bool {
        let mounts = fs::read_to_string(self.place.proc("mountinfo")).expect("its mounts");
        mounts.contains(&format!(" {} ", self.mount.display()))
    }

    /// Not of the run, with the variable of it.
    fn canary(&self) -> Child {
        let directory = self.directory().expect("the run's directory");
        let name = directory.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix("run-"));
        let mut command = self.bench.unwatched(["sleep", "1000"]);
        command.env("HANGDOG_RUN_ID", name.expect("a name")).spawn().expect("sleep")
    }
}
