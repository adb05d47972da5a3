//! The kernel's process events over netlink: who forked whom, who runs a new program, who ended.
//!
//! ```text
//! | nlmsghdr 16 | cn_msg 20 | what u32, cpu u32, time u64 | numbers |      linux/netlink.h, connector.h, cn_proc.h
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{CONNECTOR, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with, sockopt,
};

use super::bytes::unsigned;

/// `CN_IDX_PROC`: the connector, and its multicast group.
const PROC: u32 = 1;
const LISTEN: u32 = 1;
const IGNORE: u32 = 2;
const NLMSG_DONE: u16 = 3;
/// Messages that wait for us, bytes as the kernel counts them.
const ROOM: usize = 8 << 20;

const EVENT: usize = 36;
const NUMBERS: usize = EVENT + 16;

const FORK: u32 = 1;
const EXEC: u32 = 2;
const COMM: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// What became of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    Fork { parent: u32, child: u32 },
    Exec { pid: u32 },
    Named { pid: u32, comm: String },
    Exit { pid: u32 },
}

/// A socket that gets all of them.
#[derive(Debug)]
pub(super) struct ProcEvents(OwnedFd);

impl ProcEvents {
    /// Fails where they cannot be had.
    pub(super) fn listen() -> io::Result<Self> {
        // The numbers in events are those of the first pid namespace.
        if !crate::kernel::is_first_pid_namespace() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(CONNECTOR))?;
        bind(&socket, &SocketAddrNetlink::new(0, PROC))?;
        // Without it a burst is lost, and then parents are asked.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, ROOM);
        send(&socket, &request(LISTEN), SendFlags::empty())?;
        Ok(Self(socket))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// All that came since. Fails when some were lost.
    pub(super) fn read(&mut self, into: &mut Vec<Happened>) -> io::Result<()> {
        let mut buffer = [0_u8; 1024];
        loop {
            match recv(&self.0, &mut buffer[..], RecvFlags::empty()) {
                Ok((length, _)) => into.extend(happened(&buffer[..length])),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for ProcEvents {
    fn drop(&mut self) {
        // Before 6.6 the kernel goes on making them when the last listener only closes its socket.
        let _ = send(&self.0, &request(IGNORE), SendFlags::empty());
    }
}

fn request(what: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40);
    bytes.extend(40_u32.to_ne_bytes());
    bytes.extend(NLMSG_DONE.to_ne_bytes());
    bytes.extend([0; 10]);
    // cn_msg: which connector (two numbers), seq, ack, length, flags.
    bytes.extend(PROC.to_ne_bytes());
    bytes.extend(PROC.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(4_u16.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(what.to_ne_bytes());
    bytes
}

/// One message. Threads are left out.
fn happened(message: &[u8]) -> Option<Happened> {
    let number = |n: usize| unsigned(message, NUMBERS + 4 * n);
    match unsigned(message, EVENT)? {
        FORK => {
            let (parent, child, leader) = (number(1)?, number(2)?, number(3)?);
            (child == leader).then_some(Happened::Fork { parent, child })
        }
        EXEC => Some(Happened::Exec { pid: number(1)? }),
        COMM => {
            let (tid, pid) = (number(0)?, number(1)?);
            let name = message.get(NUMBERS + 8..NUMBERS + 24)?.split(|byte| *byte == 0).next()?;
            let comm = String::from_utf8_lossy(name).into_owned();
            (tid == pid).then_some(Happened::Named { pid, comm })
        }
        EXIT => {
            let (tid, pid) = (number(0)?, number(1)?);
            (tid == pid).then_some(Happened::Exit { pid })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(what: u32, numbers: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; EVENT];
        bytes.extend(what.to_ne_bytes());
        bytes.extend([0; 12]);
        bytes.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        bytes
    }

    #[test]
    fn messages_as_the_kernel_writes_them() {
        assert_eq!(happened(&message(FORK, &[6, 5, 7, 7])), Some(Happened::Fork { parent: 5, child: 7 }));
        assert_eq!(happened(&message(FORK, &[5, 5, 7, 5])), None, "a thread");
        assert_eq!(happened(&message(EXEC, &[8, 7])), Some(Happened::Exec { pid: 7 }));
        assert_eq!(happened(&message(EXIT, &[7, 7, 0, 17])), Some(Happened::Exit { pid: 7 }));
        let mut named = message(COMM, &[7, 7]);
        named.extend(b"worker\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(happened(&named), Some(Happened::Named { pid: 7, comm: "worker".to_owned() }));
        assert_eq!(happened(&named[..named.len() - 1]), None);
        assert_eq!(happened(&message(FORK, &[6, 5, 7])), None, "cut");
        assert_eq!(request(LISTEN).len(), 40);
    }
}
