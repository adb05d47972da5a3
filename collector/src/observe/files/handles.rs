#![expect(unsafe_code, reason = "a directory by its handle has no safe form")]
//! From the handle of a directory to its path, and whether that is watched.
//!
//! A handle is opened on the file system that it came from, which is local, and with `O_PATH`: nothing is looked up
//! by name. Paths are remembered until a directory is renamed.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hangdog_schemas::record::Whose;

/// Directories that are remembered; beyond that all are forgotten.
const MOST: usize = 16 << 10;

/// A directory that is watched, by its real path.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) path: PathBuf,
    pub(super) whose: Whose,
    pub(super) omitted: &'static [&'static str],
}

/// Where a directory lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At or below a watched one.
    Inside {
        path: Arc<Path>,
        whose: Whose,
    },
    Outside,
    /// It was removed before it could be asked for.
    Gone,
}

impl Place {
    /// Whose events are kept there, if anybody's.
    pub(super) fn whose(&self) -> Option<Whose> {
        match self {
            Self::Inside { whose, .. } => Some(*whose),
            Self::Outside | Self::Gone => None,
        }
    }
}

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Handles {
    watched: Vec<Watched>,
    systems: Vec<System>,
}

/// A file system with handles of its own: a directory on it, by which they are opened.
#[derive(Debug)]
struct System {
    root: OwnedFd,
    known: HashMap<Vec<u8>, Place>,
}

impl Handles {
    /// Adds a file system by a directory on it. They are numbered from 0.
    pub(super) fn add_system(&mut self, root: OwnedFd) {
        self.systems.push(System { root, known: HashMap::new() });
    }

    /// Adds a watched directory.
    pub(super) fn watch(&mut self, watched: Watched) {
        self.watched.push(watched);
    }

    /// Where the directory with this handle lies.
    pub(super) fn place(&mut self, system: usize, handle: &[u8]) -> Place {
        let Some(its) = self.systems.get(system) else { return Place::Gone };
        if let Some(place) = its.known.get(handle) {
            return place.clone();
        }
        let Some(path) = its.path(handle) else { return Place::Gone };
        self.learn(system, handle, path)
    }

    /// Remembers where a directory lies: one that was just made may be gone before somebody asks.
    pub(super) fn learn(&mut self, system: usize, handle: &[u8], path: PathBuf) -> Place {
        let place = self.at(path);
        if let Some(its) = self.systems.get_mut(system) {
            if its.known.len() >= MOST {
                its.known.clear();
            }
            its.known.insert(handle.to_vec(), place.clone());
        }
        place
    }

    /// A directory was renamed: the paths of all below it changed.
    pub(super) fn forget(&mut self) {
        self.systems.iter_mut().for_each(|system| system.known.clear());
    }

    /// Whether a name in a directory is hangdog's own.
    pub(super) fn is_omitted(&self, directory: &Path, name: &[u8]) -> bool {
        self.watched.iter().any(|watched| {
            let Ok(below) = directory.strip_prefix(&watched.path) else { return false };
            let first = below.components().next().map_or(name, |first| first.as_os_str().as_bytes());
            watched.omitted.iter().any(|omitted| omitted.as_bytes() == first)
        })
    }

    fn at(&self, path: PathBuf) -> Place {
        let around = self.watched.iter().filter(|watched| path.starts_with(&watched.path));
        let whose = around.map(|watched| watched.whose);
        // What somebody asked for in so many words counts more.
        match whose.max_by_key(|whose| *whose == Whose::Everybody) {
            Some(whose) => Place::Inside { path: path.into(), whose },
            None => Place::Outside,
        }
    }
}

impl System {
    fn path(&self, handle: &[u8]) -> Option<PathBuf> {
        // struct file_handle begins with two numbers, so it is aligned like them.
        let mut aligned = vec![0_u32; handle.len().div_ceil(4)];
        for (word, bytes) in aligned.iter_mut().zip(handle.chunks(4)) {
            let mut four = [0; 4];
            four[..bytes.len()].copy_from_slice(bytes);
            *word = u32::from_ne_bytes(four);
        }
        let flags = libc::O_PATH | libc::O_CLOEXEC;
        // SAFETY: `aligned` is a `struct file_handle` as the kernel wrote it: its first number was checked to be the
        // length of what follows it, and the call only reads it.
        let fd =
            unsafe { libc::syscall(libc::SYS_open_by_handle_at, self.root.as_raw_fd(), aligned.as_ptr(), flags) };
        if fd < 0 {
            return None;
        }
        // SAFETY: the call has just made this descriptor, and nobody else has it.
        let directory = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let path = std::fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd())).ok()?;
        let is_gone = path.as_os_str().as_bytes().ends_with(b" (deleted)") || !path.is_absolute();
        (!is_gone).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asked_for_more_gets_it_and_own_names_are_left_out() {
        let watched = |path: &str, whose, omitted| Watched { path: path.into(), whose, omitted };
        let handles = Handles {
            watched: vec![
                watched("/work", Whose::Run, &[]),
                watched("/work/locks", Whose::Everybody, &[]),
                watched("/run/1", Whose::Run, &["flight", "spool.jsonl"]),
            ],
            ..Handles::default()
        };
        let whose = |path: &str| handles.at(path.into()).whose();
        assert_eq!(whose("/work/src"), Some(Whose::Run));
        assert_eq!(whose("/work/locks/a"), Some(Whose::Everybody));
        assert_eq!((whose("/works"), whose("/")), (None, None));
        assert!(handles.is_omitted(Path::new("/run/1"), b"spool.jsonl"));
        assert!(handles.is_omitted(Path::new("/run/1/flight"), b"x"));
        assert!(!handles.is_omitted(Path::new("/run/1"), b"mine"));
        assert!(!handles.is_omitted(Path::new("/run/1/mine"), b"flight"));
    }
}
