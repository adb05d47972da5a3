//! Threads that come and go.

use std::sync::Barrier;

use hangdog_flight::{Loss, Size, ThreadRole, begin, begin_here, close, set_role};

use super::support::{read, recorder, site};

#[test]
fn threads_come_and_go_and_what_they_leave_is_used_again() {
    let recorder = recorder(Size::LEAST);
    for _ in 0..3 * Size::LEAST.threads {
        let work = || {
            recorder.with(|| {
                let _here = begin_here(site!("short")).unwrap().enter();
                for _ in 0..100 {
                    close(begin(site!("movable")).unwrap().publish());
                }
            });
        };
        std::thread::spawn(work).join().unwrap();
    }
    let recording = read(recorder);
    assert_eq!((recording.open.len(), recording.dropped), (0, 0));
    assert!(recording.threads.iter().all(|thread| thread.ended));
}

#[test]
fn all_threads_that_start_at_once_get_their_entry() {
    let recorder = recorder(Size::LEAST);
    let start = Barrier::new(Size::LEAST.threads);
    let all_in = Barrier::new(Size::LEAST.threads);
    std::thread::scope(|scope| {
        for _ in 0..Size::LEAST.threads {
            scope.spawn(|| {
                start.wait();
                recorder.with(|| {
                    let _here = begin_here(site!("crowd")).unwrap().enter();
                    all_in.wait();
                    // Everybody looks while everybody is in.
                    all_in.wait();
                });
            });
        }
    });
    let recording = read(recorder);
    assert_eq!((recording.open.len(), recording.losses.len()), (0, 0));
    assert_eq!(recording.threads.len(), Size::LEAST.threads);
}

#[test]
fn more_threads_than_entries_are_counted() {
    let recorder = recorder(Size::LEAST);
    let barrier = Barrier::new(Size::LEAST.threads + 4);
    std::thread::scope(|scope| {
        for _ in 0..Size::LEAST.threads + 3 {
            scope.spawn(|| {
                recorder.with(|| {
                    let _here = begin_here(site!("crowd")).map(hangdog_flight::OpeningHere::enter);
                    barrier.wait();
                    barrier.wait();
                });
            });
        }
        barrier.wait();
        let recording = read(recorder);
        barrier.wait();
        assert_eq!(recording.open.len(), Size::LEAST.threads);
        assert_eq!(recording.losses, [(Loss::Slot, 3), (Loss::Thread, 3)], "each, and each phase of theirs");
    });
}

#[test]
fn a_thread_says_what_it_is() {
    let recorder = recorder(Size::LEAST);
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let work = || {
            recorder.with(|| {
                set_role(ThreadRole::Blocking);
                barrier.wait();
                barrier.wait();
            });
        };
        std::thread::Builder::new().name("a long name of a thread".into()).spawn_scoped(scope, work).unwrap();
        barrier.wait();
        let recording = read(recorder);
        barrier.wait();
        let [thread] = &recording.threads[..] else { panic!("{:#?}", recording.threads) };
        assert_eq!((thread.role, thread.ended), (Some(ThreadRole::Blocking), false));
        assert_eq!(thread.name, "a long name of ", "cut as the kernel cuts it");
    });
}

/// A phase of a thread's stack is said to be that thread's own, also while entries change hands.
#[test]
fn a_phase_is_never_shown_under_the_thread_before() {
    let recorder = recorder(Size::LEAST);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut reader = super::support::reader(recorder);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for phase in reader.read().unwrap().open {
                    let own = &phase.fields[0].1;
                    assert_eq!(phase.tid.to_string(), *own);
                }
            }
        });
        for _ in 0..400 {
            let work = || {
                let tid = rustix::thread::gettid().as_raw_nonzero().get() as u64;
                recorder.with(|| {
                    let mut opening = begin_here(site!("own", "tid")).unwrap();
                    opening.value(0, hangdog_flight::Value::U64(tid));
                    let _here = opening.enter();
                    std::thread::yield_now();
                });
            };
            std::thread::scope(|scope| {
                scope.spawn(work);
            });
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
