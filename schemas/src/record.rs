//! The lines of a capture. One record, one JSON object, one line; its `kind` says which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::action::{Action, Deed};
pub use crate::call::Call;
use crate::fact::{
    CgroupFact, FdFact, FileLockFact, FuseFact, Gap, LimitFact, LockFileFact, MessageQueueFact, MountFact,
    ProcessFact, SemaphoreFact, SocketFact, TaskState, ThreadFact,
};
pub use crate::file_event::{FileEvent, FileOp, FileWatch, WatchedBy, Whose};
pub use crate::kernel_event::{Doer, KernelDeed, KernelEvent, LockOutcome, LockRequest, SignalAction};
pub use crate::primitive::Primitive;
pub use crate::visit::Visit;
use crate::{
    Big, ClockAnchor, Inode, PhaseId, Pid, ProcessId, Report, ResourceKey, RunNs, SnapshotId, ThreadId, Tid, Version,
    When,
};

/// A line of a capture.
///
/// Readers skip and count kinds that they do not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// First line: what ran where.
    Run(Box<RunHeader>),
    /// The clocks read together, now and then.
    Anchor(ClockAnchor),
    /// A process of the run appeared.
    ProcessStart(ProcessStart),
    /// A process of the run replaced its program (exec) or its name.
    ProcessChange(ProcessChange),
    /// A process of the run ended.
    ProcessEnd(ProcessEnd),
    /// States and counters of the threads that changed since the sample before.
    Sample(Sample),
    /// A phase was opened.
    PhaseOpen(Box<PhaseOpen>),
    /// A phase ended.
    PhaseClose(PhaseClose),
    /// How an open phase of an async task stands at a snapshot.
    PhaseState(PhaseState),
    /// The command wrote something.
    Output(Output),
    /// A directory that was to be watched for file events.
    FileWatch(FileWatch),
    /// Something was done to a file.
    FileEvent(FileEvent),
    /// The kernel's own recorder saw something.
    KernelEvent(KernelEvent),
    /// A system call that names something began.
    Call(Box<Call>),
    /// A thread of a disturbed run came by a place at which it can be made late.
    Visit(Box<Visit>),
    /// The watchdog fired.
    Trigger(Trigger),
    /// A snapshot begins; its facts follow, each with the snapshot's number.
    SnapshotBegin(SnapshotBegin),
    /// Fact: a process.
    Process(Box<ProcessFact>),
    /// Fact: a process that was seen and not kept in full.
    Bystander(Bystander),
    /// Fact: a thread.
    Thread(Box<ThreadFact>),
    /// Fact: a file descriptor.
    Fd(Box<FdFact>),
    /// Fact: a mount.
    Mount(Box<MountFact>),
    /// Fact: a FUSE connection.
    Fuse(FuseFact),
    /// Fact: a line of `/proc/locks`.
    FileLock(FileLockFact),
    /// Fact: a file that may be a lock.
    LockFile(Box<LockFileFact>),
    /// Fact: a semaphore of System V.
    Semaphore(SemaphoreFact),
    /// Fact: a message queue of System V.
    MessageQueue(MessageQueueFact),
    /// Fact: a limit that is nearly used up.
    Limit(LimitFact),
    /// Fact: a control group.
    Cgroup(CgroupFact),
    /// Fact: a socket.
    Socket(Box<SocketFact>),
    /// Something that could not be read.
    Gap(Gap),
    /// A snapshot is complete.
    SnapshotEnd(SnapshotEnd),
    /// What hangdog did to the run.
    Action(Action),
    /// How the command ended.
    RunEnd(RunEnd),
    /// The verdict and all findings; the last data line.
    Report(Box<Report>),
    /// Records that were dropped (a queue was full, a ring was overrun).
    Lost(Lost),
}

