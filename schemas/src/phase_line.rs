//! The lines of the file that `HANGDOG_PHASES` names: how scripts and other languages say what they are doing.
//!
//! ```text
//! {"do":"begin","id":"7","name":"unpack","pid":4412,"tid":4412,"parent":"3","t":"81234567890","fields":{"hang.wait":"path:/mnt/x"}}
//! {"do":"note","id":"7","fields":{"files":"312"}}
//! {"do":"end","id":"7","pid":4412,"t":"81299999999","outcome":"ok"}
//! ```
//!
//! One JSON object a line, appended with a single `write` (lines of up to 4096 bytes do not mix).
//! Unknown fields are ignored; a line that does not parse is counted and skipped.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Big, Pid, Tid};

/// One change of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum PhaseLine {
    /// A phase begins.
    Begin(PhaseBegin),
    /// More is known of an open phase.
    Note(PhaseNote),
    /// A phase ends.
    End(PhaseFinish),
}

/// A phase begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseBegin {
    /// Any text that is unique among the open phases of the run; its note and its end repeat it.
    pub id: String,
    /// Name.
    pub name: String,
    /// The process that is in it, as it knows itself.
    pub pid: Pid,
    /// Start time of the process in ticks since boot (field 22 of `/proc/PID/stat`): it tells the process from
    /// another one that has this number outside of its pid namespace, or had it at another time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Big>,
    /// The thread that is in it. 0 says that none is known, as for a goroutine. When it is absent it is the thread
    /// of a process that has but one, and else none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<Tid>,
    /// The async task that is in it, by a number that is unique in the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Big>,
    /// `id` of the phase around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When.
    #[serde(flatten)]
    pub when: LineTime,
    /// How many phases its program has not told of just before, since the file was too full.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
    /// Fields, the `hang.*` ones among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// More is known of an open phase: fields that it did not have, or other values of those it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseNote {
    /// `id` of its begin.
    pub id: String,
    /// The async task that turned out to be in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Big>,
    /// The fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// A phase ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseFinish {
    /// `id` of its begin.
    pub id: String,
    /// The process that was in it.
    pub pid: Pid,
    /// When.
    #[serde(flatten)]
    pub when: LineTime,
    /// `ok`, `failed`, `cancelled`, `panicked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// When something happened. A line that gives neither is taken to be as old as the look at the file that found it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineTime {
    /// `CLOCK_MONOTONIC`, ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t: Option<Big>,
    /// The first word of `/proc/uptime`, in seconds: the clock that a shell can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<String>,
}

impl LineTime {
    /// A time of `CLOCK_MONOTONIC`, in ns.
    pub fn monotonic(ns: u64) -> Self {
        Self { t: Some(Big(ns)), uptime: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_documented() {
        let begin: PhaseLine = serde_json::from_str(
            r#"{"do":"begin","id":"7","name":"unpack","pid":1,"tid":1,"parent":"3","t":"812","fields":{"hang.wait":"path:/mnt/x"}}"#,
        )
        .unwrap();
        let PhaseLine::Begin(begin) = begin else { panic!("a begin was read as something else") };
        assert_eq!((begin.id.as_str(), begin.when.t, begin.parent.as_deref()), ("7", Some(Big(812)), Some("3")));
        assert_eq!((begin.fields["hang.wait"].as_str(), begin.task, begin.start), ("path:/mnt/x", None, None));
    }

    #[track_caller]
    fn check(text: &str) {
        let line: PhaseLine = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&line).unwrap(), text);
    }

    #[test]
    fn lines_are_written_as_they_are_read() {
        check(r#"{"do":"begin","id":"7","name":"x","pid":1,"start":"99","tid":0,"task":"5","t":"812"}"#);
        check(r#"{"do":"begin","id":"7","name":"x","pid":1,"uptime":"812.05"}"#);
        check(r#"{"do":"begin","id":"7","name":"x","pid":1,"t":"812","lost":3}"#);
        check(r#"{"do":"note","id":"7","task":"5","fields":{"hang.link":"a>b"}}"#);
        check(r#"{"do":"end","id":"7","pid":1,"t":"813","outcome":"ok"}"#);
        check(r#"{"do":"end","id":"7","pid":1}"#);
    }
}
