//! The calls that never return, each made by name.
#![expect(unsafe_code, reason = "mmap, ioctl and a child that shares its parent's wait have no safe form")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FlockOperation;
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync};

use crate::{Outcome, role};

const PAGE: usize = 4096;

/// Makes the call of a situation. It comes back only when the situation was not built.
pub(super) fn make(name: &str, place: &str) -> Outcome {
    let path = format!("{place}/file");
    let open = || File::options().read(true).write(true).open(&path);
    match name {
        "open" | "close" | "server-sleeps" | "server-died" => drop(open()?),
        "opendir" => drop(fs::read_dir(format!("{place}/dir"))?),
        "getdents" => drop(fs::read_dir(format!("{place}/dir"))?.next()),
        "stat" => _ = fs::metadata(&path)?,
        "lookup" => _ = fs::metadata(format!("{place}/never"))?,
        "read" | "read-direct" => drop(open()?.read(&mut [0; 16])?),
        "exit" => {
            let _open = open()?;
            std::process::exit(0);
        }
        "killed" => {
            let _open = open()?;
            // To the process, not to the thread: so it stays pending all through the exit.
            kill(Pid::this(), Signal::SIGKILL)?;
        }
        "exec-lock" => {
            // Opened with O_CLOEXEC, so the exec closes it, and waits. Once it is let go, it ends at once.
            let _open = open()?;
            return Err(Command::new("true").exec().into());
        }
        "execve" => return Err(Command::new(&path).exec().into()),
        "chdir" => std::env::set_current_dir(format!("{place}/dir"))?,
        "write" | "write-direct" => open()?.write_all(b"x")?,
        "fsync" => {
            let mut file = open()?;
            file.write_all(&[1; PAGE])?;
            file.sync_all()?;
        }
        "lock" => rustix::fs::fcntl_lock(open()?, FlockOperation::LockExclusive)?,
        "readlink" => drop(fs::read_link(format!("{place}/link"))?),
        "ioctl" => ask(&open()?)?,
        "poll" => drop(poll(&mut [PollFd::new(&open()?, PollFlags::IN)], None)?),
        "statfs" => drop(rustix::fs::statfs(place)?),
        "page-fault" => drop(read_mapped(&open()?)?),
        "msync" => write_mapped(&open()?)?,
        "path-in-file" => open_at_mapped(&open()?)?,
        "second-thread" => {
            std::thread::spawn(move || {
                let _ = role::note("victim-thread", nix::unistd::gettid().as_raw());
                File::open(path)
            });
            nix::unistd::pause();
        }
        "directory-lock" => behind_a_creator(place)?,
        "vfork" => share_a_wait()?,
        "frozen-disk" => drop(File::create(format!("{place}/new"))?),
        _ => return Err(format!("there is no situation {name}").into()),
    }
    Ok(())
}

/// `stuck-holder`: keeps the device open as its standard input, and nothing more.
pub(crate) fn holder(_: &[String]) -> Outcome {
    role::take("holder")?;
    loop {
        nix::unistd::pause();
    }
}

/// What a stuck parent waits for.
fn sleeper() -> Outcome {
    role::take("sleeper")?;
    loop {
        nix::unistd::pause();
    }
}

/// An ioctl that the kernel passes on to the server.
fn ask(file: &File) -> std::io::Result<()> {
    // `_IOR('x', 1, int)`: no file system of the kernel knows it.
    const ASK: u64 = 0x8004_7801;
    let mut answer = 0_i32;
    // SAFETY: the number says that four bytes are written to an `int` that lives through the call.
    let outcome = unsafe { libc::ioctl(file.as_raw_fd(), ASK as _, &raw mut answer) };
    if outcome == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn page_of(file: &File) -> std::io::Result<*mut u8> {
    let both = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel picks an address where nothing is mapped.
    Ok(unsafe { mmap(ptr::null_mut(), PAGE, both, MapFlags::SHARED, file, 0) }?.cast())
}

fn read_mapped(file: &File) -> std::io::Result<u8> {
    let page = page_of(file)?;
    // SAFETY: one byte of a page that was just mapped for reading, of a file that has this byte.
    Ok(unsafe { page.read_volatile() })
}

fn write_mapped(file: &File) -> std::io::Result<()> {
    let page = page_of(file)?;
    // SAFETY: one byte of a page that was just mapped for writing, of a file that has this byte.
    unsafe { page.write_volatile(1) };
    // SAFETY: the page is mapped, and stays so.
    unsafe { msync(page.cast(), PAGE, MsyncFlags::SYNC) }?;
    Ok(())
}

/// Opens a path that stands in a page of the file: the kernel waits for the page in the middle of the call.
fn open_at_mapped(file: &File) -> std::io::Result<()> {
    let page = page_of(file)?;
    // SAFETY: the path is a page of the file, whose zeros end it.
    if unsafe { libc::open(page.cast(), libc::O_RDONLY) } >= 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error())
}

/// One thread creates a file and holds the lock of the directory while it waits for the server; this one waits for it.
fn behind_a_creator(place: &str) -> Outcome {
    let new = format!("{place}/dir/new");
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let tid = nix::unistd::gettid().as_raw();
        let _ = role::note("creator", tid);
        let _ = tell.send(tid);
        File::create(new)
    });
    let tid = told.recv()?;
    while fs::read_to_string(format!("/proc/self/task/{tid}/wchan"))? != "request_wait_answer" {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    fs::metadata(format!("{place}/dir/other"))?;
    Ok(())
}

/// What vfork(2) does to the parent, without its hazards: the child has memory of its own.
fn share_a_wait() -> Outcome {
    // SAFETY: like fork: the child has a copy of everything, and this program has one thread.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_VFORK | libc::SIGCHLD, 0, 0, 0, 0) };
    match child {
        0 => sleeper(),
        -1 => Err(std::io::Error::last_os_error().into()),
        _ => Ok(()),
    }
}
