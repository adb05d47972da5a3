//! Many processes, each with 25 descriptors of its own.
#![expect(unsafe_code, reason = "there is no safe fork, and epoll sets are made by number")]

use std::fs::File;
use std::io::{self, PipeWriter, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use rustix::event::{EventfdFlags, epoll, eventfd};

/// Starts so many; they wait until they are killed, with this process at the latest.
pub(crate) fn start(count: usize) -> io::Result<()> {
    let (mut told, tell) = io::pipe()?;
    for _ in 0..count {
        child(|| wait_with_files(tell.try_clone()?))?;
    }
    // Not to the end: each has a copy of the writing end.
    told.read_exact(&mut vec![0; count])
}

/// Forks a child that does this and nothing else.
pub(crate) fn child(work: impl FnOnce() -> io::Result<()>) -> io::Result<u32> {
    // SAFETY: this process has one thread, so the child may do what its parent could.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = work().map_or_else(
                |error| {
                    eprintln!("a process of the crowd: {error}");
                    1
                },
                |()| 0,
            );
            // SAFETY: ends the child at once, running nothing of its parent.
            unsafe { libc::_exit(code) }
        }
        pid => Ok(pid as u32),
    }
}

/// With the three standard streams: ten files, four ends of pipes, four of unix sockets, two of TCP, an eventfd, an epoll set.
fn wait_with_files(mut tell: PipeWriter) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let _files = (0..10).map(|_| File::open(&program)).collect::<io::Result<Vec<_>>>()?;
    let _pipes = [io::pipe()?, io::pipe()?];
    let _sockets = [UnixStream::pair()?, UnixStream::pair()?];
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let _tcp = (TcpStream::connect(listener.local_addr()?)?, listener.accept()?);
    drop(listener);
    let event = eventfd(0, EventfdFlags::empty())?;
    let set = epoll::create(epoll::CreateFlags::empty())?;
    epoll::add(&set, &event, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    tell.write_all(b"x")?;
    drop(tell);
    loop {
        nix::unistd::pause();
    }
}
