#![expect(unsafe_code, reason = "no crate has listmount(2) and statmount(2)")]
//! The mounts of our own mount namespace by the numbers that the kernel never gives out again (Linux 6.8). Neither call
//! looks a path up, and neither ever blocks.

use std::io;

/// The same on all machines: they are younger than the common table of system calls.
const STATMOUNT: libc::c_long = 457;
const LISTMOUNT: libc::c_long = 458;
/// All mounts of the namespace: `LSMT_ROOT`.
const ROOT: u64 = u64::MAX;
/// Numbers that one call lists.
const AT_ONCE: usize = 256;
/// `STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC`.
const BASIC: u64 = 3;

/// One mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountId {
    /// Never given out again.
    pub(crate) unique: u64,
    /// As in mountinfo; given out again.
    pub(crate) id: u32,
    /// Device of what is mounted, major and minor.
    pub(crate) device: (u32, u32),
}

/// `struct mnt_id_req`, linux/mount.h.
#[repr(C)]
struct Request {
    size: u32,
    spare: u32,
    mount: u64,
    parameter: u64,
    namespace: u64,
}

impl Request {
    fn new(mount: u64, parameter: u64) -> Self {
        // The first version of the structure ends before `namespace`.
        Self { size: 24, spare: 0, mount, parameter, namespace: 0 }
    }
}

/// The begin of `struct statmount`, linux/mount.h.
#[repr(C)]
#[derive(Default)]
struct About {
    size: u32,
    options: u32,
    mask: u64,
    major: u32,
    minor: u32,
    magic: u64,
    super_flags: u32,
    fs_type: u32,
    unique: u64,
    parent: u64,
    id: u32,
    parent_id: u32,
    rest: [u64; 32],
}

/// All that are visible here; an error where the kernel does not tell.
pub(crate) fn mount_ids() -> io::Result<Vec<MountId>> {
    let mut found = Vec::new();
    let mut last = 0;
    loop {
        let mut numbers = [0_u64; AT_ONCE];
        let request = Request::new(ROOT, last);
        // SAFETY: the kernel reads `size` bytes of the request and writes at most AT_ONCE numbers into the array.
        let count = unsafe { libc::syscall(LISTMOUNT, &raw const request, numbers.as_mut_ptr(), AT_ONCE, 0) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        // One that was taken away in between is none.
        found.extend(numbers[..count].iter().filter_map(|unique| about(*unique).ok()));
        match numbers[..count].last() {
            Some(number) if count == AT_ONCE => last = *number,
            _ => return Ok(found),
        }
    }
}

fn about(unique: u64) -> io::Result<MountId> {
    let request = Request::new(unique, BASIC);
    let mut about = About::default();
    let room = size_of::<About>();
    // SAFETY: the kernel reads `size` bytes of the request and writes at most `room` bytes into the structure, which
    // has no byte patterns that are invalid.
    let outcome = unsafe { libc::syscall(STATMOUNT, &raw const request, &raw mut about, room, 0) };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    if about.mask & BASIC != BASIC || about.unique != unique {
        return Err(io::Error::other("statmount(2) is not as documented"));
    }
    Ok(MountId { unique, id: about.id, device: (about.major, about.minor) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_mountinfo() {
        let Ok(mut ids) = mount_ids() else { return eprintln!("SKIPPED: this kernel has no listmount(2)") };
        ids.sort_by_key(|mount| mount.id);
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let lines = text.lines().filter_map(|line| {
            let mut words = line.split(' ');
            let id: u32 = words.next()?.parse().ok()?;
            let (major, minor) = words.nth(1)?.split_once(':')?;
            Some((id, (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)))
        });
        for (id, device) in lines {
            assert!(ids.iter().any(|mount| (mount.id, mount.device) == (id, device)), "{id} {device:?}: {ids:?}");
        }
    }
}
