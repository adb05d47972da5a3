//! The type of the file system at a path, by the mount table alone: the path itself is not touched.

use std::path::{Path, PathBuf};

/// The type of the mount that a path without links lies on, e.g. `tmpfs`; `None` when that cannot be told.
pub(crate) fn kind_at(path: &Path) -> Option<String> {
    kind_in(&std::fs::read("/proc/self/mountinfo").ok()?, path)
}

fn kind_in(mountinfo: &[u8], path: &Path) -> Option<String> {
    let mounts = mountinfo.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let point = unescaped(fields.nth(4)?);
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        path.starts_with(&point).then_some((point, kind))
    });
    // Of two at one point the later one covers the earlier.
    let (_, kind) = mounts.max_by_key(|(point, _)| point.components().count())?;
    Some(String::from_utf8_lossy(kind).into_owned())
}

/// Blanks, tabs, line ends and backslashes are three octal digits there.
fn unescaped(field: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, more)) = rest.split_first() {
        let octal = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok();
        let escaped = if *first == b'\\' { more.get(..3).and_then(octal) } else { None };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &more[3..] } else { more };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
25 22 0:5 / /dev rw - devtmpfs udev rw
26 25 0:6 / /dev/shm rw,nosuid shared:4 master:2 - tmpfs tmpfs rw
30 22 0:40 / /mnt/a\\040b rw - fuse.test test rw
31 22 0:41 / /run rw - tmpfs one rw
32 31 0:42 / /run rw - ext4 two rw
";

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(kind_in(TABLE, Path::new(path)).as_deref(), Some(expected));
    }

    #[test]
    fn the_deepest_and_latest_mount_counts() {
        check("/dev/shm/hangdog-0", "tmpfs");
        check("/dev/shmx", "devtmpfs");
        check("/home/x", "ext4");
        check("/mnt/a b/run", "fuse.test");
        check("/run/x", "ext4");
        assert_eq!(kind_in(b"", Path::new("/x")), None);
    }
}
