//! A value that was looked for: seen, or why not. A missing fact may hide a finding but must
//! never invent one, so the reason is part of the type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of one read.
///
/// In a capture: `{"seen": value}`, or one of the words `"denied"`, `"vanished"`, `"unsupported"`,
/// `"not_asked"`, or `{"timed_out": "wchan of the reader"}`, `{"garbled": "why"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Observed<T> {
    /// The value.
    Seen(T),
    /// The kernel refused (EPERM, EACCES).
    Denied,
    /// The process or the object ended between the listing and the read.
    Vanished,
    /// The read did not come back in time. Holds the reader's own wait channel when known: that is
    /// the diagnosis ("`__access_remote_vm`": the memory lock is held for writing).
    TimedOut(String),
    /// This kernel does not have it.
    Unsupported,
    /// It was read and is not what its documentation says.
    Garbled(String),
    /// Nobody looked: a light snapshot leaves it out, or a skip rule forbade the read.
    #[default]
    NotAsked,
}

impl<T> Observed<T> {
    /// The value when it was seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            _ => None,
        }
    }

    /// The same observation of a converted value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Seen(value) => Observed::Seen(f(value)),
            Self::Denied => Observed::Denied,
            Self::Vanished => Observed::Vanished,
            Self::TimedOut(wchan) => Observed::TimedOut(wchan),
            Self::Unsupported => Observed::Unsupported,
            Self::Garbled(why) => Observed::Garbled(why),
            Self::NotAsked => Observed::NotAsked,
        }
    }

    /// Whether nobody looked. Such fields are left out of a capture.
    pub fn is_not_asked(&self) -> bool {
        matches!(self, Self::NotAsked)
    }

    /// Why the value is missing, as a fragment; `None` when it was seen.
    pub fn why_not(&self) -> Option<String> {
        Some(match self {
            Self::Seen(_) => return None,
            Self::Denied => "permission denied".to_owned(),
            Self::Vanished => "it ended before it was read".to_owned(),
            Self::TimedOut(wchan) if wchan.is_empty() => "the read did not come back".to_owned(),
            Self::TimedOut(wchan) => format!("the read did not come back (reader blocked in {wchan})"),
            Self::Unsupported => "this kernel does not show it".to_owned(),
            Self::Garbled(why) => format!("unreadable: {why}"),
            Self::NotAsked => "not looked at".to_owned(),
        })
    }
}

impl<T> From<T> for Observed<T> {
    fn from(value: T) -> Self {
        Self::Seen(value)
    }
}
