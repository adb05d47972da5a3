//! A traced lock that changes hands, and a reader.

use loom::thread;

use super::run::{check, recorder};
use crate::Primitive;
use crate::layout::{resource, slot};

/// Tasks take a lock in turn. Whatever a reader takes for a hold has the words of one taking: none of its own has the
/// holder of another.
#[test]
fn a_hold_is_one_taking() {
    let recorder = recorder();
    check(recorder, 3, move || {
        recorder.with(|| {
            let id = crate::resource(Primitive::Mutex, "jobs").unwrap();
            let reader = thread::spawn(move || crate::reader::model::hold(recorder));
            for task in [1, 2] {
                id.taken(task).unwrap().let_go();
            }
            if let Some(words) = reader.join().unwrap() {
                assert_eq!(words[resource::HOLDER] >> slot::TID_BITS, words[resource::COUNT]);
            }
        });
    });
}
