//! The parts of a look, on a recorder in a model.

use super::Reader;
use super::checked::{Layout, Section};
use super::resources::{Resources, is_held};
use super::slots::Slots;
use super::source::Source;
use crate::layout::{cell, resource, slot};
use crate::{PhaseId, Recorder};

fn reader(recorder: &Recorder, only: fn(usize) -> bool) -> Reader {
    Reader { source: Source::Modelled { words: recorder.all(), only }, cursors: Vec::new() }
}

fn layout(recorder: &Recorder, slots: usize) -> Layout {
    let places = recorder.places();
    let none = Section { offset: 0, count: 0 };
    Layout {
        names: none,
        text: none,
        slots: Section { offset: places.slots, count: slots },
        stacks: none,
        stacks_begin: places.size.slots,
        threads: Section { offset: places.threads, count: 1 },
        resources: Section { offset: places.resources, count: 1 },
        rings: places.rings,
        events: places.size.events,
    }
}

/// The open phases of the first slots: number and words.
pub(crate) fn slots(recorder: &Recorder, count: usize) -> Vec<(u64, [u64; slot::WORDS])> {
    let only = |word| [slot::COMMIT, slot::VALUE_0].contains(&word);
    let slots = Slots::read(&reader(recorder, only), &layout(recorder, count), &mut 0).unwrap();
    slots.open.into_iter().map(|whole| (whole.id, whole.words)).collect()
}

/// The owners of the slots that hang on a phase's slot, with those of older phases; by the owner's own look.
pub(crate) fn beyond(recorder: &Recorder, phase: PhaseId) -> Vec<u64> {
    recorder.owners_beyond(phase.word())
}

/// Phases of the events of the first ring, and how many were overwritten.
pub(crate) fn events(recorder: &Recorder) -> (Vec<u64>, u64) {
    // Of a cell the phase; of a thread's entry the head of its ring. These are at other places.
    let only = |word| [1, 2, 5].contains(&word);
    let reader = reader(recorder, only);
    let layout = layout(recorder, 0);
    let head = reader.threads(&layout).unwrap()[crate::layout::thread::HEAD];
    let (words, from) = reader.ring(&layout, 0, head).unwrap();
    let at = |number: u64| (number as usize & (layout.events - 1)) * cell::WORDS;
    let events = (from..head).map(|number| words[at(number) + 1]);
    (events.collect(), from)
}

/// The words of the first resource, when somebody holds it.
pub(crate) fn hold(recorder: &Recorder) -> Option<Vec<u64>> {
    let only = |word| [resource::COMMIT, resource::HOLDER, resource::COUNT].contains(&word);
    let (reader, layout) = (reader(recorder, only), layout(recorder, 0));
    let (first, second) = (Resources::copy(&reader, &layout).unwrap(), Resources::copy(&reader, &layout).unwrap());
    is_held(&first, &second).then_some(first)
}
