//! What hangdog says of a run: the verdict first, then all findings, in a stable shape (DESIGN §8).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Big, Comparison, Confidence, FactRef, Pid, RunNs, Tid, Version};

/// The report of a run. Its JSON begins with `verdict`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The finding that explains a hang or failure; `null` when nothing is wrong.
    pub verdict: Option<Finding>,
    /// All findings, the verdict's first, in order of weight.
    pub findings: Vec<Finding>,
    /// What was looked at.
    pub run: RunSummary,
    /// Many runs of one command, compared (`flake`, `diff`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Version of this shape.
    pub schema: Version,
}

/// What the report is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    /// Name of the run.
    pub id: String,
    /// Command, secrets removed.
    pub command: Vec<String>,
    /// Host name.
    pub host: String,
    /// When the report's facts are from.
    pub at: RunNs,
    /// The last progress before that.
    pub last_progress: Option<RunNs>,
    /// What that was.
    pub progress: Option<String>,
    /// Where the capture lies, when it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
    /// What hangdog did, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Records that were lost or cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// Stable names of findings (DESIGN §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Tasks wait for each other in a ring, over any kinds of resource.
    DeadlockCycle,
    /// A task waits for something that only it itself could do.
    SelfDeadlock,
    /// Nobody exists who could end the wait.
    OrphanWait,
    /// Whoever could end the wait is idle, and who started it has ended.
    IdleHolder,
    /// Whoever could end the wait is stopped or traced.
    StoppedHolder,
    /// Whoever could end the wait is frozen.
    Frozen,
    /// A program asks a person at a terminal where there is none.
    TerminalPrompt,
    /// The wait is for somebody outside the run.
    ExternalWait,
    /// A wake-up came before the wait.
    LostWakeup,
    /// All of a pool is held by those who wait for more of it.
    PoolExhausted,
    /// The same calls with the same results over and over.
    Polling,
    /// Computing without system calls or output.
    Spinning,
    /// It hangs, and the facts do not say why.
    Unknown,
    /// Slower than before; not a hang.
    Slow,
    /// A phase is open for longer than it said.
    LongPhase,
    /// A queue that moves.
    Congested,
    /// Equal operations open at once.
    DuplicateInFlight,
    /// An operation done again by a caller that came in before the first one had ended.
    SameWaveStraggler,
    /// A lock held over a slow call.
    HeldAcrossWait,
    /// One identity, two live owners.
    TwoOwners,
    /// Lock orders that can deadlock.
    LockOrderRisk,
    /// Retries without end.
    UnboundedRetry,
    /// A lock file whose owner is dead.
    StaleLock,
    /// A stale lock taken by more than one.
    LockStolenTwice,
    /// A result of an earlier run was read as this one's.
    StaleState,
    /// A mount that something keeps busy.
    BusyMount,
    /// A process that outlived the run.
    LeakedProcess,
    /// Ended and never waited for.
    Zombie,
    /// A mount that outlived the run.
    LeakedMount,
    /// A mount whose server is gone.
    DeadMount,
    /// Two runs in each other's way.
    CrossRun,
    /// The same port or name twice.
    Collision,
    /// A limit of the system is used up.
    LimitReached,
    /// Two runs part here.
    Diverged,
}

impl FindingKind {
    /// The name in JSON.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => unreachable!("a unit variant is a string in JSON"),
        }
    }

    /// Whether it can explain a hang.
    pub fn is_hang(self) -> bool {
        matches!(
            self,
            Self::DeadlockCycle
                | Self::SelfDeadlock
                | Self::OrphanWait
                | Self::IdleHolder
                | Self::StoppedHolder
                | Self::Frozen
                | Self::TerminalPrompt
                | Self::StaleLock
                | Self::ExternalWait
                | Self::LostWakeup
                | Self::PoolExhausted
                | Self::Polling
                | Self::Spinning
                | Self::Zombie
                | Self::Unknown
        )
    }
}

/// A conclusion from facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Kind.
    pub kind: FindingKind,
    /// As sure as the weakest edge.
    pub confidence: Confidence,
    /// One sentence, at most 400 characters: who waits on what, held by whom, and why that never ends.
    pub sentence: String,
    /// Only those to blame.
    pub culprits: Vec<Actor>,
    /// The shortest chain from what the user ran to the cause, and the cause itself.
    pub edges: Vec<Edge>,
    /// What to change, imperative, in general terms.
    pub advice: Vec<String>,
    /// What frees it now: commands, or what hangdog did.
    pub rescue: Vec<String>,
    /// What could not be seen, and what would show it.
    pub unknown: Vec<String>,
    /// Stable within a report: `kind` and a number.
    pub id: String,
    /// Equal for equal hangs in different captures: 16 hexadecimal digits over edge kinds, resource
    /// classes and phase names.
    pub signature: String,
}

/// A process, thread or task in a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// Process number.
    pub pid: Pid,
    /// Thread number; of an async task the thread that polled it last.
    pub tid: Tid,
    /// The async task, by the number its runtime gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Big>,
    /// Name of the process.
    pub comm: String,
    /// Names of its open phases, outermost first, joined by ` > `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

impl Actor {
    /// Whether both are the same thread or async task.
    pub fn is(&self, other: &Self) -> bool {
        // A task goes from thread to thread.
        self.pid == other.pid && self.task == other.task && (self.task.is_some() || self.tid == other.tid)
    }
}

/// One wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// Who waits.
    pub waiter: Actor,
    /// For what.
    pub resource: Resource,
    /// Who could end it; `null` when nobody can.
    pub resolver: Option<Actor>,
    /// How sure this edge is.
    pub confidence: Confidence,
    /// Why it is believed.
    pub evidence: Vec<Evidence>,
}

/// What is waited for, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// Class: `fuse-reply`, `tcp-reply`, `pipe-data`, `child-exit`, `file-lock`, …
    pub kind: String,
    /// Name for people: `/mnt/x/conversation`, `POST /api/conversations/new at 127.0.0.1:8080`.
    pub name: String,
    /// The system call or what else the waiter is in: `openat("/mnt/x/conversation")`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// One fact behind an edge, in words and as a pointer into the capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The fact in words.
    pub text: String,
    /// Where it stands.
    pub facts: Vec<FactRef>,
}
