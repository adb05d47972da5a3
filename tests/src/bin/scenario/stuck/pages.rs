//! Calls that touch a page that nobody ever fills: the kernel waits in the middle of them, with whatever lock it holds.
//!
//! The page is one of a userfaultfd that nobody reads from.
#![expect(unsafe_code, reason = "userfaultfd, and pointers to pages that are not there")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::ptr;

use rustix::event::{EventfdFlags, eventfd};
use rustix::mm::{MapFlags, ProtFlags, UserfaultfdFlags, mmap_anonymous, userfaultfd};

use crate::Outcome;

const PAGE: usize = 4096;

/// `struct uffdio_api`.
#[repr(C)]
struct Api {
    version: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_register`.
#[repr(C)]
struct Register {
    start: u64,
    len: u64,
    mode: u64,
    ioctls: u64,
}

/// `_IOWR(0xaa, 0x3f, struct uffdio_api)` and `_IOWR(0xaa, 0, struct uffdio_register)`.
const UFFDIO_API: u64 = 0xc018_aa3f;
const UFFDIO_REGISTER: u64 = 0xc020_aa00;
/// `UFFDIO_REGISTER_MODE_MISSING`.
const MISSING: u64 = 1;

/// A page that is never there, and the descriptor that makes it so.
fn page() -> io::Result<(OwnedFd, *mut libc::c_void)> {
    let both = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel picks an address where nothing is mapped.
    let page = unsafe { mmap_anonymous(ptr::null_mut(), PAGE, both, MapFlags::PRIVATE) }?;
    // SAFETY: the descriptor is used for the page above alone, to which no reference exists.
    let faults = unsafe { userfaultfd(UserfaultfdFlags::CLOEXEC) }?;
    let mut api = Api { version: 0xaa, features: 0, ioctls: 0 };
    // SAFETY: the number says how large the structure is, and it lives through the call.
    if unsafe { libc::ioctl(faults.as_raw_fd(), UFFDIO_API as _, &raw mut api) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut register = Register { start: page as u64, len: PAGE as u64, mode: MISSING, ioctls: 0 };
    // SAFETY: as above; the range is the page.
    if unsafe { libc::ioctl(faults.as_raw_fd(), UFFDIO_REGISTER as _, &raw mut register) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((faults, page))
}

/// Makes the call of a situation.
pub(super) fn never_filled(name: &str) -> Outcome {
    let (_faults, page) = page()?;
    let outcome = match name {
        // Holds the mutex of the set.
        "epoll-page" => {
            let ready = eventfd(1, EventfdFlags::empty())?;
            // SAFETY: makes a descriptor.
            let set = unsafe { libc::epoll_create1(0) };
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
            // SAFETY: both descriptors are open, and the event lives through the call.
            unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, ready.as_raw_fd(), &raw mut event) };
            // SAFETY: the page has room for one event.
            let outcome = unsafe { libc::epoll_wait(set, page.cast(), 1, -1) };
            outcome as isize
        }
        // Holds the lock of the socket.
        "tcp-page" => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let socket = TcpStream::connect(listener.local_addr()?)?;
            // SAFETY: the page has as many bytes as are sent.
            unsafe { libc::send(socket.as_raw_fd(), page, PAGE, 0) }
        }
        // Holds the mutex of the pipe.
        "pipe-page" => {
            let (_read, write) = rustix::pipe::pipe()?;
            // SAFETY: the page has as many bytes as are written.
            unsafe { libc::write(write.as_raw_fd(), page, PAGE) }
        }
        // Holds nothing; its path cannot be read.
        "path-page" => {
            // SAFETY: the path would end within the page: it is zero, were it there.
            let outcome = unsafe { libc::open(page.cast(), libc::O_RDONLY) };
            outcome as isize
        }
        _ => return Err(format!("there is no situation {name}").into()),
    };
    Err(format!("{outcome}: {}", io::Error::last_os_error()).into())
}
