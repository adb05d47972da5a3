//! A program that ends by itself takes its file in the user's directory along; nobody will ask what it is
//! doing. One that is killed leaves it, and in a run's directory it stays in any case: that is what it is for.
#![expect(unsafe_code, reason = "registers a function with the C library")]

use rustix::fs::{AtFlags, CWD};

use crate::place::Place;

/// Removes the file of this process's recorder at a normal end, when it lies in the user's directory.
pub(crate) fn remove_file_of(place: &Place) {
    if matches!(place, Place::User(_)) {
        // SAFETY: `remove` is a function that lives as long as the program and unwinds nowhere: it only makes
        // a system call.
        let _then_the_next_start_removes_it = unsafe { libc::atexit(remove) };
    }
}

extern "C" fn remove() {
    // A forked child that ends before it recorded anything finds its parent's recorder here.
    if let Some(recorder) = crate::process::latest().filter(|recorder| !recorder.is_foreign())
        && let Some(path) = recorder.path()
    {
        let _gone = rustix::fs::unlinkat(CWD, path, AtFlags::empty());
    }
}
