//! What the kernel's own recorder (tracefs) saw of a run: one event, one line.
//!
//! The names and numbers are those of the kernel's tracepoints. Threads are numbers only: which process one belonged
//! to at that time is in the samples and snapshots beside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fact::{LockClass, SocketState};
use crate::{Address, Big, Device, FuseConnection, Inode, Tid, When};

/// Something that happened in the kernel while a thread of the run was on a processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KernelEvent {
    /// When, by the kernel's own clock: exact.
    #[serde(flatten)]
    pub when: When,
    /// The thread that was on the processor. A wake-up of the run may come from a thread of somebody else.
    pub tid: Tid,
    /// Whether the thread did it.
    #[serde(default, skip_serializing_if = "Doer::is_thread")]
    pub by: Doer,
    /// What happened.
    #[serde(flatten)]
    pub what: KernelDeed,
}

/// Who did something on a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Doer {
    /// The thread that was on it.
    #[default]
    Thread,
    /// An interrupt (a timer, a device, the network): the thread has nothing to do with it.
    Interrupt,
}

impl Doer {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn is_thread(&self) -> bool {
        *self == Self::Thread
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum KernelDeed {
    /// A request was queued for a FUSE server.
    FuseSend {
        /// The connection.
        connection: FuseConnection,
        /// Number of the request; its end carries the same.
        unique: Big,
        /// `LOOKUP`, `READ`, …, or the number.
        opcode: String,
    },
    /// A request was answered or given up; the thread is mostly the server's.
    FuseEnd {
        /// The connection.
        connection: FuseConnection,
        /// Number of the request.
        unique: Big,
        /// 0, or a negative errno.
        error: i32,
    },
    /// A thread entered `futex(2)`.
    Futex {
        /// `WAIT`, `WAKE`, …, or the number.
        op: String,
        /// The address.
        uaddr: Address,
        /// Value that is expected, or how many to wake.
        val: u32,
    },
    /// A thread was made ready to run.
    Wake {
        /// Which.
        woken: Tid,
        /// Its short name.
        comm: String,
    },
    /// A thread or process was started.
    Fork {
        /// Number of the new one.
        child: Tid,
        /// Its short name: still that of its parent.
        comm: String,
    },
    /// A program was begun.
    Exec {
        /// Its path, as it was asked for.
        file: String,
        /// The number that the thread had before, when it was not the first of its process: it is the first now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Tid>,
    },
    /// The process asked to be ended, all threads of it.
    ExitCall {
        /// The exit code.
        code: i32,
    },
    /// The thread ended.
    Exit {
        /// Its short name.
        comm: String,
        /// Whether it was the last of its process, where the kernel says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<bool>,
    },
    /// A signal was sent.
    SignalSent {
        /// Which.
        signal: i32,
        /// `si_code`: 0 by kill(2), above 0 by the kernel.
        code: i32,
        /// To which thread.
        target: Tid,
        /// Its short name.
        comm: String,
        /// What became of it: 0 it was queued, 1 ignored, 2 already pending, 3 and 4 a queue was full.
        result: i32,
    },
    /// The thread took a signal.
    SignalTaken {
        /// Which.
        signal: i32,
        /// `si_code`.
        code: i32,
        /// What it does.
        action: SignalAction,
    },
    /// A file lock was asked for or given back.
    FileLock {
        /// Class.
        class: LockClass,
        /// What was asked.
        asks: LockRequest,
        /// What came of it.
        outcome: LockOutcome,
        /// The file's device.
        device: Device,
        /// The file.
        inode: Inode,
    },
    /// A TCP socket changed its state.
    SocketState {
        /// Our end, as `127.0.0.1:8080`.
        local: String,
        /// The other end.
        remote: String,
        /// State before.
        from: SocketState,
        /// State now.
        to: SocketState,
    },
    /// A system call began. With `--kernel-trace=syscalls` only.
    Syscall {
        /// Its number on this architecture.
        number: u32,
        /// Its name, or `syscall_N` when unknown.
        name: String,
        /// The six argument registers.
        args: [Address; 6],
    },
    /// A system call ended. With `--kernel-trace=syscalls` only.
    SyscallEnd {
        /// Its number on this architecture.
        number: u32,
        /// Its name, or `syscall_N` when unknown.
        name: String,
        /// What it gave; from -4095 to -1 a negative errno.
        result: i64,
    },
    /// An event that has no shape of its own here.
    Other {
        /// `group:name` of the tracepoint.
        name: String,
        /// Its fields as `name=value`.
        text: String,
    },
}

impl KernelDeed {
    /// The word in `event`, as in the capture.
    pub fn name(&self) -> &str {
        match self {
            Self::FuseSend { .. } => "fuse_send",
            Self::FuseEnd { .. } => "fuse_end",
            Self::Futex { .. } => "futex",
            Self::Wake { .. } => "wake",
            Self::Fork { .. } => "fork",
            Self::Exec { .. } => "exec",
            Self::ExitCall { .. } => "exit_call",
            Self::Exit { .. } => "exit",
            Self::SignalSent { .. } => "signal_sent",
            Self::SignalTaken { .. } => "signal_taken",
            Self::FileLock { .. } => "file_lock",
            Self::SocketState { .. } => "socket_state",
            Self::Syscall { .. } => "syscall",
            Self::SyscallEnd { .. } => "syscall_end",
            Self::Other { .. } => "other",
        }
    }
}

/// What a signal does to the one who takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalAction {
    /// What is usual for this signal; for most the end.
    Default,
    /// A function of the program runs.
    Handler,
}

/// What is asked about a file lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockRequest {
    /// To read; others may too.
    Read,
    /// To write; nobody else may.
    Write,
    /// To give it back.
    Unlock,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockOutcome {
    /// It is done.
    Done,
    /// Somebody else has it: the thread waits.
    Waits,
    /// It failed, by this errno.
    Failed(i32),
}
