//! Bytes of a program's memory as the argument of a system call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hangdog_schemas::Address;
use hangdog_schemas::fact::{Argument, PollFd, SemaphoreOperation};

use super::net::address;
use super::text::text;
use crate::observe::syscalls::Pointee;

/// `None` when the bytes are too few.
pub(crate) fn argument(pointee: Pointee, bytes: &[u8]) -> Option<Argument> {
    Some(match pointee {
        Pointee::Path => {
            // A path without its end is only what could be read of it.
            let end = bytes.iter().position(|&b| b == 0)?;
            Argument::Path(text(&bytes[..end]))
        }
        Pointee::PollFds(_) => Argument::PollFds(bytes.chunks_exact(8).filter_map(poll_fd).collect()),
        Pointee::FdSet(bits) => {
            let is_set = |bit: &u32| bytes.get(*bit as usize / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
            Argument::FdSet((0..bits.min(4096) as u32).filter(is_set).collect())
        }
        Pointee::Timespec => Argument::Time { ns: time(bytes, 1)? },
        Pointee::Timeval => Argument::Time { ns: time(bytes, 1000)? },
        Pointee::Words => {
            let words = bytes.chunks_exact(4).filter_map(|word| word.try_into().ok());
            Argument::Words { values: words.map(u32::from_ne_bytes).collect(), shared: None }
        }
        Pointee::SemaphoreOperations(_) => {
            Argument::SemaphoreOperations(bytes.chunks_exact(6).filter_map(semaphore_operation).collect())
        }
        Pointee::Flock => Argument::FileLock {
            lock_type: i16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?),
            start: i64_at(bytes, 8)?,
            len: i64_at(bytes, 16)?,
        },
        Pointee::SocketAddress(_) => Argument::SocketAddress(socket_address(bytes)?),
        Pointee::SignalSet => Argument::SignalSet(Address(i64_at(bytes, 0)? as u64)),
    })
}

fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// A `struct sembuf`.
fn semaphore_operation(bytes: &[u8]) -> Option<SemaphoreOperation> {
    let number = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let add = i16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
    Some(SemaphoreOperation { number, add })
}

fn poll_fd(bytes: &[u8]) -> Option<PollFd> {
    let fd = i32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let events = i16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    Some(PollFd { fd, events })
}

/// Seconds and a fraction of `unit` ns. What does not fit is "for ever".
fn time(bytes: &[u8], unit: i64) -> Option<u64> {
    let (seconds, fraction) = (i64_at(bytes, 0)?.max(0), i64_at(bytes, 8)?.max(0));
    Some((seconds as u64).saturating_mul(1_000_000_000).saturating_add(fraction.saturating_mul(unit) as u64))
}

fn socket_address(bytes: &[u8]) -> Option<String> {
    let family = i32::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match family {
        libc::AF_INET => {
            let raw: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(address(IpAddr::V4(Ipv4Addr::from(raw)), port))
        }
        libc::AF_INET6 => {
            let raw: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(address(IpAddr::V6(Ipv6Addr::from(raw)), port))
        }
        libc::AF_UNIX => Some(match &bytes[2..] {
            [0, name @ ..] => format!("unix:@{}", text(name)),
            path => format!("unix:{}", text(path.split(|&b| b == 0).next()?)),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_end_at_the_nul() {
        assert_eq!(argument(Pointee::Path, b"/mnt/a\0rest"), Some(Argument::Path("/mnt/a".to_owned())));
        assert_eq!(argument(Pointee::Path, b"/mnt/a"), None);
    }

    #[test]
    fn arrays_and_sets() {
        let bytes = [&3i32.to_ne_bytes()[..], &1i16.to_ne_bytes(), &[0; 2], &(-1i32).to_ne_bytes(), &[0; 4]].concat();
        let fds = vec![PollFd { fd: 3, events: 1 }, PollFd { fd: -1, events: 0 }];
        assert_eq!(argument(Pointee::PollFds(2), &bytes), Some(Argument::PollFds(fds)));
        assert_eq!(argument(Pointee::FdSet(10), &[0b1010_0001, 0b111]), Some(Argument::FdSet(vec![0, 5, 7, 8, 9])));
    }

    #[test]
    fn times() {
        let bytes = [2i64.to_ne_bytes(), 5i64.to_ne_bytes()].concat();
        assert_eq!(argument(Pointee::Timespec, &bytes), Some(Argument::Time { ns: 2_000_000_005 }));
        assert_eq!(argument(Pointee::Timeval, &bytes), Some(Argument::Time { ns: 2_000_005_000 }));
        assert_eq!(argument(Pointee::Timespec, &bytes[..9]), None);
        let forever = [i64::MAX.to_ne_bytes(), 0i64.to_ne_bytes()].concat();
        assert_eq!(argument(Pointee::Timespec, &forever), Some(Argument::Time { ns: u64::MAX }));
    }

    #[test]
    fn addresses() {
        let inet = [&2u16.to_ne_bytes()[..], &8080u16.to_be_bytes(), &[127, 0, 0, 1], &[0; 8]].concat();
        let socket = |bytes: &[u8]| argument(Pointee::SocketAddress(bytes.len() as u64), bytes);
        assert_eq!(socket(&inet), Some(Argument::SocketAddress("127.0.0.1:8080".to_owned())));
        let unix = [&1u16.to_ne_bytes()[..], b"/run/x\0junk"].concat();
        assert_eq!(socket(&unix), Some(Argument::SocketAddress("unix:/run/x".to_owned())));
        let hidden = [&1u16.to_ne_bytes()[..], b"\0name"].concat();
        assert_eq!(socket(&hidden), Some(Argument::SocketAddress("unix:@name".to_owned())));
    }
}
