//! A thread and the call that it is in.

use hangdog_schemas::fact::*;
use hangdog_schemas::record::*;
use hangdog_schemas::*;

use super::lines::{id, number};

pub(super) fn thread(pid: u32, tid: u32, comm: &str, call: &str, snapshot: SnapshotId, when: When) -> Record {
    let state =
        call.split(' ').find(|w| w.len() == 1 && w.chars().all(char::is_alphabetic)).and_then(|w| w.chars().next());
    let wchan = call.split(' ').find_map(|word| word.strip_prefix('@')).unwrap_or("0").to_owned();
    let moved = call.ends_with(" moved") && snapshot.0 == 2;
    let syscall = match call.split(' ').next().unwrap() {
        "fault" => Syscall::None { sp: Address(0), pc: Address(0) },
        "running" => Syscall::Running,
        text => {
            let shared = call.split(' ').find_map(|word| word.strip_prefix("map="));
            let shared = shared.map(|path| path.replace("fork", "/dev/zero (deleted)"));
            parse_call(text, Address(number(call, "sp=").unwrap_or(0)), shared)
        }
    };
    let computed = if call.contains(" computes") { u64::from(snapshot.0) * 1_000_000 } else { 0 };
    let runs = matches!(syscall, Syscall::Running);
    Record::Thread(Box::new(ThreadFact {
        snapshot,
        when,
        thread: ThreadId { process: id(pid), tid: Tid(tid) },
        comm: comm.to_owned(),
        state: state.map_or(if runs { TaskState::R } else { TaskState::S }, TaskState::from_letter),
        wchan: Observed::Seen(wchan),
        stack: Observed::Denied,
        syscall: Observed::Seen(syscall),
        voluntary_switches: if moved { 9 } else { 7 },
        involuntary_switches: 0,
        cpu_ns: Some(computed),
        children: vec![],
    }))
}

/// `openat(-100,"/mnt/x",0)`, `poll([3r+4w],-1)`, `futex(0x80,2;2+0+11+0+0)`: words behind the semicolon are memory.
fn parse_call(text: &str, sp: Address, shared: Option<String>) -> Syscall {
    let (name, inner) = text.strip_suffix(')').and_then(|text| text.split_once('(')).expect("name(args)");
    let mut args = [Address(0); 6];
    let mut memory = Vec::new();
    let (inner, words) = inner.split_once(';').map_or((inner, None), |(inner, words)| (inner, Some(words)));
    for (n, arg) in inner.split(',').filter(|arg| !arg.is_empty()).enumerate() {
        let n_u8 = u8::try_from(n).unwrap();
        if let Some(path) = arg.strip_prefix('"') {
            args[n] = Address(0x1000);
            memory.push((n_u8, Observed::Seen(Argument::Path(path.trim_end_matches('"').to_owned()))));
        } else if let Some(list) = arg.strip_prefix('[') {
            args[n] = Address(0x1000);
            let list = list.trim_end_matches(']');
            let entries = list.split('+').map(|entry| {
                let (fd, events) = entry.split_at(entry.len() - 1);
                PollFd { fd: fd.parse().unwrap(), events: if events == "w" { 4 } else { 1 } }
            });
            memory.push((n_u8, Observed::Seen(Argument::PollFds(entries.collect()))));
        } else if let Some(operation) = arg.strip_prefix('#') {
            args[n] = Address(0x1000);
            let (number, add) = operation.split_once('-').map(|(n, add)| (n, -add.parse::<i16>().unwrap())).unwrap();
            let operation = SemaphoreOperation { number: number.parse().unwrap(), add };
            memory.push((n_u8, Observed::Seen(Argument::SemaphoreOperations(vec![operation]))));
        } else if let Some(address) = arg.strip_prefix("to=") {
            memory.push((n_u8, Observed::Seen(Argument::SocketAddress(address.to_owned()))));
        } else if let Some(ns) = arg.strip_prefix("1@") {
            args[n] = Address(0x1000);
            memory.push((n_u8, Observed::Seen(Argument::Time { ns: ns.parse().unwrap() })));
        } else if let Some(hex) = arg.strip_prefix("0x") {
            args[n] = Address(u64::from_str_radix(hex, 16).unwrap());
        } else {
            args[n] = Address(arg.parse::<i64>().unwrap() as u64);
        }
    }
    if let Some(words) = words {
        let words = words.split('+').map(|word| word.parse().unwrap()).collect();
        memory.push((0, Observed::Seen(Argument::Words { values: words, shared })));
    }
    Syscall::In { number: 0, name: name.to_owned(), args, sp, pc: Address(0), memory }
}
