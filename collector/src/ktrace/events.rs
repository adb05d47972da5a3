//! Which tracepoints are switched on. Those that a kernel does not have are left out.
//!
//! Measured on 6.18, processor time of the command, 13 to 15 rounds in turn, noise ±1.5 %:
//!
//! | on | `dd bs=1` | two processes and two pipes |
//! | --- | --- | --- |
//! | the rare ones | within noise | within noise |
//! | these, kept to a process tree by `set_event_pid` | within noise | +12 to 17 % |
//! | these and `sched_waking`, of the whole machine | within noise | +7 to 9 % |
//! | these and `sys_enter_futex` | +7 % | +16 % |
//! | all system calls | +150 % | +60 % |
//!
//! So `set_event_pid` (it looks at every switch and wake-up of the machine) and whatever takes the slow way through
//! system calls (any event of `syscalls`, on every thread of the machine) are for those who ask for system calls. Of
//! the rare ones the whole machine is recorded, and what is not the run's is left out when they are read.

/// Seldom enough to be recorded in every run.
pub(super) const RARE: &[&str] = &[
    "sched/sched_process_fork",
    "sched/sched_process_exec",
    "sched/sched_process_exit",
    "signal/signal_generate",
    "signal/signal_deliver",
    "fuse/fuse_request_send",
    "fuse/fuse_request_end",
    "filelock/posix_lock_inode",
    "filelock/flock_lock_inode",
    "filelock/break_lease_block",
    "sock/inet_sock_set_state",
];

/// What comes with system calls. A futex is one of them.
pub(super) const OFTEN: &[&str] = &["sched/sched_waking", "raw_syscalls/sys_enter", "raw_syscalls/sys_exit"];

/// What comes of system calls.
pub(super) const RESULTS: &str = "raw_syscalls/sys_exit";

/// System calls as they begin.
pub(super) const CALLS: &str = "raw_syscalls/sys_enter";
