//! The walk for guidance files: every directory below the temp directory, with a limit of five
//! seconds that is looked at between entries. It is what the server in the first incident did, mistake
//! included: inside a system call that is never answered the limit is never looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(5);

/// Names of files that belong into a prompt.
const GUIDANCE: [&str; 2] = ["GUIDE.md", "CONVENTIONS.md"];

/// What a walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Files for the prompt.
    pub(super) guidance: Vec<PathBuf>,
    /// Directories that were read.
    pub(super) directories: usize,
}

/// Walks everything below `root`; symbolic links are not followed.
pub(super) fn guidance_below(root: &Path) -> Found {
    let phase = tracing::info_span!("walk", dir = %root.display());
    let _open = phase.enter();
    let begun = Instant::now();
    let mut found = Found::default();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        // A directory that may not be read is none of ours: so do all such walks.
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        found.directories += 1;
        for entry in entries.flatten() {
            if begun.elapsed() > LIMIT {
                return found;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() && is_guidance(&entry) => found.guidance.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

fn is_guidance(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(|name| GUIDANCE.contains(&name))
}
