//! A recorder for a test, its call sites, and a look at it.

use hangdog_flight::{Options, PhaseId, Place, Reader, Recorder, Recording, Size};

/// A call site in the place where it is used.
macro_rules! site {
    ($name:expr $(, $key:expr)* $(,)?) => {{
        static NUMBER: hangdog_flight::SiteNumber = hangdog_flight::SiteNumber::new();
        static SITE: hangdog_flight::Site = hangdog_flight::Site::new($name, &[$($key),*], &NUMBER);
        &SITE
    }};
}
pub(crate) use site;

/// A directory on tmpfs that goes away with the test.
pub(crate) fn shm() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").expect("/dev/shm is a tmpfs")
}

/// A recorder of a given size.
pub(crate) fn recorder(size: Size) -> &'static Recorder {
    recorder_with(Options { size: Some(size), ..Options::default() })
}

pub(crate) fn recorder_with(options: Options) -> &'static Recorder {
    // Its file is kept by the descriptor; the directory may go.
    Recorder::start(&Place::Run(shm().path().join("flight")), options).unwrap()
}

pub(crate) fn reader(recorder: &Recorder) -> Reader {
    Reader::from_file(recorder.file().unwrap()).unwrap()
}

pub(crate) fn read(recorder: &Recorder) -> Recording {
    reader(recorder).read().unwrap()
}

/// Its open phases by name, in the order in which they began.
pub(crate) fn open(recorder: &Recorder) -> Vec<String> {
    let mut open = read(recorder).open;
    open.sort_by_key(|phase| phase.id);
    open.into_iter().map(|phase| phase.name).collect()
}

/// The slot of a phase: the lower bits of its number.
pub(crate) fn slot_of(phase: PhaseId) -> u64 {
    phase.word() & ((1 << 19) - 1)
}
