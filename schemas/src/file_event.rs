//! What happened to files in the directories of a run: who opened, made, renamed or removed which one, and which
//! directories were watched at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Pid, When};

/// Something was done to a file.
///
/// Lines of one watch stand in the order in which the kernel told of them. What one process did to one file within a
/// moment may come as one notice: such lines have the same `when`, and their order is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileEvent {
    /// When: the kernel gives no time, so it is known as well as the notice was read.
    #[serde(flatten)]
    pub when: When,
    /// What was done.
    pub op: FileOp,
    /// The file, as its directory was called when the notice was read.
    pub path: String,
    /// Of a rename: the name it got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether it is a directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub directory: bool,
    /// The process that did it, by the number it had then; missing where the kernel does not say (inotify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<Pid>,
    /// Its short name, when it was still there to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
    /// How often within 10 ms.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileOp {
    /// It was made, or moved in from where nobody watches.
    Create,
    /// It was opened.
    Open,
    /// It was closed by one who could write.
    CloseWrite,
    /// It got another name.
    Rename,
    /// Its name was removed, or moved to where nobody watches.
    Unlink,
}

impl FileOp {
    /// The word, as in the capture.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::CloseWrite => "close_write",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
        }
    }
}

/// A directory that was to be watched for file events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileWatch {
    /// Since when.
    #[serde(flatten)]
    pub when: When,
    /// The directory, links followed.
    pub directory: String,
    /// How.
    pub by: WatchedBy,
    /// Whose events are kept.
    pub whose: Whose,
    /// What is not seen, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What tells of file events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatchedBy {
    /// fanotify: all below, with the process.
    Fanotify,
    /// inotify: a bounded number of directories, names only.
    Inotify,
    /// Nothing: there are no events of this directory.
    Nothing,
}

/// Whose events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Those of the run's processes.
    Run,
    /// Everybody's but hangdog's own.
    Everybody,
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_once(times: &u32) -> bool {
    *times == 1
}
