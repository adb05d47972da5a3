//! With `HANGDOG_LOCK_ORDER=1` each pair of locks that were taken one within the other is noted once. The variable is
//! looked at once a process, so the test runs itself again with it.

use std::process::Command;

use hangdog_flight::{EventKind, Reader};
use hangdog_tracer::sync::{Condvar, Mutex, RwLock};

fn pairs() -> Vec<String> {
    let recorder = hangdog_flight::current().expect("a recorder");
    let recording = Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap();
    let note = |kind| match kind {
        EventKind::Note { key, text } if key == "lock order" => Some(text),
        _ => None,
    };
    recording.events.into_iter().filter_map(|event| note(event.kind)).collect()
}

#[test]
fn each_pair_is_noted_once() {
    if std::env::var_os("HANGDOG_LOCK_ORDER").is_none() {
        let again = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "each_pair_is_noted_once"])
            .env("HANGDOG_LOCK_ORDER", "1")
            .output()
            .unwrap();
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
        return;
    }
    let (a, b, c) = (Mutex::named("a", ()), RwLock::named("b", ()), Mutex::named("c", ()));
    for _ in 0..3 {
        let _a = a.lock().unwrap();
        let _b = b.read().unwrap();
        drop(c.lock().unwrap());
    }
    // Not in another thread, which holds nothing.
    std::thread::scope(|scope| {
        let _a = a.lock().unwrap();
        scope.spawn(|| drop(b.write().unwrap()));
    });
    // Who waits for a condition does not hold the mutex.
    let changed = Condvar::named("changed");
    let guard = c.lock().unwrap();
    drop(changed.wait_timeout(guard, std::time::Duration::ZERO).unwrap());
    drop(b.write().unwrap());
    let held = b.write().unwrap();
    drop(a.lock().unwrap());
    drop(held);
    // Let go in the order in which they were taken: neither is held when the next one is taken.
    let locks = ["d", "e", "f"].map(|name| Mutex::named(name, ()));
    let (first, second) = (locks[0].lock().unwrap(), locks[1].lock().unwrap());
    drop(first);
    drop(second);
    drop(locks[2].lock().unwrap());
    assert_eq!(
        pairs(),
        [
            "lock:a before lock:b",
            "lock:a before lock:c",
            "lock:b before lock:c",
            "lock:b before lock:a",
            "lock:d before lock:e"
        ]
    );
}
