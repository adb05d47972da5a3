//! A slot and its second one, understood.

use super::names::Names;
use super::some;
use crate::layout::{WORD, more, slot};
use crate::{Anchor, Hang, OpenPhase, Outcome, value};

pub(super) fn phase(
    id: u64,
    words: &[u64],
    more: Option<&[u64]>,
    names: &Names,
    anchor: &Anchor,
    torn: &mut u32,
) -> OpenPhase {
    let mut phase = OpenPhase {
        id,
        parent: some(words[slot::PARENT]),
        tid: words[slot::ENTRY] as u32,
        task: None,
        name: names.get(words[slot::SHAPE] as u16),
        start_monotonic_ns: words[slot::START],
        err_ns: anchor.resolution_ns,
        fields: Vec::new(),
        hang: Hang::default(),
        polls: (words[slot::ENTRY] >> 33) as u32,
        polled_now: words[slot::ENTRY] & slot::INSIDE != 0,
        outcome: Outcome::from_number(slot::outcome(words[slot::COMMIT])),
    };
    let shape = words[slot::SHAPE];
    let inline = [
        ((shape >> 16) as u16, (shape >> 48) as u8, &words[slot::VALUE_0..=slot::VALUE_0]),
        ((shape >> 32) as u16, (shape >> 56) as u8, &words[slot::VALUE_1..=slot::VALUE_1 + 1]),
    ];
    for (key, shape, value) in inline.into_iter().filter(|(_, shape, _)| *shape != 0) {
        match show(shape & 7, usize::from(shape >> 3), value) {
            Some(text) => phase.fields.push((names.get(key), text)),
            None => *torn = torn.saturating_add(1),
        }
    }
    if let Some(more) = more {
        phase.task = some(more[more::TASK]);
        let used = more::used(more[more::STATE]).min(more::CAPACITY);
        let entries = &more[more::ENTRIES..more::ENTRIES + used];
        *torn = torn.saturating_add(u32::from(!read_entries(entries, names, &mut phase)));
    }
    phase
}

/// Whether all entries were as they should be.
fn read_entries(mut entries: &[u64], names: &Names, phase: &mut OpenPhase) -> bool {
    while let Some((&head, body)) = entries.split_first() {
        let (key, kind, length) = more::split(head);
        let words = length.div_ceil(WORD);
        let Some(value) = body.get(..words).filter(|_| length <= value::MAX_VALUE) else { return false };
        let Some(text) = show(kind, length, value) else { return false };
        set(phase, names.get(key), text);
        entries = &body[words..];
    }
    true
}

/// A later value of the same key replaces the earlier one.
fn set(phase: &mut OpenPhase, key: String, text: String) {
    let hang = &mut phase.hang;
    match key.as_str() {
        "hang.wait" => hang.wait = Some(text),
        "hang.hold" => hang.hold = Some(text),
        "hang.serve" => hang.serve = Some(text),
        "hang.op" => hang.op = Some(text),
        "hang.entity" => hang.entity = Some(text),
        "hang.link" => hang.link = Some(text),
        "hang.deadline_ms" => hang.deadline_ms = text.parse().ok(),
        _ => match phase.fields.iter_mut().find(|(known, _)| *known == key) {
            Some((_, value)) => *value = text,
            None => phase.fields.push((key, text)),
        },
    }
}

/// A value as text; `None` for garbage.
fn show(kind: u8, length: usize, words: &[u64]) -> Option<String> {
    if kind == value::TEXT {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        return Some(String::from_utf8_lossy(bytes.get(..length)?).into_owned());
    }
    value::show_number(kind, *words.first()?)
}
