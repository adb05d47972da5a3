//! What a phase says beyond its slot: told by another thread while it ends.

use loom::thread;

use super::run::{SITE, check, recorder};
use crate::layout::slot;
use crate::{Value, begin, close, field};

const LONG: &str = "said beyond the slot";

/// Another thread tells a phase more while its own closes it and opens the next one in the slot. Nothing of the first
/// is said by the second, and when all is over the slot has no chain that the next long field does not find again.
#[test]
fn a_field_for_a_phase_that_closes() {
    let recorder = recorder();
    check(recorder, 3, move || {
        recorder.with(|| {
            let first = begin(&SITE).unwrap().publish();
            let teller = thread::spawn(move || recorder.with(|| field(first, "first", Value::Text(LONG))));
            close(first);
            let mut second = begin(&SITE).unwrap();
            second.value(1, Value::Text(LONG));
            let second = second.publish();
            teller.join().unwrap();
            assert_eq!(slot::index(first.word()), slot::index(second.word()));
            field(second, "third", Value::Text(LONG));
            let said = crate::reader::model::beyond(recorder, second);
            assert!(said.iter().all(|owner| *owner == second.word()), "said by another phase");
            close(second);
            assert_eq!(crate::reader::model::beyond(recorder, second), [0; 0]);
        });
    });
}
