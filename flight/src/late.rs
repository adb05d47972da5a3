//! Whoever makes runs fail on purpose (`hangdog flake`) may hold a thread where a phase begins or has ended.
//!
//! With `HANGDOG_LATE` set, a thread that begins or has ended a phase looks at `/dev/null/hangdog/begin NAME`, where
//! nothing can be: below a file that is no directory. The look is a system call, at which it can be held from outside.
//! Without the variable nothing of this is on the way of a phase but one look at a word, and that only where a phase
//! goes into the history anyway.

use std::ffi::CStr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};

use rustix::fs::{Access, access};

const DIRECTORY: &[u8] = b"/dev/null/hangdog/";
/// Bytes of a name that are told.
const LONGEST: usize = 100;
/// A look takes some 10 µs: a process with more phases than these looks no more.
const MOST: u32 = 20_000;

static ON: AtomicBool = AtomicBool::new(false);
static LOOKS: AtomicU32 = AtomicU32::new(0);

/// What a thread is about to do.
#[derive(Clone, Copy)]
pub(crate) enum At {
    Begin,
    End,
}

/// From now on threads look.
pub(crate) fn turn_on() {
    ON.store(true, Relaxed);
}

/// Whether threads look.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// The calling thread is at the begin or end of a phase.
#[cold]
pub(crate) fn look(at: At, name: &str) {
    if LOOKS.fetch_add(1, Relaxed) >= MOST {
        // So that it does not come round.
        LOOKS.store(MOST, Relaxed);
        return;
    }
    let mut path = [0; DIRECTORY.len() + 6 + LONGEST + 1];
    let word: &[u8] = match at {
        At::Begin => b"begin ",
        At::End => b"end ",
    };
    let name = &name.as_bytes()[..name.len().min(LONGEST)];
    let mut length = 0;
    for part in [DIRECTORY, word, name] {
        if let Some(room) = path.get_mut(length..length + part.len()) {
            room.copy_from_slice(part);
        }
        length += part.len();
    }
    if let Ok(path) = CStr::from_bytes_until_nul(&path) {
        let _not_there = access(path, Access::EXISTS);
    }
}
