//! `/proc/locks`, and the `lock:` lines of fdinfo, which have the same form.
//!
//! ```text
//! 1: FLOCK  ADVISORY  WRITE 2208 08:01:1234 0 EOF
//! 1: -> FLOCK  ADVISORY  WRITE 2210 08:01:1234 0 EOF     waits for lock 1
//! ```

use hangdog_schemas::fact::{FdLock, FileLockFact, LockClass, LockMode};
use hangdog_schemas::{Big, Device, SnapshotId};

use super::text::{hex, lines, number, words};

/// A line: the number, whether it waits, and the lock.
fn line(line: &[u8]) -> Option<(u32, bool, FdLock)> {
    let mut words = words(line).peekable();
    let number_word = words.next()?;
    let order = number(number_word.strip_suffix(b":")?)?;
    let mut waits = false;
    // Waiters behind waiters are set in by further blanks, with one arrow each.
    while words.next_if(|word| *word == b"->").is_some() {
        waits = true;
    }
    let class = match words.next()? {
        b"FLOCK" => LockClass::Flock,
        b"POSIX" | b"ACCESS" => LockClass::Posix,
        b"OFDLCK" => LockClass::Ofd,
        b"LEASE" | b"DELEG" => LockClass::Lease,
        _ => return None,
    };
    let _advisory = words.next()?;
    let mode = match words.next()? {
        b"READ" => LockMode::Read,
        b"WRITE" => LockMode::Write,
        // A lease that is being broken, or taken back.
        _ => return None,
    };
    let pid = number(words.next()?)?;
    let mut file = words.next()?.split(|&b| b == b':');
    let device = Device { major: hex(file.next()?)? as u32, minor: hex(file.next()?)? as u32 };
    let inode = Big(number(file.next()?)?);
    let start = Big(number(words.next()?)?);
    let end = match words.next()? {
        b"EOF" => None,
        word => Some(Big(number(word)?)),
    };
    Some((order, waits, FdLock { class, mode, pid, device, inode, start, end }))
}

/// The value of a `lock:` line of fdinfo.
pub(crate) fn fd_lock(value: &[u8]) -> Option<FdLock> {
    line(value).map(|(_, _, lock)| lock)
}

/// `/proc/locks`; lines that are not understood are left out.
pub(crate) fn locks(snapshot: SnapshotId, bytes: &[u8]) -> Vec<FileLockFact> {
    lines(bytes)
        .filter_map(line)
        .map(|(number, waits, lock)| FileLockFact {
            snapshot,
            number,
            waits,
            class: lock.class,
            mode: lock.mode,
            pid: lock.pid,
            device: lock.device,
            inode: lock.inode,
            start: lock.start,
            end: lock.end,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_and_waiters() {
        let found = locks(
            SnapshotId(1),
            b"1: FLOCK  ADVISORY  WRITE 2208 08:01:1234 0 EOF\n\
              1: -> FLOCK  ADVISORY  READ  2210 08:01:1234 0 EOF\n\
              2: OFDLCK ADVISORY  WRITE -1 00:1f:99 10 19\n\
              3: LEASE  ACTIVE    READ  7 08:01:5 0 EOF\n\
              garbage\n",
        );
        let short: Vec<_> = found.iter().map(|l| (l.number, l.waits, l.class, l.pid, l.end)).collect();
        assert_eq!(
            short,
            [
                (1, false, LockClass::Flock, 2208, None),
                (1, true, LockClass::Flock, 2210, None),
                (2, false, LockClass::Ofd, -1, Some(Big(19))),
                (3, false, LockClass::Lease, 7, None),
            ]
        );
        assert_eq!((found[2].device, found[2].inode), (Device { major: 0, minor: 0x1f }, Big(99)));
    }
}
