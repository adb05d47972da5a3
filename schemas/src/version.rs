//! Who may read what. One function decides.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of a format as `major.minor`.
///
/// A reader reads its own major version with any minor: unknown kinds of records are skipped and
/// counted, unknown fields are ignored. A new major version may change what a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Version {
    /// Changes when old readers would misunderstand.
    pub major: u16,
    /// Changes when something is added.
    pub minor: u16,
}

/// The version of captures that this crate writes.
///
/// | version | what changed |
/// | --- | --- |
/// | 1.0 | first |
/// | 1.1 | `call` records |
/// | 1.2 | `visit` records |
pub const CAPTURE_VERSION: Version = Version { major: 1, minor: 2 };

/// The version of reports that this crate writes.
///
/// | version | what changed |
/// | --- | --- |
/// | 1.0 | first |
/// | 1.1 | `comparison` |
/// | 1.2 | `comparison.reproduced` |
pub const REPORT_VERSION: Version = Version { major: 1, minor: 2 };

/// Whether this crate may read something of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Readable {
    /// All of it.
    Fully,
    /// A newer minor version: what is new is skipped and counted.
    WithLosses,
    /// Another major version.
    No,
}

impl Version {
    /// Whether a reader for `self` may read `other`.
    pub fn reads(self, other: Self) -> Readable {
        if other.major != self.major {
            Readable::No
        } else if other.minor > self.minor {
            Readable::WithLosses
        } else {
            Readable::Fully
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom(format!("{text:?} is no version: expected MAJOR.MINOR"));
        let (major, minor) = text.split_once('.').ok_or_else(wrong)?;
        Ok(Self { major: major.parse().map_err(|_| wrong())?, minor: minor.parse().map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_minor_is_read_with_losses_and_another_major_not_at_all() {
        let own = Version { major: 1, minor: 2 };
        for (major, minor, expected) in [
            (1, 0, Readable::Fully),
            (1, 2, Readable::Fully),
            (1, 3, Readable::WithLosses),
            (0, 9, Readable::No),
            (2, 0, Readable::No),
        ] {
            assert_eq!(own.reads(Version { major, minor }), expected, "{major}.{minor}");
        }
    }
}
