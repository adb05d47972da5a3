//! What a reader sees of the traced locks and channels of this process.

use hangdog_flight::{EventKind, OpenPhase, Reader, Recording};

/// The recorder is made before any test records: while one thread makes it, others have none.
pub(crate) fn started() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| assert!(hangdog_flight::current().is_some(), "{}", hangdog_tracer::status()));
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn recording() -> Recording {
    let recorder = hangdog_flight::current().expect("a recorder");
    Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap()
}

/// The open phases that have to do with a resource of that name.
pub(crate) fn seen(name: &str) -> Vec<OpenPhase> {
    recording().open.into_iter().filter(|phase| is_about(phase, name)).collect()
}

fn is_about(phase: &OpenPhase, name: &str) -> bool {
    let hang = &phase.hang;
    [&hang.wait, &hang.hold, &hang.serve].into_iter().flatten().any(|key| {
        let key = key.split_once(':').map_or(key.as_str(), |(_, name)| name);
        let key = key.strip_suffix("/item").or(key.strip_suffix("/space")).unwrap_or(key);
        key.split('#').next() == Some(name)
    })
}

pub(crate) fn is_waited_for(name: &str) -> bool {
    seen(name).iter().any(|phase| phase.hang.wait.is_some())
}

/// Lets others run until something is so. Whoever waits here waits for a condition that will come.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// Compares the open phases about a resource, in the order of their lines.
#[track_caller]
pub(crate) fn check(name: &str, expected: &[&str]) {
    let recording = recording();
    let parent = |phase: &OpenPhase| {
        let parent = recording.open.iter().find(|open| Some(open.id) == phase.parent);
        parent.map_or_else(String::new, |parent| format!("{} > ", parent.name))
    };
    let line = |phase: &OpenPhase| {
        let hang = &phase.hang;
        let keys = [("wait", &hang.wait), ("hold", &hang.hold), ("serve", &hang.serve)];
        let keys = keys.iter().filter_map(|(word, key)| Some(format!("{word} {}", key.as_ref()?)));
        let fields = phase.fields.iter().map(|(key, value)| format!("{key}={value}"));
        let words: Vec<String> = keys.chain([hang.primitive.unwrap_or("?").to_owned()]).chain(fields).collect();
        format!("{}{}: {}", parent(phase), phase.name, words.join(" "))
    };
    let mut seen: Vec<String> = recording.open.iter().filter(|phase| is_about(phase, name)).map(line).collect();
    seen.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

/// Notes in the history.
pub(crate) fn notes() -> Vec<(String, String)> {
    let note = |kind| match kind {
        EventKind::Note { key, text } => Some((key, text)),
        _ => None,
    };
    recording().events.into_iter().filter_map(|event| note(event.kind)).collect()
}
