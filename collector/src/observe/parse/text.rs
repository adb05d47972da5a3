//! Bytes of other programs as text: valid UTF-8 stays, every other byte becomes `\xNN`.

use std::fmt::Write as _;

/// `bytes` as a string that loses nothing that a person needs to recognise a name.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Undoes the kernel's octal escapes of `mountinfo` (`\040`) and the `\n`, `\\` of `status`.
pub(crate) fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, used) = match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                ((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'), 4)
            }
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            _ => (first, 1),
        };
        out.push(byte);
        rest = &rest[used..];
    }
    out
}

/// Lines without their ends, empty ones left out.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty())
}

/// The words of a line, parted by blanks.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A number in decimal.
pub(crate) fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.trim().parse().ok()
}

/// A number in hexadecimal, with or without `0x`.
pub(crate) fn hex(word: &[u8]) -> Option<u64> {
    let word = std::str::from_utf8(word).ok()?.trim();
    u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown() {
        assert_eq!(text(b"a\xffb"), "a\\xffb");
        assert_eq!(text("mount\u{e9}".as_bytes()), "mount\u{e9}");
    }

    #[test]
    fn escapes_of_the_kernel_are_undone() {
        assert_eq!(unescape(b"/mnt/a\\040b\\134c"), b"/mnt/a b\\c");
        assert_eq!(unescape(b"a\\nb\\\\c"), b"a\nb\\c");
        assert_eq!(unescape(b"end\\04"), b"end\\04");
    }
}