impl Record {
    /// When it was, for records that have a moment.
    pub fn when(&self) -> Option<RunNs> {
        Some(match self {
            Self::Run(_)
            | Self::Report(_)
            | Self::Bystander(_)
            | Self::Fd(_)
            | Self::Mount(_)
            | Self::Fuse(_)
            | Self::FileLock(_)
            | Self::Semaphore(_)
            | Self::MessageQueue(_)
            | Self::Limit(_)
            | Self::Cgroup(_)
            | Self::Socket(_)
            | Self::Gap(_) => return None,
            Self::Anchor(anchor) => anchor.t,
            Self::ProcessStart(start) => start.when.t,
            Self::ProcessChange(change) => change.when.t,
            Self::ProcessEnd(end) => end.when.t,
            Self::Sample(sample) => sample.when.t,
            Self::PhaseOpen(open) => open.when.t,
            Self::PhaseClose(close) => close.when.t,
            Self::PhaseState(state) => state.when.t,
            Self::Output(output) => output.when.t,
            Self::FileWatch(watch) => watch.when.t,
            Self::FileEvent(event) => event.when.t,
            Self::KernelEvent(event) => event.when.t,
            Self::Call(call) => call.when.t,
            Self::Visit(visit) => visit.when.t,
            Self::Trigger(trigger) => trigger.when.t,
            Self::SnapshotBegin(begin) => begin.when.t,
            Self::Process(fact) => fact.when.t,
            Self::Thread(fact) => fact.when.t,
            Self::LockFile(fact) => fact.when.t,
            Self::SnapshotEnd(end) => end.when.t,
            Self::Action(action) => action.when.t,
            Self::RunEnd(end) => end.when.t,
            Self::Lost(lost) => lost.when.t,
        })
    }

    /// The snapshot that it belongs to, for facts and the two ends of a snapshot.
    pub fn snapshot(&self) -> Option<SnapshotId> {
        Some(match self {
            Self::SnapshotBegin(fact) => fact.snapshot,
            Self::Process(fact) => fact.snapshot,
            Self::Bystander(fact) => fact.snapshot,
            Self::Thread(fact) => fact.snapshot,
            Self::Fd(fact) => fact.snapshot,
            Self::Mount(fact) => fact.snapshot,
            Self::Fuse(fact) => fact.snapshot,
            Self::FileLock(fact) => fact.snapshot,
            Self::LockFile(fact) => fact.snapshot,
            Self::Semaphore(fact) => fact.snapshot,
            Self::MessageQueue(fact) => fact.snapshot,
            Self::Limit(fact) => fact.snapshot,
            Self::Cgroup(fact) => fact.snapshot,
            Self::Socket(fact) => fact.snapshot,
            Self::Gap(fact) => fact.snapshot,
            Self::SnapshotEnd(fact) => fact.snapshot,
            _ => return None,
        })
    }

    /// All words that [`kind`](Self::kind) can give.
    pub const KINDS: &[&str] = &[
        "run",
        "anchor",
        "process_start",
        "process_change",
        "process_end",
        "sample",
        "phase_open",
        "phase_close",
        "phase_state",
        "output",
        "file_watch",
        "file_event",
        "kernel_event",
        "call",
        "visit",
        "trigger",
        "snapshot_begin",
        "process",
        "bystander",
        "thread",
        "fd",
        "mount",
        "fuse",
        "file_lock",
        "lock_file",
        "semaphore",
        "message_queue",
        "limit",
        "cgroup",
        "socket",
        "gap",
        "snapshot_end",
        "action",
        "run_end",
        "report",
        "lost",
    ];

    /// The word in `kind`, as in the capture.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Anchor(_) => "anchor",
            Self::ProcessStart(_) => "process_start",
            Self::ProcessChange(_) => "process_change",
            Self::ProcessEnd(_) => "process_end",
            Self::Sample(_) => "sample",
            Self::PhaseOpen(_) => "phase_open",
            Self::PhaseClose(_) => "phase_close",
            Self::PhaseState(_) => "phase_state",
            Self::Output(_) => "output",
            Self::FileWatch(_) => "file_watch",
            Self::FileEvent(_) => "file_event",
            Self::KernelEvent(_) => "kernel_event",
            Self::Call(_) => "call",
            Self::Visit(_) => "visit",
            Self::Trigger(_) => "trigger",
            Self::SnapshotBegin(_) => "snapshot_begin",
            Self::Process(_) => "process",
            Self::Bystander(_) => "bystander",
            Self::Thread(_) => "thread",
            Self::Fd(_) => "fd",
            Self::Mount(_) => "mount",
            Self::Fuse(_) => "fuse",
            Self::FileLock(_) => "file_lock",
            Self::LockFile(_) => "lock_file",
            Self::Semaphore(_) => "semaphore",
            Self::MessageQueue(_) => "message_queue",
            Self::Limit(_) => "limit",
            Self::Cgroup(_) => "cgroup",
            Self::Socket(_) => "socket",
            Self::Gap(_) => "gap",
            Self::SnapshotEnd(_) => "snapshot_end",
            Self::Action(_) => "action",
            Self::RunEnd(_) => "run_end",
            Self::Report(_) => "report",
            Self::Lost(_) => "lost",
        }
    }
}

