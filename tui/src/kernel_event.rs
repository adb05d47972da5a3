//! What the kernel's recorder saw, in words.

use std::collections::BTreeMap;

use hangdog_schemas::Tid;
use hangdog_schemas::record::{Doer, KernelDeed, KernelEvent, LockOutcome, LockRequest, SignalAction};
use hangdog_timeline::Timeline;

use crate::call_event;
use crate::text::clean;

/// One event in one line, harmless; with the names of threads that no sample saw.
pub(crate) fn words(timeline: &Timeline, names: &BTreeMap<Tid, String>, event: &KernelEvent) -> String {
    let name = |tid: Tid| {
        let thread = timeline.thread_of_number(tid, event.when.t);
        let comm = thread.and_then(|thread| timeline.process(thread.process)).map(|p| p.comm_at(event.when.t));
        let comm = comm.map(clean).or_else(|| Some(names.get(&tid)?.as_str().into()));
        comm.map_or_else(|| format!("thread {tid}"), |comm| format!("{comm}[{tid}]"))
    };
    let who = match event.by {
        Doer::Thread => name(event.tid),
        Doer::Interrupt => format!("an interrupt at {}", name(event.tid)),
    };
    format!("{who} {}", deed(&event.what, name))
}

fn deed(deed: &KernelDeed, name: impl Fn(Tid) -> String) -> String {
    match deed {
        KernelDeed::FuseSend { connection, unique, opcode } => {
            format!("asked FUSE connection {connection}: {} (request {unique})", clean(opcode))
        }
        KernelDeed::FuseEnd { connection, unique, error } => {
            format!("ended request {unique} of FUSE connection {connection}{}", failed(i64::from(*error)))
        }
        KernelDeed::Futex { op, uaddr, val } => format!("futex {} at {uaddr}, value {val}", clean(op)),
        KernelDeed::Wake { woken, .. } => format!("woke {}", name(*woken)),
        KernelDeed::Fork { child, .. } => format!("started {}", name(*child)),
        KernelDeed::Exec { file, .. } => format!("runs {}", clean(file)),
        KernelDeed::ExitCall { code } => format!("exits with code {code}"),
        KernelDeed::Exit { last: Some(true), .. } => "ended, the last thread of its process".to_owned(),
        KernelDeed::Exit { .. } => "ended".to_owned(),
        KernelDeed::SignalSent { signal, target, .. } => format!("sent signal {signal} to {}", name(*target)),
        KernelDeed::SignalTaken { signal, action: SignalAction::Default, .. } => format!("took signal {signal}"),
        KernelDeed::SignalTaken { signal, action: SignalAction::Handler, .. } => {
            format!("took signal {signal} in a handler")
        }
        KernelDeed::FileLock { asks, outcome, device, inode, .. } => {
            lock(*asks, *outcome, &format!("{device}/{inode}"))
        }
        KernelDeed::SocketState { local, remote, from, to } => {
            let state = |state| format!("{state:?}").to_lowercase();
            format!("socket {} > {}: {} became {}", clean(local), clean(remote), state(*from), state(*to))
        }
        KernelDeed::Syscall { name, args, .. } => {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            format!("{}({})", clean(name), args.join(", "))
        }
        KernelDeed::SyscallEnd { name, result, .. } => {
            format!("{} gave {}", clean(name), call_event::result(*result))
        }
        KernelDeed::Other { name, text } => format!("{} {}", clean(name), clean(text)),
    }
}

fn lock(asks: LockRequest, outcome: LockOutcome, file: &str) -> String {
    let what = match asks {
        LockRequest::Read => "a lock to read",
        LockRequest::Write => "a lock to write",
        LockRequest::Unlock => return format!("unlocked file {file}"),
    };
    match outcome {
        LockOutcome::Done => format!("took {what} on file {file}"),
        LockOutcome::Waits => format!("waits for {what} on file {file}"),
        LockOutcome::Failed(error) => format!("did not get {what} on file {file}{}", failed(-i64::from(error))),
    }
}

fn failed(error: i64) -> String {
    if error == 0 { String::new() } else { format!(": errno {}", -error) }
}
