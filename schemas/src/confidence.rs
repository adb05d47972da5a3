//! How sure a claim is. Three steps, from the first day, and a chain is as sure as its weakest link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a finding or an edge is to be trusted.
///
/// The order is by trust: `Possible < Likely < Certain`, so that the confidence of a chain
/// is the `min` of its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Fits the facts, and so do other explanations. Reported, never acted on.
    Possible,
    /// Facts name it, one thing that cannot be seen is assumed. Acted on after the quiet time.
    Likely,
    /// Follows from facts that the kernel states. Acted on at once.
    Certain,
}

impl Confidence {
    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }

    /// The weaker of the two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }
}