/// The number of the pid namespace in which all processes of a machine are (`PROC_PID_INIT_INO`,
/// include/linux/proc_ns.h).
pub const FIRST_PID_NAMESPACE: u64 = 0xefff_fffc;

/// The first line of a capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunHeader {
    /// Version of the capture's format.
    pub format: Version,
    /// Version of the hangdog that wrote it.
    pub hangdog: String,
    /// Name of the run: 26 letters and digits, sortable by time.
    pub run: String,
    /// Host name.
    pub host: String,
    /// Kernel release, e.g. `6.18.44`.
    pub kernel: String,
    /// `x86_64`, `aarch64`, …
    pub arch: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// The observer's pid namespace.
    pub pid_namespace: Inode,
    /// The observer's mount namespace.
    pub mount_namespace: Inode,
    /// Clock ticks a second, the unit of start times.
    pub ticks_per_second: u32,
    /// Page size, bytes.
    pub page_size: u32,
    /// Effective user number of the observer.
    pub uid: u32,
    /// Processors.
    pub cpus: u32,
    /// The command, secrets removed.
    pub command: Vec<String>,
    /// Its process.
    pub root: ProcessId,
    /// The observer's own process.
    pub observer: ProcessId,
    /// Working directory of the command.
    pub cwd: String,
    /// Variables of the environment that are kept (an allow-list), secrets removed.
    pub environment: Vec<(String, String)>,
    /// The clocks at the run's begin.
    pub anchor: ClockAnchor,
    /// Options in force, as `--quiet-after=3s`.
    pub options: Vec<String>,
    /// The observer's own controlling terminal, if any (its reader is a person).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<crate::Device>,
    /// What was watched.
    #[serde(default, skip_serializing_if = "Watched::is_command")]
    pub watched: Watched,
}

/// What a capture is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// A command that hangdog started (`run`), with all that it started.
    #[default]
    Command,
    /// Processes that ran already (`attach`), with all that they started. `command` is then how hangdog was called, and
    /// `root` the first of those that were named, or hangdog itself.
    Processes,
}

impl Watched {
    /// Whether it is a command: captures do not say so.
    pub fn is_command(&self) -> bool {
        *self == Self::Command
    }
}

/// A process of the run appeared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessStart {
    /// When it was first seen; it began within `err` before.
    #[serde(flatten)]
    pub when: When,
    /// Who.
    #[serde(flatten)]
    pub process: ProcessId,
    /// Who started it, as far as it was seen.
    pub parent: Pid,
    /// Short name.
    pub comm: String,
}

/// A process changed its program or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessChange {
    /// When it was seen.
    #[serde(flatten)]
    pub when: When,
    /// Who.
    #[serde(flatten)]
    pub process: ProcessId,
    /// Short name now.
    pub comm: String,
}

/// A process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessEnd {
    /// When it was missed; it ended within `err` before.
    #[serde(flatten)]
    pub when: When,
    /// Who.
    #[serde(flatten)]
    pub process: ProcessId,
    /// How, when hangdog itself got the exit status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<ExitStatus>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A cheap look at all threads of the run. Holds those that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// Threads that are new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadSample>,
    /// Threads that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<ThreadId>,
}

/// A thread in a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadSample {
    /// Who.
    #[serde(flatten)]
    pub thread: ThreadId,
    /// Short name; only when it is new or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
    /// State.
    pub state: TaskState,
    /// Time on a processor so far, ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Voluntary switches so far.
    pub vol: u64,
    /// Involuntary switches so far.
    pub invol: u64,
}

/// A phase was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseOpen {
    /// When it began.
    #[serde(flatten)]
    pub when: When,
    /// Which.
    #[serde(flatten)]
    pub id: PhaseId,
    /// The phase around it, in the same process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Big>,
    /// The thread that is in it, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<Tid>,
    /// The async task that is in it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Big>,
    /// Name.
    pub name: String,
    /// Other fields of the span, cut at 256 bytes each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
    /// The `hang.*` fields.
    #[serde(default, skip_serializing_if = "PhaseMeaning::is_empty")]
    pub hang: PhaseMeaning,
}

