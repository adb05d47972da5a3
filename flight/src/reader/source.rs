//! The file itself: copies of its words.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use super::ReadError;
use crate::layout::WORD;
use crate::lock;

/// What is read from.
#[derive(Debug)]
pub(super) enum Source {
    File(File),
    /// The words of a recorder while a model runs: those that `only` takes by their index in a slot, the others as zero.
    #[cfg(all(loom, test))]
    Modelled {
        words: crate::map::Words,
        only: fn(usize) -> bool,
    },
}

impl Source {
    pub(super) fn words(&self, offset: usize, count: usize) -> Result<Vec<u64>, ReadError> {
        match self {
            Self::File(file) => {
                let mut bytes = vec![0; count * WORD];
                file.read_exact_at(&mut bytes, offset as u64).map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => ReadError::Damaged("the file became shorter"),
                    _ => ReadError::Io(error),
                })?;
                Ok(bytes.chunks_exact(WORD).map(word).collect())
            }
            #[cfg(all(loom, test))]
            Self::Modelled { words, only } => {
                let load = |at: usize| words[at].load(std::sync::atomic::Ordering::Relaxed);
                let begin = offset / WORD;
                Ok((begin..begin + count).map(|at| if only(at % 8) { load(at) } else { 0 }).collect())
            }
        }
    }

    pub(super) fn bytes(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            #[cfg(all(loom, test))]
            Self::Modelled { words, .. } => Ok((words.len() * WORD) as u64),
        }
    }

    /// Whether the program that writes it is still there.
    pub(super) fn is_attached(&self) -> io::Result<bool> {
        match self {
            Self::File(file) => lock::is_taken(file.as_fd()),
            #[cfg(all(loom, test))]
            Self::Modelled { .. } => Ok(true),
        }
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}
