//! A ring between its thread and a reader.

use loom::thread;

use super::run::{check, recorder};
use crate::wake;

/// More events than the ring has room for: a reader gets only whole ones, in their order, and knows how many it missed.
#[test]
fn events_are_whole_or_counted_as_overwritten() {
    let recorder = recorder();
    check(recorder, 1, move || {
        let writer = thread::spawn(move || {
            recorder.with(|| {
                for n in 1..=6 {
                    wake(crate::PhaseId::from_word(n));
                }
            });
        });
        let (events, overwritten) = crate::reader::model::events(recorder);
        for (phase, at) in events.into_iter().zip(overwritten..) {
            assert_eq!(phase, at + 1);
        }
        writer.join().unwrap();
    });
}
