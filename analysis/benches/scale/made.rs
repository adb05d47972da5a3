//! A capture of any size: processes of twenty threads, two looks at all of them, and phases.
//!
//! ```text
//! command ──▶ its child ──▶ … (each process waits for the next one's exit, a tree of eight)
//! threads of a process: one waits for a child; others at a futex, at a pipe of the neighbour, at a connection to the
//! neighbour, in an event loop over many of its descriptors, asleep for a time
//! the last two processes: each reads a pipe that only the other can write: the ring
//! ```
//!
//! Records are made as JSON, as a capture has them, so that nothing here depends on how the types are built.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use hangdog_schemas::file::Writer;
use hangdog_schemas::{Record, sample};
use serde_json::{Value, json};

const THREADS: usize = 20;
/// Descriptors for each thread, in each of the two looks.
const DESCRIPTORS: usize = 10;
/// Records of phases for each thread: so many open, and all but the last close.
const PHASE_RECORDS: usize = 100;
const FIRST: usize = 1_000;

/// Writes a capture with so many threads.
pub(crate) fn write(file: &Path, threads: usize) -> io::Result<()> {
    let mut writer = Writer::new(BufWriter::new(File::create(file)?)).map_err(io::Error::other)?;
    let mut put = |record: Value| -> io::Result<()> {
        let record: Record = serde_json::from_value(record)?;
        writer.write(&record).map_err(io::Error::other)
    };
    let processes = (threads / THREADS).max(4);
    put(header()?)?;
    for step in 0..PHASE_RECORDS / 2 {
        for process in 0..processes {
            for thread in 0..THREADS {
                phases(process, thread, step, &mut put)?;
            }
        }
    }
    for look in 1..=2_u64 {
        let t = 10_000_000_000 + look * 1_000_000_000;
        put(json!({"kind": "snapshot_begin", "t": t, "snapshot": look, "extent": "full", "reason": "still"}))?;
        for process in 0..processes {
            facts(look, t, process, processes, &mut put)?;
        }
        put(json!({"kind": "snapshot_end", "t": t + 1, "snapshot": look, "stalls": 0}))?;
    }
    writer.finish().map_err(io::Error::other)?;
    Ok(())
}

fn header() -> io::Result<Value> {
    let mut header = serde_json::to_value(Record::Run(Box::new(sample::header())))?;
    header["root"] = id(0);
    Ok(header)
}

fn id(process: usize) -> Value {
    json!({"pid": FIRST + process * THREADS, "start": (5_000 + process).to_string()})
}

fn with(mut fact: Value, more: &Value) -> Value {
    if let (Some(fact), Some(more)) = (fact.as_object_mut(), more.as_object()) {
        fact.extend(more.clone());
    }
    fact
}

/// A phase opens and closes; the last one stays open, and some say what they hold.
fn phases(
    process: usize,
    thread: usize,
    step: usize,
    put: &mut dyn FnMut(Value) -> io::Result<()>,
) -> io::Result<()> {
    let number = (thread * PHASE_RECORDS + step + 1).to_string();
    let is_last = step == PHASE_RECORDS / 2 - 1;
    let t = 1_000_000 * step as u64 + (process * THREADS + thread) as u64;
    let mut open = json!({"kind": "phase_open", "t": t, "phase": number, "tid": FIRST + process * THREADS + thread, "name": "step"});
    open["fields"] = json!([["item", step.to_string()]]);
    if is_last {
        open["hang"] = json!({"hold": format!("lock:part-{process}-{thread}")});
    }
    put(with(open, &id(process)))?;
    // The last one stays open; a note that it does keeps the count of records round.
    let closing = if is_last { step - 1 } else { step };
    if is_last {
        return Ok(());
    }
    let number = (thread * PHASE_RECORDS + closing + 1).to_string();
    put(with(json!({"kind": "phase_close", "t": t + 500, "phase": number}), &id(process)))
}

