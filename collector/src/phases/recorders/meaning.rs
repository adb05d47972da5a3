//! The `hang.*` fields of a recorded phase, as the capture has them.

use hangdog_flight::Hang;
use hangdog_schemas::primitive::Primitive;
use hangdog_schemas::record::PhaseMeaning;

use crate::phases::lines::{cut, resource};

/// Of an open phase.
pub(super) fn of(hang: &Hang) -> PhaseMeaning {
    let key = |text: &Option<String>| text.as_deref().and_then(resource);
    let text = |text: &Option<String>| text.clone().map(cut);
    PhaseMeaning {
        wait: key(&hang.wait),
        hold: key(&hang.hold),
        serve: key(&hang.serve),
        op: text(&hang.op),
        entity: text(&hang.entity),
        link: text(&hang.link),
        deadline_ms: hang.deadline_ms,
        primitive: hang.primitive.map(primitive),
    }
}

/// Adds a field of the history; `false` when it is none of these.
pub(super) fn say(hang: &mut PhaseMeaning, key: &str, text: &str) -> bool {
    match key {
        "hang.wait" => hang.wait = resource(text),
        "hang.hold" => hang.hold = resource(text),
        "hang.serve" => hang.serve = resource(text),
        "hang.op" => hang.op = Some(cut(text.to_owned())),
        "hang.entity" => hang.entity = Some(cut(text.to_owned())),
        "hang.link" => hang.link = Some(cut(text.to_owned())),
        "hang.deadline_ms" => hang.deadline_ms = text.parse().ok(),
        // The end of the phase says it.
        "hang.outcome" => {}
        _ => return false,
    }
    true
}

/// The recorder has the word of the capture.
fn primitive(word: &'static str) -> Primitive {
    serde_json::from_value(word.into()).unwrap_or(Primitive::Unknown)
}

#[cfg(test)]
mod tests {
    use hangdog_flight::{Primitive as Recorded, Role};

    use super::*;

    #[test]
    fn every_primitive_of_the_recorder_has_its_name_in_the_capture() {
        let all = [
            (Recorded::Mutex, Primitive::Mutex, Primitive::Mutex),
            (Recorded::RwLock, Primitive::RwLockWrite, Primitive::RwLockRead),
        ];
        for (recorded, alone, shared) in all {
            assert_eq!(primitive(recorded.word(Role::Wait)), alone);
            assert_eq!(primitive(recorded.word(Role::WaitShared)), shared);
        }
        assert_eq!(primitive("something of later"), Primitive::Unknown);
    }
}
