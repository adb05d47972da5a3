//! A recorder for a test, in a tmpfs directory of its own.

use hangdog_flight::{Place, Recorder, Size};

/// A directory on tmpfs that goes away with the test.
pub(crate) fn shm() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").expect("/dev/shm is a tmpfs")
}

/// A recorder of a given size.
pub(crate) fn recorder(size: Size) -> &'static Recorder {
    // Its file is kept by the descriptor; the directory may go.
    Recorder::start(&Place::Run(shm().path().join("flight")), Some(size)).unwrap()
}
