//! What runs that failed have in common, and runs that passed have not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::RunNs;

/// Many runs of one command, compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Runs that ended with 0.
    pub passed: u32,
    /// Runs that ended otherwise.
    pub failed: u32,
    /// Runs that hangdog ended: a hang, or the time limit.
    pub hung: u32,
    /// Of these, runs that were compared: not those of which less was recorded than of the others.
    pub compared: u32,
    /// How often runs failed or hung that nobody disturbed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undisturbed: Option<Rate>,
    /// How often runs failed or hung in which threads were late or slow on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perturbed: Option<Rate>,
    /// The seed by which most runs failed or hung.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reproduced: Option<Reproduced>,
    /// Runs that failed or hung, in the order in which they were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedRun>,
    /// What differs: what explains it first, then what follows from it, then what may as well be chance.
    pub differences: Vec<Difference>,
    /// How many different patterns over the runs were weighed: the more, the more of them fit by chance.
    pub weighed: u32,
}

/// A share of runs, with the interval in which the true one lies with 95 % (Wilson's score interval).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// Runs that failed or hung.
    pub failed: u32,
    /// All runs.
    pub of: u32,
    /// Lower end of the interval, 0 to 1.
    pub low: f64,
    /// Upper end of the interval, 0 to 1.
    pub high: f64,
}

/// A seed that makes runs fail, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reproduced {
    /// The seed.
    pub seed: u64,
    /// How often runs failed or hung by it.
    pub rate: Rate,
    /// What it does, a clause each: `worker is held for 8 ms at openat of leader`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A run that failed or hung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedRun {
    /// Its number, from 1.
    pub run: u32,
    /// How it ended: `exit code 1`, `signal 11`, `hung`.
    pub how: String,
    /// The seed that decided which of its threads were late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Its capture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
}

/// Something that is otherwise in runs that fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What, as a clause.
    pub text: String,
    /// More about it, from the first failing run that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How it stands to the failure.
    pub role: DifferenceRole,
    /// Failing runs in which it is so.
    pub failed: u32,
    /// Of so many that were compared.
    pub of_failed: u32,
    /// Passing runs in which it is so.
    pub passed: u32,
    /// Of so many that were compared.
    pub of_passed: u32,
    /// How likely it is to divide the runs so well by chance, for this one alone (Fisher's exact test, one-sided).
    pub chance: f64,
    /// When it is first so, the median over failing runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<RunNs>,
}

/// How a difference stands to the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceRole {
    /// It explains the failure best.
    Cause,
    /// It comes with the cause.
    Consequence,
    /// It divides the runs, and among so many things one would by chance.
    MayBeChance,
}
