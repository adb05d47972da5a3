//! Where an address of a program lies: a line of `maps`, or the answer of `PROCMAP_QUERY`.

use hangdog_schemas::Device;

use super::text::{hex, lines, text, words};

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    /// First address behind it.
    pub(crate) end: u64,
    pub(crate) readable: bool,
    /// Whether what is written there is seen by others who map it.
    pub(crate) shared: bool,
    /// Device of the file; 0:0 for none.
    pub(crate) device: Device,
    /// Path, `[stack]`, `[heap]`, or empty.
    pub(crate) name: String,
}

/// The mapping of `/proc/PID/maps` that holds `address`.
pub(crate) fn find(maps: &[u8], address: u64) -> Option<Mapping> {
    lines(maps).filter_map(line).find(|mapping| (mapping.start..mapping.end).contains(&address))
}

/// `7f32…-7f33… r--p 00000000 08:01 1234   /usr/lib/x`
fn line(line: &[u8]) -> Option<Mapping> {
    let mut words = words(line);
    let range = words.next()?;
    let dash = range.iter().position(|&b| b == b'-')?;
    let permissions = words.next()?;
    let _offset = words.next()?;
    let device = words.next()?;
    let colon = device.iter().position(|&b| b == b':')?;
    let _inode = words.next()?;
    Some(Mapping {
        start: hex(&range[..dash])?,
        end: hex(&range[dash + 1..])?,
        readable: permissions.first() == Some(&b'r'),
        shared: permissions.get(3) == Some(&b's'),
        device: Device { major: hex(&device[..colon])? as u32, minor: hex(&device[colon + 1..])? as u32 },
        name: words.next().map(text).unwrap_or_default(),
    })
}

/// `PROCMAP_QUERY_VMA_READABLE` and `PROCMAP_QUERY_VMA_SHARED`.
const READABLE: u64 = 1;
const SHARED: u64 = 8;

/// What the worker leaves of `struct procmap_query`: four words and the name.
pub(crate) fn answer(bytes: &[u8]) -> Option<Mapping> {
    let word = |n: usize| Some(u64::from_ne_bytes(bytes.get(n * 8..n * 8 + 8)?.try_into().ok()?));
    let device = word(3)?;
    let name = bytes.get(32..)?;
    Some(Mapping {
        start: word(0)?,
        end: word(1)?,
        readable: word(2)? & READABLE != 0,
        shared: word(2)? & SHARED != 0,
        device: Device { major: (device >> 32) as u32, minor: device as u32 },
        name: text(name.split(|&b| b == 0).next().unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_holds_the_address() {
        let maps = b"55d0c0000000-55d0c0002000 r--p 00000000 fd:01 99 /usr/bin/a b\n\
            7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]\n";
        let stack = find(maps, 0x7ffd_0002_0fff).unwrap();
        assert_eq!((stack.name.as_str(), stack.readable, stack.end), ("[stack]", true, 0x7ffd_0002_1000));
        assert_eq!(find(maps, 0x55d0_c000_0000).unwrap().device, Device { major: 0xfd, minor: 1 });
        assert_eq!(find(maps, 0x7ffd_0002_1000), None);
    }
}
