//! A slot between its owner, others who close its phases, and a reader.

use loom::sync::mpsc::channel;
use loom::thread;

use super::run::{SITE, check, recorder};
use crate::layout::slot;
use crate::{PhaseId, Value, begin, close};

fn open(n: u64) -> PhaseId {
    let mut opening = begin(&SITE).unwrap();
    opening.value(0, Value::U64(n));
    opening.publish()
}

/// Phases one after the other in one slot, each with its own number in another word: whatever a reader takes for open
/// has the words of the phase whose number it has.
#[test]
fn what_a_reader_takes_for_whole_is_whole() {
    let recorder = recorder();
    check(recorder, 2, move || {
        let writer = thread::spawn(move || {
            recorder.with(|| {
                close(open(1));
                close(open(2));
            });
        });
        for (id, words) in crate::reader::model::slots(recorder, 1) {
            let number = (slot::generation(id) - recorder.first_generation()) >> slot::INDEX_BITS;
            assert_eq!(words[slot::VALUE_0], number);
        }
        writer.join().unwrap();
    });
}

/// Two threads close the owner's phases while it opens more: no slot is given out twice, and none is lost.
#[test]
fn slots_that_others_give_back_come_back_once() {
    let recorder = recorder();
    check(recorder, 3, move || {
        recorder.with(|| {
            let closers = [open(1), open(2)].map(|phase| {
                let (sender, receiver) = channel();
                sender.send(phase).unwrap();
                thread::spawn(move || recorder.with(|| close(receiver.recv().unwrap())))
            });
            let mut phases = vec![open(3)];
            for closer in closers {
                closer.join().unwrap();
            }
            // A fresh slot for the third, or not; then those that came back, and no others.
            phases.extend([open(4), open(5)]);
            let mut slots: Vec<_> = phases.iter().map(|phase| slot::index(phase.word())).collect();
            slots.sort_unstable();
            slots.dedup();
            assert_eq!(slots.len(), 3, "twice");
            assert!(slots.iter().all(|slot| *slot < 4), "lost: {slots:?}");
        });
    });
}
