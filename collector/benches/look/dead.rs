//! Processes that are stuck in the kernel, and in whom others get stuck who read of them: four hold an epoll set's mutex
//! (their reader cannot even be killed), four their exec lock, and two wait for a server.
#![expect(unsafe_code, reason = "userfaultfd, and an epoll set whose events go to a page that is never there")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::mm::{MapFlags, ProtFlags, UserfaultfdFlags, mmap_anonymous, userfaultfd};

use crate::crowd::child;

#[path = "../../tests/dead_mount/mod.rs"]
mod dead_mount;

/// Starts them, and waits until they are stuck.
pub(crate) fn start() -> io::Result<()> {
    let mut pids = Vec::new();
    for _ in 0..4 {
        pids.push(child(in_epoll_wait)?);
    }
    let place = tempfile::tempdir()?;
    let device = dead_mount::mount(place.path()).map_err(io::Error::other)?;
    let server = child(|| {
        dead_mount::serve(&device);
        Ok(())
    })?;
    // Only the server has the connection: it goes with it.
    drop(device);
    let path = place.path().join("file");
    for _ in 0..4 {
        pids.push(child(|| {
            let _closed_by_exec = File::open(&path)?;
            Err(Command::new("sleep").arg("600").exec())
        })?);
    }
    for _ in 0..2 {
        pids.push(child(|| File::open(&path).map(drop))?);
    }
    let limit = Instant::now() + Duration::from_secs(20);
    while !pids.iter().chain([&server]).all(|pid| is_asleep(*pid)) {
        if Instant::now() > limit {
            return Err(io::Error::other("they never got stuck"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // The mount goes with the namespace; looking at its directory would be one more to be stuck.
    std::mem::forget(place);
    Ok(())
}

/// By `status`, which never blocks.
fn is_asleep(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.contains("State:\tS") || status.contains("State:\tD")
}

fn in_epoll_wait() -> io::Result<()> {
    const PAGE: usize = 4096;
    let both = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel picks an address where nothing is mapped.
    let page = unsafe { mmap_anonymous(std::ptr::null_mut(), PAGE, both, MapFlags::PRIVATE) }?;
    // SAFETY: used for the page above alone, to which there is no reference.
    let faults = unsafe { userfaultfd(UserfaultfdFlags::CLOEXEC) }?;
    // `struct uffdio_api` and `struct uffdio_register`, whose mode 1 is "missing".
    let mut api = [0xaa_u64, 0, 0];
    let mut register = [page as u64, PAGE as u64, 1, 0];
    // SAFETY: `UFFDIO_API` writes to three words that live through the call.
    let outcome = unsafe { libc::ioctl(faults.as_raw_fd(), 0xc018_aa3f_u64 as _, api.as_mut_ptr()) };
    // SAFETY: `UFFDIO_REGISTER` writes to four words that live through the call.
    let registered = unsafe { libc::ioctl(faults.as_raw_fd(), 0xc020_aa00_u64 as _, register.as_mut_ptr()) };
    if outcome != 0 || registered != 0 {
        return Err(io::Error::last_os_error());
    }
    let ready = eventfd(1, EventfdFlags::empty())?;
    let set = epoll::create(epoll::CreateFlags::empty())?;
    epoll::add(&set, &ready, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    // SAFETY: the page has room for one event.
    unsafe { libc::epoll_wait(set.as_raw_fd(), page.cast(), 1, -1) };
    Err(io::Error::other("the page was filled"))
}
