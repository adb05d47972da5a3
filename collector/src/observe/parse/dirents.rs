//! What `getdents64` gives.

use super::text::{number, text};

/// The names that are numbers: processes, threads, descriptors, FUSE connections.
pub(crate) fn numbers(bytes: &[u8]) -> Vec<u32> {
    let mut out: Vec<u32> = entries(bytes).filter_map(number).collect();
    out.sort_unstable();
    out
}

/// All names, in order of the alphabet.
pub(crate) fn names(bytes: &[u8]) -> Vec<String> {
    let mut out: Vec<String> = entries(bytes).map(text).collect();
    out.sort_unstable();
    out
}

fn entries(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        // `struct linux_dirent64`: inode and offset of 8 bytes each, length, type, name.
        let length = usize::from(u16::from_ne_bytes(bytes.get(16..18)?.try_into().ok()?));
        let name = bytes.get(19..length).unwrap_or_default();
        bytes = bytes.get(length.max(19)..).unwrap_or_default();
        Some(name.split(|&b| b == 0).next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_count() {
        let mut bytes = Vec::new();
        for name in ["..", "12", "self", "3"] {
            let length = (19 + name.len() + 1).next_multiple_of(8);
            bytes.extend([0; 16]);
            bytes.extend((length as u16).to_ne_bytes());
            bytes.push(4);
            bytes.extend(name.as_bytes());
            bytes.resize(bytes.len() + length - 19 - name.len(), 0);
        }
        assert_eq!(numbers(&bytes), [3, 12]);
        assert_eq!(names(&bytes), ["..", "12", "3", "self"]);
        for cut in 0..bytes.len() {
            assert!(numbers(&bytes[..cut]).len() <= 2);
        }
    }
}
