//! Traced locks and the like: who holds one, who waits, and under which key.

use std::sync::{Barrier, Mutex};

use hangdog_flight::{
    Hang, OpenPhase, Primitive, Recorder, ResourceId, Role, Site, Size, begin, begin_here, close, resource,
};

use super::support::{read, recorder, site};

/// Who holds what: `(tid, key)`.
fn holders(recorder: &Recorder) -> Vec<(u32, String)> {
    let open = read(recorder).open;
    open.into_iter().filter(|open| open.id >> 62 == 1).map(|open| (open.tid, open.hang.hold.unwrap())).collect()
}

fn tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

#[test]
fn the_holder_shows_from_taken_to_let_go() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let lock = resource(Primitive::Mutex, "jobs").unwrap();
        assert_eq!(holders(recorder), []);
        let outer = begin_here(site!("outer")).unwrap().enter();
        let held = lock.taken(0).unwrap();
        let recording = read(recorder);
        let seen = recording.open.iter().find(|open| open.id >> 62 == 1).unwrap();
        assert_eq!((seen.name.as_str(), seen.hang.primitive), ("holds jobs", Some("mutex")));
        assert_eq!((seen.parent, seen.tid), (outer.id().map(hangdog_flight::PhaseId::word), tid()));
        let first = seen.id;
        held.let_go();
        assert_eq!(holders(recorder), []);
        let held = lock.taken(0).unwrap();
        assert_ne!(read(recorder).open.iter().find(|open| open.id >> 62 == 1).unwrap().id, first, "held anew");
        held.let_go();
        lock.gone();
        assert_eq!(holders(recorder), []);
    });
}

#[test]
fn a_lock_changes_hands() {
    let recorder = recorder(Size::LEAST);
    let barrier = Barrier::new(2);
    recorder.with(|| {
        let lock = resource(Primitive::Mutex, "jobs").unwrap();
        let held = lock.taken(0).unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                recorder.with(|| {
                    barrier.wait();
                    let held = lock.taken(0).unwrap();
                    barrier.wait();
                    barrier.wait();
                    held.let_go();
                    tid()
                })
            });
            assert_eq!(holders(recorder), [(tid(), "lock:jobs".to_owned())]);
            held.let_go();
            barrier.wait();
            barrier.wait();
            let seen = holders(recorder);
            barrier.wait();
            assert_eq!(seen, [(other.join().unwrap(), "lock:jobs".to_owned())]);
        });
    });
}

#[test]
fn equal_names_are_numbered_and_an_entry_is_used_again() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let key = |id: ResourceId| id.key(Role::Hold).unwrap().as_str().to_owned();
        let first = resource(Primitive::Mutex, "jobs").unwrap();
        let second = resource(Primitive::Mutex, "jobs").unwrap();
        let other = resource(Primitive::Pool, "db").unwrap();
        assert_eq!([first, second, other].map(key), ["lock:jobs", "lock:jobs#2", "pool:db"]);
        assert!(second.taken(0).is_some());
        second.gone();
        let third = resource(Primitive::Channel, "mail").unwrap();
        assert_eq!(third, second, "the same entry");
        assert_eq!(key(third), "chan:mail");
        assert_eq!(holders(recorder), [], "nothing of the one before is left");
        assert_eq!(key(resource(Primitive::Mutex, "jobs").unwrap()), "lock:jobs#3", "and no number comes again");
    });
}

/// A phase in each role; `expected` is its `hang.*`.
#[track_caller]
fn check(primitive: Primitive, role: Role, expected: (&str, Option<&str>, Option<&str>, Option<&str>)) {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let id = resource(primitive, "x").unwrap();
        let site: &'static Site = site!("in a role");
        let mut opening = begin(site).unwrap();
        opening.resource(role, id);
        let phase = opening.publish();
        let recording = read(recorder);
        let [OpenPhase { hang: Hang { primitive, wait, hold, serve, .. }, .. }] = &recording.open[..] else {
            panic!()
        };
        let words = (primitive.unwrap(), wait.as_deref(), hold.as_deref(), serve.as_deref());
        assert_eq!(words, expected);
        close(phase);
    });
}

#[test]
fn a_phase_says_its_role() {
    check(Primitive::Mutex, Role::Wait, ("mutex", Some("lock:x"), None, None));
    check(Primitive::RwLock, Role::WaitShared, ("rw-lock-read", Some("lock:x"), None, None));
    check(Primitive::RwLock, Role::HoldShared, ("rw-lock-read", None, Some("lock:x"), None));
    check(Primitive::Semaphore, Role::Hold, ("semaphore", None, Some("pool:x"), None));
    check(Primitive::Channel, Role::WaitSpace, ("channel", Some("chan:x/space"), None, None));
    check(Primitive::Channel, Role::WaitItem, ("channel", Some("chan:x/item"), None, None));
    check(Primitive::Channel, Role::ServeSpace, ("channel", None, None, Some("chan:x/space")));
    check(Primitive::Channel, Role::ServeItem, ("channel", None, None, Some("chan:x/item")));
}

#[test]
fn to_another_recorder_it_means_nothing() {
    let (mine, other) = (recorder(Size::LEAST), recorder(Size::LEAST));
    let lock = mine.with(|| resource(Primitive::Mutex, "jobs").unwrap());
    other.with(|| {
        assert!(!lock.is_current());
        assert!(lock.taken(0).is_none());
        lock.gone();
        let mut opening = begin(site!("waits")).unwrap();
        opening.resource(Role::Wait, lock);
        close(opening.publish());
    });
    assert_eq!((holders(mine), holders(other)), (vec![], vec![]));
    mine.with(|| assert!(lock.is_current() && lock.key(Role::Hold).is_some()));
}

/// Two threads take turns; whoever is shown as holder has it, and since then.
#[test]
fn a_reader_beside_a_busy_lock_sees_no_mixture() {
    let recorder = recorder(Size::LEAST);
    let lock = Mutex::new(());
    let done = std::sync::atomic::AtomicBool::new(false);
    let id = recorder.with(|| resource(Primitive::Mutex, "jobs").unwrap());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                recorder.with(|| {
                    let here = begin(site!("holder")).unwrap().publish();
                    hangdog_flight::enter(here, || 0);
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let guard = lock.lock().unwrap();
                        id.taken(0).unwrap().let_go();
                        drop(guard);
                    }
                    hangdog_flight::exit(here);
                    close(here);
                });
            });
        }
        let mut reader = super::support::reader(recorder);
        let mut seen = 0;
        while seen < 200 {
            let recording = reader.read().unwrap();
            let Some(held) = recording.open.iter().find(|open| open.id >> 62 == 1) else {
                std::thread::yield_now();
                seen += 1;
                continue;
            };
            let phase = recording.open.iter().find(|open| Some(open.id) == held.parent).unwrap();
            assert_eq!(phase.tid, held.tid, "the phase is that of the holder");
            seen += 1;
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
