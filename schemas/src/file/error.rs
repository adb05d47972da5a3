//! Why a file cannot be opened as a capture. What is wrong *inside* a capture is no error: it is
//! counted in the [`Summary`](super::Summary), and the rest is read.

use std::io;

use crate::Version;

/// Why a file cannot be opened as a capture.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not be read.
    #[error("the capture cannot be read")]
    Io(#[from] io::Error),
    /// It has no bytes.
    #[error("the capture is empty")]
    Empty,
    /// It is something else.
    #[error("this is no capture: it begins with {begins}")]
    NotACapture {
        /// Its first bytes, escaped, or what they are known for.
        begins: String,
    },
    /// It ends before its first line does, so nothing says what the rest belongs to.
    #[error("the capture was cut after {bytes} bytes, before its first record was whole")]
    CutBeforeHeader {
        /// How many bytes there are.
        bytes: u64,
    },
    /// Its first frame does not decompress, so nothing says what the rest belongs to.
    #[error("the first frame of the capture is damaged ({why}), and nothing says what the rest belongs to")]
    DamagedHeader {
        /// What zstd says.
        why: String,
    },
    /// It is of another major version.
    #[error("the capture has format {found}, and this hangdog reads {}.0 to {own}", .own.major)]
    OtherVersion {
        /// Its version.
        found: Version,
        /// The version that this crate writes.
        own: Version,
    },
    /// Its first line is a run header that does not follow the format.
    #[error("the run header of the capture is not understood")]
    BadHeader(#[source] serde_json::Error),
}

impl OpenError {
    /// What to do about it, as an imperative.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Io(_) => "check the path, its permissions and the disk",
            Self::Empty | Self::CutBeforeHeader { .. } => {
                "record the run again: hangdog was killed, or the disk was full, before the first second was written"
            }
            Self::NotACapture { .. } => "give a .hang file that `hangdog run` has written",
            Self::DamagedHeader { .. } => "copy the file again from where it was recorded, in binary mode",
            Self::OtherVersion { found, own } if found.major > own.major => "upgrade hangdog on this machine",
            Self::OtherVersion { .. } => "read it with the hangdog that wrote it, or an older one",
            Self::BadHeader(_) => "read it with the hangdog that wrote it, and report this as a bug",
        }
    }
}

/// Names what a file begins with, for [`OpenError::NotACapture`].
pub(super) fn describe(bytes: &[u8]) -> String {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "the mark of gzip"),
        (b"PK\x03\x04", "the mark of zip"),
        (b"\x7fELF", "the mark of an ELF program"),
        (b"\xfd7zXZ", "the mark of xz"),
        (b"BZh", "the mark of bzip2"),
    ];
    if let Some((_, name)) = KNOWN.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return (*name).to_owned();
    }
    let shown = &bytes[..bytes.len().min(24)];
    let dots = if bytes.len() > shown.len() { "…" } else { "" };
    format!("\"{}{dots}\"", shown.escape_ascii())
}
