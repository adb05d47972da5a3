//! What a traced lock or the like is known by: its name, and its number in the recorder, which it asks for at its
//! first use.
//!
//! A forked child has a recorder of its own, which does not know the numbers of its parent's: there it asks anew.
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::fmt::Write as _;
use std::panic::Location;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use hangdog_flight::{MAX_VALUE, Primitive, ResourceId, Taken, Text};

/// The recorder has no room for it.
const REFUSED: u64 = 1 << 32;

/// How it is called.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    /// As the program says.
    Given(&'static str),
    /// By the place where it was made.
    Place(&'static Location<'static>),
}

impl Name {
    #[track_caller]
    pub(crate) const fn of_caller() -> Self {
        Self::Place(Location::caller())
    }

    /// A place is `file.rs:12`, with the folder before it.
    fn text(self) -> Text<MAX_VALUE> {
        let place = match self {
            Self::Given(name) => return Text::of(name),
            Self::Place(place) => place,
        };
        let path = place.file();
        let begin = path.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
        let mut text = Text::new();
        let _cut = write!(text, "{}:{}", path.get(begin..).unwrap_or(path), place.line());
        text
    }
}

/// Name and number of a traced lock or the like.
pub(crate) struct Known {
    /// [`ResourceId::word`]; 0 before it was asked for.
    id: AtomicU64,
    primitive: Primitive,
    name: Name,
}

impl Known {
    pub(crate) const fn new(primitive: Primitive, name: Name) -> Self {
        Self { id: AtomicU64::new(0), primitive, name }
    }

    /// Its number in the recorder of this process.
    #[inline]
    pub(crate) fn id(&self) -> Option<ResourceId> {
        match ResourceId::from_word(self.id.load(Acquire)) {
            Some(id) if id.is_current() => Some(id),
            _ => self.ask(),
        }
    }

    /// The calling thread has it alone, or a task that it polls (0 for none). `None` when nobody records it.
    #[inline(always)]
    pub(crate) fn taken(&self, task: u64) -> Option<Taken> {
        match ResourceId::from_word(self.id.load(Acquire)).and_then(|id| id.taken(task)) {
            None => self.taken_first(task),
            taken => taken,
        }
    }

    #[cold]
    #[inline(never)]
    fn taken_first(&self, task: u64) -> Option<Taken> {
        self.ask()?.taken(task)
    }

    #[cold]
    #[inline(never)]
    fn ask(&self) -> Option<ResourceId> {
        let before = self.id.load(Acquire);
        let known = ResourceId::from_word(before).filter(|id| id.is_current());
        if known.is_some() || before == REFUSED {
            return known;
        }
        hangdog_flight::current()?;
        let Some(id) = hangdog_flight::resource(self.primitive, self.name.text().as_str()) else {
            let _somebody_else_has_it = self.id.compare_exchange(before, REFUSED, Relaxed, Relaxed);
            return None;
        };
        match self.id.compare_exchange(before, id.word(), AcqRel, Acquire) {
            Ok(_) => Some(id),
            Err(other) => {
                // Another thread was first.
                id.gone();
                ResourceId::from_word(other)
            }
        }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        if let Some(id) = ResourceId::from_word(*self.id.get_mut()) {
            id.gone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_last_two_names_and_the_line() {
        let text = Name::of_caller().text();
        let line = line!() - 1;
        assert_eq!(text.as_str(), format!("sync/known.rs:{line}"));
        assert_eq!(Name::Given("cache").text().as_str(), "cache");
    }
}
