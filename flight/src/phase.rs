//! Small words that writer and reader share: a phase's number, how it ended, what can be lost.

use std::num::NonZeroU64;

/// The number of a phase in its recorder, never used twice there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhaseId(NonZeroU64);

impl PhaseId {
    pub(crate) const FIRST: Self = Self(NonZeroU64::MIN);

    /// From its number; 0 stands for no phase.
    pub fn from_word(word: u64) -> Option<Self> {
        NonZeroU64::new(word).map(Self)
    }

    /// Its number.
    pub fn word(self) -> u64 {
        self.0.get()
    }
}

/// How a phase ended (`hang.outcome`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did what it was to do.
    Ok,
    /// It did not.
    Failed,
    /// Somebody gave it up.
    Cancelled,
    /// A panic went through it.
    Panicked,
}

impl Outcome {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Ok, "ok"), (Self::Failed, "failed"), (Self::Cancelled, "cancelled"), (Self::Panicked, "panicked")];

    /// Its word in `hang.outcome`.
    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// From its word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, word)| *word == text).map(|(outcome, _)| *outcome)
    }

    /// In a commit word or a cell; 0 stands for none.
    pub(crate) fn number(self) -> u64 {
        self as u64 + 1
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        Self::ALL.get(at).map(|(outcome, _)| *outcome)
    }
}

/// What could not be recorded. The number is its place in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// A phase: no slot was free.
    Slot,
    /// What a phase said beyond its slot: no further slot was free.
    More,
    /// A name: the table was full.
    Name,
    /// A thread's ring: all were taken.
    Thread,
    /// An event of a thread without ring.
    Event,
    /// A field: the phase had no room for it, or another thread wrote to it at that moment.
    Field,
    /// A call while the recorder was being made.
    Early,
    /// A traced lock or the like: the table was full.
    Resource,
}

impl Loss {
    /// All of them, in the order of the header.
    pub const ALL: [Self; 8] =
        [Self::Slot, Self::More, Self::Name, Self::Thread, Self::Event, Self::Field, Self::Early, Self::Resource];
}
