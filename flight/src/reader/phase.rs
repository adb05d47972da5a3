//! A slot, and what hangs on it, understood.

use super::names::Names;
use super::resources::Resources;
use super::slots::{Slots, Whole};
use super::{Threads, some};
use crate::clock::Anchors;
use crate::layout::{WORD, more, slot};
use crate::resource::Role;
use crate::{Hang, OpenPhase, Outcome, value};

/// What is needed to understand a slot.
pub(super) struct Around<'a> {
    pub(super) names: &'a Names,
    pub(super) anchors: &'a Anchors,
    pub(super) slots: &'a Slots,
    pub(super) threads: &'a Threads,
    pub(super) resources: &'a Resources,
}

impl Around<'_> {
    pub(super) fn phase(&self, whole: &Whole, torn: &mut u32) -> OpenPhase {
        let words = &whole.words;
        let (start_monotonic_ns, err_ns) = self.anchors.tell(words[slot::START]);
        let entry = words[slot::ENTRY];
        let inside = words[slot::PARENT] & slot::INSIDE != 0;
        let (tid, task, polls, polled_now) = if let Some(entry) = whole.stack_of {
            // A thread is in all phases of its stack.
            (self.threads.tid_of(entry).unwrap_or(0), None, 1, true)
        } else {
            let tid = (entry & slot::TID_MASK) as u32;
            (tid, some(entry >> slot::TID_BITS), slot::polls(words[slot::PARENT]), inside)
        };
        let was_left = whole.stack_of.is_none() && !inside && polls > 0;
        let left = was_left.then(|| slot::left(words[slot::SHAPE], words[slot::START]));
        let site = words[slot::SHAPE] as u16;
        let mut phase = OpenPhase {
            id: whole.id,
            parent: self.slots.parent(words[slot::PARENT]),
            tid,
            task,
            name: self.names.get(site),
            start_monotonic_ns,
            err_ns,
            fields: Vec::new(),
            hang: Hang::default(),
            polls,
            polled_now,
            left_monotonic_ns: left.map(|left| self.anchors.tell(left).0.max(start_monotonic_ns)),
            outcome: Outcome::from_number(slot::outcome(words[slot::COMMIT])),
        };
        let commit = words[slot::COMMIT];
        let key = |shift: u32| (commit >> shift & slot::KEY_MASK) as usize;
        let shape = words[slot::SHAPE];
        let inline = [
            ((shape >> 16) as u8, key(slot::KEY_0_SHIFT), &words[slot::VALUE_0..=slot::VALUE_0]),
            ((shape >> 24) as u8, key(slot::KEY_1_SHIFT), &words[slot::VALUE_1..=slot::VALUE_1 + 1]),
        ];
        for (shape, key, value) in inline.into_iter().filter(|(shape, _, _)| *shape != 0) {
            let (kind, length) = (shape & 7, usize::from(shape >> 3));
            let understood = if kind == value::RESOURCE {
                self.meet(&mut phase, length as u64, value[0])
            } else {
                show_inline(kind, length, value)
                    .map(|text| phase.fields.push((self.names.key(site, key), text)))
                    .is_some()
            };
            *torn = torn.saturating_add(u32::from(!understood));
        }
        *torn = torn.saturating_add(u32::from(!self.beyond(&whole.beyond, &mut phase)));
        phase
    }

    /// What the phase has to do with a traced lock or the like.
    fn meet(&self, phase: &mut OpenPhase, role: u64, index: u64) -> bool {
        let Some(role) = Role::from_number(role) else { return false };
        let Some((key, primitive)) = self.resources.key(index, role) else { return false };
        let name = key.split_once(':').map_or(key.as_str(), |(_, name)| name);
        let of_channel = name.rsplit_once('/').map_or(name, |(name, _)| name);
        if phase.name.is_empty() {
            phase.name = match role {
                Role::ServeSpace => format!("receives from {of_channel}"),
                Role::ServeItem => format!("sends to {of_channel}"),
                _ => format!("holds {name}"),
            };
        }
        let hang = &mut phase.hang;
        hang.primitive = Some(primitive.word(role));
        *match role {
            Role::Wait | Role::WaitShared | Role::WaitSpace | Role::WaitItem => &mut hang.wait,
            Role::Hold | Role::HoldShared => &mut hang.hold,
            Role::ServeSpace | Role::ServeItem => &mut hang.serve,
        } = Some(key);
        true
    }

    /// Whether all entries were as they should be.
    fn beyond(&self, words: &[(u64, u64)], phase: &mut OpenPhase) -> bool {
        let mut rest = words;
        while let Some(((head, _), body)) = rest.split_first() {
            let Some((key, kind, length)) = more::split(*head) else { return true };
            let count = length.div_ceil(WORD);
            let Some(value) = body.get(..count).filter(|_| length <= value::MAX_VALUE) else { return false };
            let value: Vec<u64> = value.iter().map(|(_, later)| *later).collect();
            let Some(text) = show(kind, length, &value) else { return false };
            set(phase, self.names.get(key), text);
            rest = &body[count..];
        }
        true
    }
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

/// A value within a slot; a text of more than eight bytes is its first and its last eight, which may overlap.
fn show_inline(kind: u8, length: usize, words: &[u64]) -> Option<String> {
    let (2, value::TEXT, 9..=16) = (words.len(), kind, length) else { return show(kind, length, words) };
    let mut bytes = words[0].to_ne_bytes().to_vec();
    bytes.extend_from_slice(&words[1].to_ne_bytes()[16 - length..]);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A value as text; `None` for garbage.
fn show(kind: u8, length: usize, words: &[u64]) -> Option<String> {
    if kind == value::TEXT {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        return Some(String::from_utf8_lossy(bytes.get(..length)?).into_owned());
    }
    value::show_number(kind, *words.first()?)
}
