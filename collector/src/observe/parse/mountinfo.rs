//! `/proc/PID/mountinfo`.

use hangdog_schemas::Device;

use super::text::{lines, number, text, unescape, words};

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MountLine {
    pub(crate) mount: u32,
    pub(crate) parent: u32,
    pub(crate) device: Device,
    pub(crate) root: String,
    pub(crate) mount_point: String,
    pub(crate) fs_type: String,
    pub(crate) source: String,
    /// Options of the file system: the controllers of a v1 control group stand here.
    pub(crate) super_options: String,
}

fn line(line: &[u8]) -> Option<MountLine> {
    let mut words = words(line);
    let mut next_text = || words.next().map(|word| text(&unescape(word)));
    let mount = next_text()?.parse().ok()?;
    let parent = next_text()?.parse().ok()?;
    let device = next_text()?.parse().ok()?;
    let root = next_text()?;
    let mount_point = next_text()?;
    let _options = next_text()?;
    // Optional fields, any number of them, end with a lone dash.
    words.by_ref().find(|word| *word == b"-")?;
    let mut next_text = || words.next().map(|word| text(&unescape(word)));
    let fs_type = next_text()?;
    let source = next_text().unwrap_or_default();
    let super_options = next_text().unwrap_or_default();
    Some(MountLine { mount, parent, device, root, mount_point, fs_type, source, super_options })
}

/// All lines that are understood.
pub(crate) fn mountinfo(bytes: &[u8]) -> Vec<MountLine> {
    lines(bytes).filter_map(line).collect()
}

/// The number that an inode link of `/proc/PID/ns` holds: `mnt:[4026531841]`.
pub(crate) fn namespace(link: &[u8]) -> Option<u64> {
    let open = link.iter().position(|&b| b == b'[')?;
    number(link.get(open + 1..link.len().checked_sub(1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_in_names_and_optional_fields() {
        let found = mountinfo(
            b"68 45 0:41 / /tmp/a\\040b\\134c rw,nosuid,nodev,relatime shared:3 master:1 - fuse.stuckfs stuck\\040fs rw,user_id=0\n\
              24 1 8:1 /sub / rw - ext4 /dev/sda1 rw\n\
              cut off at 5\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].mount, found[0].parent, found[0].device), (68, 45, Device { major: 0, minor: 41 }));
        assert_eq!((found[0].mount_point.as_str(), found[0].fs_type.as_str()), ("/tmp/a b\\c", "fuse.stuckfs"));
        assert_eq!((found[0].source.as_str(), found[1].root.as_str()), ("stuck fs", "/sub"));
    }

    #[test]
    fn a_namespace_is_a_number_in_brackets() {
        assert_eq!(namespace(b"mnt:[4026531841]"), Some(4_026_531_841));
        assert_eq!(namespace(b""), None);
        assert_eq!(namespace(b"mnt:["), None);
    }
}
