//! A part in namespaces of its own: it sees only its own processes, and when it ends, all of them do.

use std::io;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::unistd::Pid;

use crate::Part;

fn again(how: &str, name: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([how, name]);
    Ok(command)
}

/// Runs a part and returns its rows.
pub(crate) fn run(name: &str) -> io::Result<String> {
    let output = again("--apart", name)?.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("the part {name} failed: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Goes there: what it starts next is the first process of the new pid namespace.
pub(crate) fn enter(name: &str) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    let status = again("--inside", name)?.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

/// Measures.
pub(crate) fn inside(part: Option<Part>) -> io::Result<()> {
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>)?;
    for row in part.ok_or(io::ErrorKind::NotFound)?()? {
        print!("{row}");
    }
    Ok(())
}

/// From here on everything that is started runs on one processor, or again on all.
pub(crate) fn on_one_cpu(is_one: bool) -> io::Result<()> {
    let mut cpus = CpuSet::new();
    let all = std::thread::available_parallelism()?.get().max(2);
    let last = CpuSet::count().min(all) - 1;
    for cpu in (0..=last).filter(|cpu| !is_one || *cpu == last) {
        cpus.set(cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &cpus)?)
}
