//! Who something belongs to, in a way that no other process will ever be: host, boot, pid namespace, pid and start
//! time.

use std::io;
use std::time::Duration;

use hangdog_schemas::{Pid, ProcessId};
use serde::{Deserialize, Serialize};

use crate::kernel::{fork_helper, has_ended, open_process, start_of_own};

/// How long a start time may take: it is read of a process that may be stuck in an exec.
const LIMIT: Duration = Duration::from_millis(500);

/// A process, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Host name: for people.
    pub host: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    /// Inode of its pid namespace, in which `pid` counts.
    pub pid_namespace: u64,
    /// Its number.
    pub pid: u32,
    /// When it began, in ticks since boot.
    pub start: u64,
}

/// Whether somebody lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// Surely.
    Alive,
    /// Surely not.
    Dead,
    /// It cannot be told here, and why.
    Unknown(String),
}

impl Owner {
    /// This process.
    pub fn own() -> io::Result<Self> {
        let pid = std::process::id();
        Self::of(pid, start_of_own(pid)?)
    }

    /// A process of this machine and pid namespace.
    pub fn of(pid: u32, start: u64) -> io::Result<Self> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let link = std::fs::read_link("/proc/self/ns/pid")?;
        let namespace = link.to_str().and_then(|text| text.split_once('[')?.1.strip_suffix(']')?.parse().ok());
        let pid_namespace = namespace.ok_or_else(|| io::Error::other("/proc/self/ns/pid is not as documented"))?;
        Ok(Self { host, boot, pid_namespace, pid, start })
    }

    /// As the other records name it.
    pub fn process(&self) -> ProcessId {
        ProcessId { pid: Pid(self.pid), start: hangdog_schemas::Big(self.start) }
    }

    /// Whether it lives.
    pub fn life(&self) -> Life {
        let own = match Self::own() {
            Ok(own) => own,
            Err(error) => return Life::Unknown(format!("/proc cannot be read: {error}")),
        };
        if self.boot != own.boot {
            // A boot id is told once in the world; the host's name tells whether it was this machine's.
            return if self.host == own.host {
                Life::Dead
            } else {
                Life::Unknown(format!("it ran on another machine, {}", self.host))
            };
        }
        if self.pid_namespace != own.pid_namespace {
            return Life::Unknown("it ran in another pid namespace (a container)".to_owned());
        }
        // One that nobody waits for, as in a container whose first process reaps nobody, is a zombie for good.
        let Some(_alive) = open_process(self.pid).filter(|pidfd| !has_ended(pidfd)) else { return Life::Dead };
        match is_start(self.pid, self.start) {
            Some(false) => Life::Dead,
            // A read that got stuck says nothing: it counts as alive.
            Some(true) | None => Life::Alive,
        }
    }
}

/// Whether the process with this number began then.
fn is_start(pid: u32, start: u64) -> Option<bool> {
    if pid == std::process::id() {
        return Some(start_of_own(pid).ok()? == start);
    }
    let look = || start_of_own(pid).map_or(2, |now| i32::from(now != start));
    let helper = fork_helper(c"hangdog-look", &[], look).ok()?;
    let answer = helper.wait(LIMIT);
    if answer.is_none() {
        helper.kill();
    }
    match answer? {
        0 => Some(true),
        1 => Some(false),
        // It ended meanwhile.
        2 => Some(open_process(pid).is_some()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::wait_readable;

    #[test]
    fn a_number_that_was_given_out_again_is_somebody_else() {
        let own = Owner::own().unwrap();
        assert_eq!(own.life(), Life::Alive);
        let parent = std::os::unix::process::parent_id();
        let start = start_of_own(parent).unwrap();
        let parent = |start| Owner { pid: parent, start, ..own.clone() };
        assert_eq!((parent(start).life(), parent(start + 1).life()), (Life::Alive, Life::Dead));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        wait_readable(&open_process(child.id()), Duration::from_mins(1));
        let of_child = Owner::of(child.id(), start_of_own(child.id()).unwrap()).unwrap();
        assert_eq!(of_child.life(), Life::Dead, "a zombie");
        child.wait().unwrap();
        assert_eq!(of_child.life(), Life::Dead);
        // Another boot of this machine; another machine; a container.
        let boot = |host: &str| Owner { boot: "other".to_owned(), host: host.to_owned(), ..own.clone() };
        assert_eq!(boot(&own.host).life(), Life::Dead);
        assert!(matches!(boot("elsewhere").life(), Life::Unknown(why) if why.contains("elsewhere")));
        assert!(matches!(Owner { pid_namespace: 1, ..own.clone() }.life(), Life::Unknown(_)));
    }
}
