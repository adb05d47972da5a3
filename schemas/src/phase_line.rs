//! The lines of the file that `HANGDOG_PHASES` names: how scripts and other languages say what they are doing.
//!
//! ```text
//! {"do":"begin","id":"7","name":"unpack","pid":4412,"tid":4412,"parent":"3","t":"81234567890","fields":{"hang.wait":"path:/mnt/x"}}
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
    /// A phase ends.
    End(PhaseFinish),
}

/// A phase begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseBegin {
    /// Any text that is unique among the open phases of the run; its end repeats it.
    pub id: String,
    /// Name.
    pub name: String,
    /// The process that is in it.
    pub pid: Pid,
    /// The thread that is in it; the process' first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<Tid>,
    /// `id` of the phase around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// `CLOCK_MONOTONIC`, ns.
    pub t: Big,
    /// Fields, the `hang.*` ones among them.
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
    /// `CLOCK_MONOTONIC`, ns.
    pub t: Big,
    /// `ok`, `failed`, `cancelled`, `panicked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
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
        let PhaseLine::Begin(begin) = begin else { panic!("a begin was read as an end") };
        assert_eq!((begin.id.as_str(), begin.t, begin.parent.as_deref()), ("7", Big(812), Some("3")));
        assert_eq!(begin.fields["hang.wait"], "path:/mnt/x");

        let text = r#"{"do":"end","id":"7","pid":1,"t":"813","outcome":"ok"}"#;
        let end: PhaseLine = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&end).unwrap(), text);
    }
}
