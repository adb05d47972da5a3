//! Threads that are stuck in the kernel, one situation each.
//!
//! ```text
//! stuck NAME PLACE ─┬─▶ stuck-server   serves a mount on PLACE and never answers one kind of request
//!                   └─▶ stuck-victim   makes the one call that never returns
//! ```
//!
//! | in | is |
//! | --- | --- |
//! | `server` | the server, without any library: what it leaves out is left out for certain |
//! | `calls` | calls that wait for the server, and waits without one |
//! | `pages` | calls that wait for a page of their memory, with a lock of the kernel held |
//!
//! Each request is noted in `PLACE.requests`.

mod calls;
mod pages;
mod server;

use std::fs::{self, File};
use std::process::Stdio;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;

use self::server::Op;
use crate::{Outcome, role};

pub(crate) use self::calls::holder;
pub(crate) use self::server::serve;

/// What the server of a situation leaves unanswered; nothing, when there is no server.
fn unanswered(name: &str) -> Option<Op> {
    Some(match name {
        "open" | "second-thread" => Op::Open,
        "opendir" => Op::OpenDir,
        "getdents" => Op::ReadDir,
        "stat" => Op::GetAttr,
        "lookup" | "directory-lock" => Op::Lookup,
        "read" | "read-direct" | "execve" | "page-fault" | "path-in-file" => Op::Read,
        "close" | "exit" | "killed" | "exec-lock" => Op::Flush,
        "chdir" => Op::Access,
        "write" | "write-direct" | "inside-mmap" | "msync" => Op::Write,
        "fsync" => Op::Fsync,
        "lock" => Op::SetLockWait,
        "readlink" => Op::ReadLink,
        "ioctl" => Op::Ioctl,
        "poll" => Op::Poll,
        "statfs" => Op::StatFs,
        "server-sleeps" | "server-died" => Op::All,
        _ => return None,
    })
}

/// `stuck NAME PLACE`: builds the situation and waits for whoever is stuck in it.
pub(crate) fn stuck(arguments: &[String]) -> Outcome {
    let [name, place, ..] = arguments else { return Err("a situation and a place are needed".into()) };
    role::take("starter")?;
    let mut server = None;
    if let Some(op) = unanswered(name) {
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        // Standard input is the one descriptor that a program inherits without being asked.
        let options = {
            use std::os::fd::AsRawFd as _;
            format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd())
        };
        fs::create_dir_all(place)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("stuck"), place.as_str(), Some("fuse.stuck"), flags, Some(options.as_str()))?;
        let mut part = role::part("stuck-server")?;
        part.args([name, &op.number().to_string(), &format!("{place}.requests")]).stdin(Stdio::from(device));
        server = Some(part.spawn()?);
    }
    if name == "server-died" {
        // What is left of it is a child that has the device open.
        server.take().map(|mut server| server.wait()).transpose()?;
    }
    let mut victim = role::part("stuck-victim")?.args(arguments).stdin(Stdio::null()).spawn()?;
    victim.wait()?;
    Ok(())
}

/// `stuck-victim NAME PLACE`: never ends by itself.
pub(crate) fn victim(arguments: &[String]) -> Outcome {
    let [name, place, ..] = arguments else { return Err("a situation and a place are needed".into()) };
    role::take("victim")?;
    match name.as_str() {
        "inside-mmap" => crate::mapped::twice(&format!("{place}/file"))?,
        "stopped" => nix::sys::signal::raise(Signal::SIGSTOP)?,
        "frozen-v1" | "frozen-v2" => nix::unistd::pause(),
        _ if name.ends_with("-page") => pages::never_filled(name)?,
        _ => calls::make(name, place)?,
    }
    Err(format!("{name} came back").into())
}
