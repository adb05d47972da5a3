//! Places to run a command in: a small disk, a machine without FUSE, a terminal. Each becomes the command, or
//! ends like it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};

use crate::{Outcome, role};

/// `on-small-disk DIRECTORY COMMAND…`: with a file system of two pages mounted at the directory.
pub(crate) fn on_small_disk(arguments: &[String]) -> Outcome {
    let (directory, command) = arguments.split_first().ok_or("no directory given")?;
    fs::create_dir_all(directory)?;
    own_mounts()?;
    mount(Some("tmpfs"), directory.as_str(), Some("tmpfs"), MsFlags::empty(), Some("size=8k"))?;
    become_command(command)
}

/// `without-fuse COMMAND…`: with `/dev/null` in the place of `/dev/fuse`.
pub(crate) fn without_fuse(arguments: &[String]) -> Outcome {
    own_mounts()?;
    mount(Some("/dev/null"), "/dev/fuse", None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    become_command(arguments)
}

/// `with-read-only-shm COMMAND…`: with a `/dev/shm` that nobody can write to.
pub(crate) fn with_read_only_shm(arguments: &[String]) -> Outcome {
    own_mounts()?;
    mount(Some("tmpfs"), "/dev/shm", Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>)?;
    become_command(arguments)
}

/// `without-proc COMMAND…`: with an empty directory in the place of `/proc`.
pub(crate) fn without_proc(arguments: &[String]) -> Outcome {
    own_mounts()?;
    mount(Some("tmpfs"), "/proc", Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    become_command(arguments)
}

/// A mount namespace of one's own; for an ordinary user inside a user namespace of one's own.
fn own_mounts() -> Outcome {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    if uid.is_root() {
        unshare(CloneFlags::CLONE_NEWNS)?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    Ok(())
}

fn become_command(words: &[String]) -> Outcome {
    let (program, arguments) = words.split_first().ok_or("no command given")?;
    Err(Command::new(program).args(arguments).exec().into())
}

/// `on-terminal TYPED COMMAND…`: with a terminal as streams and controlling terminal, on which somebody has typed
/// a line; its output is copied, and this ends like the command.
pub(crate) fn on_terminal(arguments: &[String]) -> Outcome {
    let (typed, command) = arguments.split_first().ok_or("nothing to type given")?;
    let pty = nix::pty::openpty(None, None)?;
    let terminal = File::from(pty.slave);
    let mut leader = role::part("session-leader")?
        .args(command)
        .stdin(Stdio::from(terminal.try_clone()?))
        .stdout(Stdio::from(terminal.try_clone()?))
        .stderr(Stdio::from(terminal))
        .spawn()?;
    let mut screen = File::from(pty.master);
    writeln!(screen, "{typed}")?;
    // A terminal whose other side is closed reads as an error, not as an end.
    let _closed = io::copy(&mut screen, &mut io::stdout());
    let status = leader.wait()?;
    if let Some(signal) = status.signal() {
        kill(nix::unistd::Pid::this(), Signal::try_from(signal)?)?;
    }
    std::process::exit(status.code().unwrap_or(1));
}

/// `session-leader COMMAND…`: makes standard input the controlling terminal of a new session.
pub(crate) fn session_leader(arguments: &[String]) -> Outcome {
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(io::stdin().as_fd())?;
    become_command(arguments)
}
