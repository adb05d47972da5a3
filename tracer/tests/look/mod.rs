//! What a test sees of its own process through the recorder.

use hangdog_flight::{EventKind, OpenPhase, Outcome, Reader, Recording};

/// The recorder is made before any test records: while one thread makes it, others have none.
pub(crate) fn started() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| assert!(hangdog_flight::current().is_some(), "{}", hangdog_tracer::status()));
}

fn recording() -> Recording {
    let recorder = hangdog_flight::current().expect("a recorder");
    Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap()
}

/// The open phase of that name; tests of one process each have names of their own.
#[track_caller]
pub(crate) fn find(name: &str) -> OpenPhase {
    let mut named = recording().open.into_iter().filter(|phase| phase.name == name);
    let phase = named.next().unwrap_or_else(|| panic!("{name} is not open"));
    assert!(named.next().is_none(), "{name} is open twice");
    phase
}

pub(crate) fn is_open(name: &str) -> bool {
    recording().open.iter().any(|phase| phase.name == name)
}

#[track_caller]
pub(crate) fn outcome_of(name: &str) -> Option<Outcome> {
    recording()
        .events
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Close { name: closed, outcome, .. } if closed == name => Some(*outcome),
            _ => None,
        })
        .unwrap_or_else(|| panic!("{name} was not closed"))
}