/// All that one look sees of a process.
fn facts(
    look: u64,
    t: u64,
    process: usize,
    processes: usize,
    put: &mut dyn FnMut(Value) -> io::Result<()>,
) -> io::Result<()> {
    let belongs = if process == 0 { "root" } else { "run" };
    let parent = if process == 0 { 4380 } else { FIRST + (process - 1) / 8 * THREADS };
    put(with(
        json!({"kind": "process", "snapshot": look, "t": t, "belongs": belongs, "comm": "worker", "state": "S", "parent": parent,
               "ns_pids": [FIRST + process * THREADS], "uid": 0, "threads": THREADS, "frozen": {"seen": false}}),
        &id(process),
    ))?;
    for thread in 0..THREADS {
        let call = call(process, thread, processes);
        let fact = json!({"kind": "thread", "snapshot": look, "t": t, "tid": FIRST + process * THREADS + thread, "comm": "worker",
                          "state": "S", "wchan": {"seen": "x"}, "syscall": {"seen": call}, "voluntary_switches": 7,
                          "involuntary_switches": 1, "cpu_ns": 1000});
        put(with(fact, &id(process)))?;
    }
    for fd in 0..THREADS * DESCRIPTORS {
        put(with(descriptor(look, process, fd, processes), &id(process)))?;
    }
    for socket in 0..THREADS * DESCRIPTORS / 4 {
        let (own, peer) = (address(process, socket), address((process + 1) % processes, socket));
        for (inode, local, remote) in [(0, &own, &peer), (1, &peer, &own)] {
            let inode = (2_000_000 + (process * 1_000 + socket) * 2 + inode).to_string();
            put(json!({"kind": "socket", "snapshot": look, "netns": "4026531833", "inode": inode, "family": "tcp",
                       "state": "established", "local": format!("{local}1"), "remote": format!("{remote}2"),
                       "receive_queue": 0, "send_queue": 0}))?;
        }
    }
    Ok(())
}

fn address(process: usize, socket: usize) -> String {
    format!("127.{}.{}.1:{}", process / 250, process % 250, 1_000 + socket)
}

/// The pipe from a process to the next.
fn pipe(process: usize, number: usize) -> usize {
    1_000_000 + process * 1_000 + number
}

fn call(process: usize, thread: usize, processes: usize) -> Value {
    let into = |name: &str, args: [u64; 4], memory: Value| {
        let args: Vec<String> =
            args.iter().map(|arg| format!("{arg:#x}")).chain(["0x0".into(), "0x0".into()]).collect();
        json!({"is": "in", "number": 0, "name": name, "args": args, "sp": "0x0", "pc": "0x0", "memory": memory})
    };
    let ring = process + 2 >= processes;
    match thread {
        // The ring, and what is behind it.
        _ if ring => into("read", [3, 0, 0, 0], json!([])),
        0 => into("wait4", [u64::MAX, 0, 0, 0], json!([])),
        1 => into("clock_nanosleep", [0, 0, 0, 0], json!([])),
        2..=5 => into("read", [3 + thread as u64, 0, 0, 0], json!([])),
        6..=8 => into("recvfrom", [(THREADS * DESCRIPTORS / 2 + thread) as u64, 0, 0, 0], json!([])),
        9 => into("epoll_wait", [1, 0, 0, u64::MAX], json!([])),
        _ => into(
            "futex",
            [0x1000 + thread as u64, 0x80, 0, 0],
            json!([[0, {"seen": {"words": {"values": [0, 0, 0, 0, 0]}}}]]),
        ),
    }
}

/// Files, ends of pipes to and from the neighbours, connections, and an event loop over fifty of them.
fn descriptor(look: u64, process: usize, fd: usize, processes: usize) -> Value {
    let all = THREADS * DESCRIPTORS;
    let (last, before) = (processes - 1, processes - 2);
    let fact = |target: String, inode: usize, access: &str| json!({"kind": "fd", "snapshot": look, "fd": fd, "target": target, "inode": inode.to_string(), "access": access, "flags": 0});
    let end = |inode: usize, access: &str| fact(format!("pipe:[{inode}]"), inode, access);
    match fd {
        1 => {
            let watched: Vec<Value> =
                (all / 2..all / 2 + 50).map(|fd| json!({"fd": fd, "events": 1, "inode": "9"})).collect();
            let mut fact = fact("anon_inode:[eventpoll]".to_owned(), 9, "read_write");
            fact["detail"] = json!({"epoll": watched});
            fact
        }
        3 if process >= before => end(pipe(last, 900 + process - before), "read"),
        4 if process >= before => end(pipe(last, 900 + last - process), "write"),
        _ if fd < all / 4 => {
            fact(format!("/work/project/file-{process}-{fd}"), 5_000_000 + process * 1_000 + fd, "read")
        }
        // Read from the one before, written by the one after: each end is inherited by two more.
        _ if fd < all / 2 && fd.is_multiple_of(2) => end(pipe(process, fd / 2), "read"),
        _ if fd < all / 2 => end(pipe((process + fd % 3) % processes, fd / 2), "write"),
        _ if fd < 3 * all / 4 => {
            let inode = 2_000_000 + (process * 1_000 + fd - all / 2) * 2;
            fact(format!("socket:[{inode}]"), inode, "read_write")
        }
        _ => {
            let inode = 2_000_000 + ((process + processes - 1) % processes * 1_000 + fd - 3 * all / 4) * 2 + 1;
            fact(format!("socket:[{inode}]"), inode, "read_write")
        }
    }
}
