//! Phases that are kept open.

use hangdog_tracer::{Phase, open_phase};

/// Phases with room for more.
#[derive(Default)]
pub(crate) struct Held {
    phases: Vec<Option<Phase>>,
}

impl Held {
    /// Makes room for so many, so that filling it needs no memory of the heap.
    pub(crate) fn make_room(&mut self, count: usize) -> String {
        self.phases.resize_with(count, || None);
        format!("room for {count}")
    }

    /// Opens so many.
    pub(crate) fn fill(&mut self, count: usize) -> String {
        for (n, place) in self.phases.iter_mut().take(count).enumerate() {
            *place = Some(open_phase!("held", n = n));
        }
        format!("{count} held")
    }
}
