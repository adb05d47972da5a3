//! What `getdents64` gives.

use super::text::number;

/// The names that are numbers: processes, threads, descriptors, FUSE connections.
pub(crate) fn numbers(mut bytes: &[u8]) -> Vec<u32> {
    let mut out = Vec::new();
    // `struct linux_dirent64`: inode and offset of 8 bytes each, length, type, name.
    while let Some(length) = bytes.get(16..18).and_then(|b| b.try_into().ok()).map(u16::from_ne_bytes) {
        let name = bytes.get(19..usize::from(length)).unwrap_or_default();
        out.extend(number::<u32>(name.split(|&b| b == 0).next().unwrap_or_default()));
        bytes = bytes.get(usize::from(length).max(19)..).unwrap_or_default();
    }
    out.sort_unstable();
    out
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
        for cut in 0..bytes.len() {
            assert!(numbers(&bytes[..cut]).len() <= 2);
        }
    }
}