/// What a phase says of itself by its `hang.*` fields. All optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseMeaning {
    /// `hang.wait`: the resource it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<ResourceKey>,
    /// `hang.hold`: the resource held while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<ResourceKey>,
    /// `hang.serve`: the resource it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<ResourceKey>,
    /// `hang.op`: key of an operation that should run once at a time or once a wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// `hang.entity`: identity that must have one live owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// `hang.link`: joins a client's phase to its server's: a W3C `traceparent`, or `client>server` addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// `hang.deadline_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Set when a traced lock or channel wrote this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primitive: Option<Primitive>,
}

impl PhaseMeaning {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How an open phase of an async task stands at a snapshot: a future that waits is open, and polled by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseState {
    /// When it was so.
    #[serde(flatten)]
    pub when: When,
    /// Which.
    #[serde(flatten)]
    pub id: PhaseId,
    /// Whether a thread is inside it.
    pub polled_now: bool,
    /// How often it was polled, at least.
    pub polls: u32,
    /// When it was last left; missing while it is polled and when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<RunNs>,
}

/// A phase ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseClose {
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// Which.
    #[serde(flatten)]
    pub id: PhaseId,
    /// `hang.outcome`: `ok`, `failed`, `cancelled`, `panicked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// Which of the command's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Both: they are the same open file, or only the sum is known.
    Both,
}

/// The command wrote something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// When it was seen.
    #[serde(flatten)]
    pub when: When,
    /// Where to.
    pub stream: Stream,
    /// Bytes since the record before. 0: only the fact is known (terminals), or earlier records counted the bytes of
    /// this text already.
    pub bytes: u64,
    /// The text itself, under `--tee` only, secrets removed; bytes that are no UTF-8 stand as `\xNN`. It may come later
    /// than its bytes, and some of it may be missing: then a `lost` record says how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Why the watchdog fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerReason {
    /// All of the run repeats its waits: a light look.
    Still,
    /// No progress for `--quiet-after`.
    Quiet,
    /// `--timeout` was reached.
    Timeout,
    /// This signal came (a cancelled job).
    Signal(i32),
    /// Somebody asked (`dump`, `attach`).
    Demand,
    /// The command ended.
    End,
}

/// The watchdog fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// Why.
    pub reason: TriggerReason,
    /// The last progress before it.
    pub last_progress: RunNs,
    /// What that progress was, e.g. `output`, `a new process`, `cpu`.
    pub progress: String,
}

/// How much a snapshot looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotExtent {
    /// Blocked threads and the resources that they name.
    Light,
    /// Everything of the run and of whoever holds what it waits for.
    Full,
}

/// A snapshot begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotBegin {
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// Its number, from 1.
    pub snapshot: SnapshotId,
    /// How much.
    pub extent: SnapshotExtent,
    /// Why.
    pub reason: TriggerReason,
}

/// A snapshot is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotEnd {
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// Its number.
    pub snapshot: SnapshotId,
    /// Reads that had to be given up.
    pub stalls: u32,
}

/// A process that was seen and holds nothing that the run waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bystander {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Who.
    #[serde(flatten)]
    pub process: ProcessId,
    /// Short name.
    pub comm: String,
    /// State of its first thread.
    pub state: TaskState,
    /// Its parent.
    pub parent: Pid,
}

/// How the command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunEnd {
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// How; `None` when hangdog gave up on it.
    pub how: Option<ExitStatus>,
    /// Whether hangdog ended it.
    pub ended_by_hangdog: bool,
    /// CPU time of the command and all it waited for, ns.
    pub cpu_ns: u64,
    /// CPU time of hangdog and its helpers, ns.
    pub own_cpu_ns: u64,
}

/// Records that were dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lost {
    /// When it was noticed.
    #[serde(flatten)]
    pub when: When,
    /// Where, e.g. `queue`, `phases of 4412`.
    pub at: String,
    /// How many.
    pub records: u64,
}

impl Lost {
    /// How [`at`](Self::at) begins for events of the kernel's recorder.
    pub const KERNEL_EVENTS: &str = "kernel events";
    /// How it begins for file events.
    pub const FILE_EVENTS: &str = "file events";

    /// Whether these are events of which only the newest are kept: no conclusion rests on what is no longer there.
    pub fn is_of_events(&self) -> bool {
        [Self::KERNEL_EVENTS, Self::FILE_EVENTS].iter().any(|kind| self.at.starts_with(kind))
    }
}
