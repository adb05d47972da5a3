//! A capture from lines of text: two snapshots with the same facts, and phases.
//!
//! ```text
//! proc 11 cat <10 openat("/mnt/x")        process 11, child of 10, its first thread in a call
//! task 12.13 worker read(5)               another thread of 12
//! fd 12.3 /dev/fuse fuse=41               fds: r w rw, fuse=, epoll=3+4e, pty=, eventfd=7#2, pidfd=, lock=flock:8:1:77:9, mnt=;
//!                                         of an epoll set 4e is edge-triggered, an eventfd has number and count
//! mount /mnt fuse.x 41                    a mount with its device minor
//! fuse 41 1                               a connection and its requests without an answer; `foreign`: not the run's
//! tcp 90 127.0.0.1:5000 127.0.0.1:80 established rq=0
//! udp 90 127.0.0.1:5000 127.0.0.1:53 established   a connected UDP socket
//! unix 70 71 /run/x.sock                  a unix socket, its peer, its path
//! locked flock 11 8:1:77                  /proc/locks: 11 waits
//! ended 40 worker 9                       a process that was there before, and the signal that killed it
//! lockfile /w/a.lock file 9 40- by=39- a file, directory or link written 9 s ago that names 40 and was made by 39; `-`: no such process
//! semaphore 5 0 0 40                      set, number, value, who changed it last; `foreign`: not the run's; `ipc=7`
//! messages 6 12 11                        number of a queue, who sent last, who received last; `foreign`: not the run's
//! limit inotify 1000 128/128 12=100        a limit of user 1000 (descriptors: of a process; tasks: of a group), 100 of it of 12
//! phase 12.13 1 0 walk /tmp; serve=fuse:/mnt link=a>b
//! phase 12.13/7 2 0 lock; wait=lock:m as=async-mutex left     of async task 7, which thread 13 polled last
//! lost phases of 12                       records that were lost there
//! declared                                somebody has said that it hangs: the time limit was reached
//! attached                                no command: processes that ran already, of which 10 was named, if it is there
//! gap 11 fd                               what could not be read of 11, or of - for nobody in particular; `vanished`: not there
//! ```
//! A phase has number, parent (0: none) and name. Its words: `wait= hold= serve= link=`, `as=` a traced primitive,
//! `at=` ms when it was opened (500), `err=` ms later at most, `until=` ms when it ended; `forgotten` for its permit;
//! and how it stood at both looks: `left` inside nobody, `moved` so and polled in between, `polled` inside its
//! thread. Without, it is plain code. `12.-` is no known thread.
//!
//! After `moved` at the end of a proc or task line its switches differ between the snapshots; `caught=10000` and
//! `timers=1` (hexadecimal) behind a proc line are the signals that it catches and its timers; `exe=` is its program; `sp=` is a thread's stack. `map=` is
//! what is mapped at its futex, `fork` without a name; `semop(5,#0-1,1)` takes 1 from number 0 of set 5. A
//! thread that is `running computes` used the processor in between. An argument `1@60` points at a time of 60 ns.

use hangdog_schemas::fact::*;
use hangdog_schemas::record::*;
use hangdog_schemas::*;
use hangdog_timeline::Timeline;

use crate::{Options, analyse};

/// Checks the verdict: `kind confidence: culprit pids`, then edges `waiter>resolver class`, or `nothing`.
#[track_caller]
pub(super) fn check(scene: &str, expected: &str) {
    let report = report(scene);
    let told = told(report.verdict.as_ref());
    assert_eq!(
        told,
        expected,
        "\nsentence: {:?}\nfindings: {:#?}",
        report.verdict.as_ref().map(|v| &v.sentence),
        report.findings.iter().map(|f| &f.sentence).collect::<Vec<_>>()
    );
    if let Some(verdict) = &report.verdict {
        assert!(verdict.sentence.chars().count() <= 400);
        assert!(!verdict.advice.is_empty());
    }
    check_removals(scene, &report);
    check_order(scene, &report);
}

/// Checks the verdict in the same words, where a missing fact may well name somebody else: what is only possible.
#[track_caller]
pub(super) fn check_possible(scene: &str, expected: &str) {
    assert_eq!(told(report(scene).verdict.as_ref()), expected);
}

/// Checks the first ring or end of a chain among the findings in the same words, verdict or not.
#[track_caller]
pub(super) fn check_finding(scene: &str, expected: &str) {
    assert_eq!(told_of(scene), expected);
}

/// The first ring or end of a chain among the findings, in the words of [`check`].
pub(super) fn told_of(scene: &str) -> String {
    let report = report(scene);
    let is_cause = |finding: &&Finding| {
        finding.kind.is_hang() && !matches!(finding.kind, FindingKind::ExternalWait | FindingKind::Polling)
    };
    told(report.findings.iter().find(is_cause))
}

fn told(finding: Option<&Finding>) -> String {
    let Some(finding) = finding else { return "nothing".to_owned() };
    let culprits: Vec<String> = finding.culprits.iter().map(number_of).collect();
    let edges = finding.edges.iter().map(|edge| {
        let to = edge.resolver.as_ref().map_or("nobody".to_owned(), number_of);
        format!("{}>{to} {}", number_of(&edge.waiter), edge.resource.kind)
    });
    let edges: Vec<String> = edges.collect();
    let (kind, sure) = (finding.kind.name(), finding.confidence.word());
    format!("{kind} {sure}: {}; {}", culprits.join(" "), edges.join(", "))
}

/// `12` for a thread, `t7` for an async task.
fn number_of(actor: &Actor) -> String {
    actor.task.map_or_else(|| actor.tid.to_string(), |task| format!("t{task}"))
}

/// Without any one of its facts a scene accuses nobody whom the whole does not accuse, and not more surely.
#[track_caller]
fn check_removals(scene: &str, whole: &Report) {
    let all = records(scene);
    let accused = |verdict: &Finding| verdict.culprits.iter().map(|actor| actor.pid).collect::<Vec<_>>();
    let had = whole.verdict.as_ref().map(accused);
    for gone in &all {
        let gone: Box<dyn Fn(&Record) -> bool> = match gone {
            // Without a process and all its threads nobody could know of it; the kernel's listing has it always.
            Record::Process(_) | Record::Gap(_) => continue,
            // What a traced primitive says is complete, or a loss is on record.
            Record::PhaseOpen(phase) if phase.hang.primitive.is_none() => {
                let id = phase.id;
                Box::new(move |record| matches!(record, Record::PhaseOpen(other) if other.id == id))
            }
            Record::PhaseState(state) => {
                Box::new(move |record| matches!(record, Record::PhaseState(other) if other == state))
            }
            fact if is_fact(fact) => {
                let key = keyed(fact).0;
                Box::new(move |record| keyed(record).0 == key)
            }
            _ => continue,
        };
        let rest = all.iter().filter(|record| !gone(record)).cloned();
        let partial = analyse(&Timeline::build(rest).expect("the header stays"), &Options::default());
        let Some(verdict) = partial.verdict else { continue };
        let left_out: Vec<&Record> = all.iter().filter(|record| gone(record)).collect();
        assert!(
            had.as_ref().is_some_and(|had| accused(&verdict).iter().all(|pid| had.contains(pid))),
            "without {left_out:?}: {}",
            verdict.sentence
        );
    }
}

/// The order of facts within a snapshot does not matter.
#[track_caller]
pub(super) fn check_order(scene: &str, whole: &Report) {
    let mut all = records(scene);
    all.sort_by_key(|record| match record {
        Record::Run(_) => 0,
        Record::PhaseOpen(_) | Record::PhaseState(_) | Record::PhaseClose(_) | Record::Lost(_) => 1,
        Record::SnapshotBegin(begin) => begin.snapshot.0 * 10,
        Record::SnapshotEnd(end) => end.snapshot.0 * 10 + 9,
        Record::Thread(fact) => fact.snapshot.0 * 10 + 8,
        Record::Fd(fact) => fact.snapshot.0 * 10 + 2,
        Record::Process(fact) => fact.snapshot.0 * 10 + 7,
        other => keyed(other).1 * 10 + 5,
    });
    let other = analyse(&Timeline::build(all).expect("a header comes first"), &Options::default());
    assert_eq!(other.verdict, whole.verdict);
}

fn is_fact(record: &Record) -> bool {
    keyed(record).1 > 0
}

/// A fact without the number of its snapshot, and that number.
fn keyed(record: &Record) -> (String, u32) {
    let text = format!("{record:?}");
    let number = |n: u32| text.contains(&format!("snapshot: SnapshotId({n})")).then_some(n);
    let is_bracket = matches!(record, Record::SnapshotBegin(_) | Record::SnapshotEnd(_));
    match number(1).or_else(|| number(2)).filter(|_| !is_bracket) {
        Some(n) => {
            let plain = text.replace(&format!("SnapshotId({n})"), "");
            let t = plain.replace("RunNs(1000000000)", "").replace("RunNs(2000000000)", "");
            (t.replace("voluntary_switches: 9", "voluntary_switches: 7"), n)
        }
        None => (text, 0),
    }
}

/// Checks the sentence of the verdict.
#[track_caller]
pub(super) fn check_sentence(scene: &str, expected: &str) {
    assert_eq!(report(scene).verdict.map(|verdict| verdict.sentence).as_deref(), Some(expected));
}

pub(super) fn report(scene: &str) -> Report {
    let timeline = Timeline::build(records(scene)).expect("a header comes first");
    analyse(&timeline, &Options::default())
}

pub(super) fn records(scene: &str) -> Vec<Record> {
    let lines: Vec<&str> = scene.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let watched = if lines.contains(&"attached") { Watched::Processes } else { Watched::Command };
    let mut records = vec![Record::Run(Box::new(RunHeader { watched, ..header() }))];
    for line in lines.iter().filter(|line| line.starts_with("phase ")) {
        records.extend(phase(line));
    }
    for line in lines.iter().filter_map(|line| line.strip_prefix("ended ")) {
        records.extend(ended(line));
    }
    for line in lines.iter().filter_map(|line| line.strip_prefix("lost ")) {
        let when = When::exactly(RunNs(600_000_000));
        records.push(Record::Lost(Lost { when, at: line.to_owned(), records: 5 }));
    }
    for (number, t) in [(1, 1_000_000_000_u64), (2, 2_000_000_000)] {
        let snapshot = SnapshotId(number);
        let when = When::exactly(RunNs(t));
        let extent = SnapshotExtent::Full;
        records.push(Record::SnapshotBegin(SnapshotBegin { when, snapshot, extent, reason: TriggerReason::Still }));
        for line in &lines {
            records.extend(fact(line, snapshot, when));
        }
        for record in &mut records {
            if let Record::Process(process) = record {
                let task = format!("task {}.", process.process.pid);
                process.threads = 1 + lines.iter().filter(|line| line.starts_with(&task)).count() as u32;
            }
        }
        records.push(Record::SnapshotEnd(SnapshotEnd { when, snapshot, stalls: 0 }));
    }
    if lines.contains(&"declared") {
        let (reason, last_progress) = (TriggerReason::Timeout, RunNs(0));
        let when = When::exactly(RunNs(2_000_000_000));
        records.push(Record::Trigger(Trigger { when, reason, last_progress, progress: "output".to_owned() }));
    }
    records
}

fn ended(line: &str) -> [Record; 2] {
    let words: Vec<&str> = line.split(' ').collect();
    let process = ProcessId { pid: Pid(words[0].parse().unwrap()), start: Big(3) };
    let (when, later) = (When::exactly(RunNs(100_000_000)), When::exactly(RunNs(900_000_000)));
    let (parent, comm) = (Pid(5), words[1].to_owned());
    let how = Some(ExitStatus::Signal(words[2].parse().unwrap()));
    [
        Record::ProcessStart(ProcessStart { when, process, parent, comm }),
        Record::ProcessEnd(ProcessEnd { when: later, process, how }),
    ]
}

fn id(pid: u32) -> ProcessId {
    ProcessId { pid: Pid(pid), start: Big(u64::from(pid) * 10) }
}

fn header() -> RunHeader {
    RunHeader {
        format: CAPTURE_VERSION,
        hangdog: "0.1.0".to_owned(),
        run: "01TEST".to_owned(),
        host: "host".to_owned(),
        kernel: "6.18".to_owned(),
        arch: "x86_64".to_owned(),
        boot_id: "boot".to_owned(),
        pid_namespace: Big(FIRST_PID_NAMESPACE),
        mount_namespace: Big(2),
        ticks_per_second: 100,
        page_size: 4096,
        uid: 0,
        cpus: 2,
        command: vec!["cmd".to_owned()],
        root: id(10),
        observer: id(5),
        cwd: "/".to_owned(),
        environment: vec![],
        anchor: ClockAnchor { t: RunNs(0), monotonic: Big(0), boottime: Big(0), realtime: Big(0) },
        options: vec![],
        terminal: None,
        watched: Watched::Command,
    }
}

fn fact(line: &str, snapshot: SnapshotId, when: When) -> Vec<Record> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "proc" => process(rest, snapshot, when),
        "task" => {
            let (who, rest) = rest.split_once(' ').unwrap();
            let (pid, tid) = pair(who);
            let (comm, rest) = rest.split_once(' ').unwrap();
            vec![thread(pid, tid, comm, rest, snapshot, when)]
        }
        "fd" => vec![descriptor(rest, snapshot)],
        "mount" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let minor = words[2].parse().unwrap();
            vec![Record::Mount(Box::new(MountFact {
                snapshot,
                namespace: Big(2),
                mount: 100 + minor,
                parent: 1,
                device: Device { major: 0, minor },
                root: "/".to_owned(),
                mount_point: words[0].to_owned(),
                fs_type: words[1].to_owned(),
                source: "x".to_owned(),
                made_by_run: true,
            }))]
        }
        "fuse" => {
            let (rest, made_by_run) = rest.strip_suffix(" foreign").map_or((rest, true), |rest| (rest, false));
            let (connection, waiting) = rest.split_once(' ').unwrap();
            vec![Record::Fuse(FuseFact {
                snapshot,
                connection: FuseConnection(connection.parse().unwrap()),
                waiting: Observed::Seen(waiting.parse().unwrap()),
                made_by_run,
            })]
        }
        "tcp" | "udp" | "unix" => vec![socket(word, rest, snapshot)],
        "locked" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let (device, inode) = words[2].rsplit_once(':').unwrap();
            vec![Record::FileLock(FileLockFact {
                snapshot,
                number: 1,
                waits: true,
                class: class(words[0]),
                mode: mode(words.get(4).copied()),
                pid: words[1].parse().unwrap(),
                device: device.parse().unwrap(),
                inode: Big(inode.parse().unwrap()),
                start: Big(range(words.get(3).copied()).0),
                end: range(words.get(3).copied()).1.map(Big),
            })]
        }
        "lockfile" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let process = |word: &str| {
                let number = word.trim_end_matches('-');
                (Pid(number.parse().unwrap()), !word.ends_with('-'))
            };
            let named = words[3..].iter().filter(|word| !word.starts_with("by=")).map(|word| process(word));
            let maker = words.iter().find_map(|word| word.strip_prefix("by=")).map(process);
            vec![Record::LockFile(Box::new(LockFileFact {
                snapshot,
                when,
                path: words[0].to_owned(),
                shape: match words[1] {
                    "directory" => LockFileShape::Directory,
                    "link" => LockFileShape::Link,
                    _ => LockFileShape::File,
                },
                device: "8:1".parse().unwrap(),
                inode: Big(77),
                age_ns: words[2].parse::<u64>().unwrap() * 1_000_000_000,
                text: Observed::NotAsked,
                named: named.map(|(pid, exists)| NamedProcess { pid, exists }).collect(),
                maker: maker.map(|(pid, exists)| Maker { pid, comm: None, exists }),
            }))]
        }
        "semaphore" => {
            let words: Vec<u32> = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
            vec![Record::Semaphore(SemaphoreFact {
                snapshot,
                namespace: number(rest, "ipc=").map(Big),
                set: words[0],
                number: words[1] as u16,
                value: words[2],
                waiting: 1,
                last: Pid(words[3]),
                made_by_run: !rest.ends_with("foreign"),
            })]
        }
        "messages" => {
            let words: Vec<u32> = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
            vec![Record::MessageQueue(MessageQueueFact {
                snapshot,
                namespace: number(rest, "ipc=").map(Big),
                queue: words[0],
                messages: 0,
                bytes: 0,
                last_sender: Pid(words[1]),
                last_receiver: Pid(words[2]),
                made_by_run: !rest.ends_with("foreign"),
            })]
        }
        "limit" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let limit = match words[0] {
                "descriptors" => LimitKind::Descriptors,
                "inotify" => LimitKind::InotifyInstances,
                "tasks" => LimitKind::Tasks,
                _ => LimitKind::RunDirectory,
            };
            let (used, most) = words[2].split_once('/').unwrap();
            let by = words.get(3).and_then(|by| by.split_once('='));
            vec![Record::Limit(LimitFact {
                snapshot,
                limit,
                of: words[1].to_owned(),
                pid: by.map(|(pid, _)| Pid(pid.parse().unwrap())),
                by_process: by.map(|(_, own)| Big(own.parse().unwrap())),
                used: Big(used.parse().unwrap()),
                most: Big(most.parse().unwrap()),
            })]
        }
        "gap" => {
            let (pid, what) = rest.split_once(' ').unwrap();
            let pid = pid.parse().ok().map(Pid);
            let (what, why) =
                what.strip_suffix(" vanished").map_or((what, Observed::Denied), |what| (what, Observed::Vanished));
            vec![Record::Gap(Gap { snapshot, pid, what: what.to_owned(), why })]
        }
        "phase" | "lost" | "declared" | "ended" | "attached" => vec![],
        other => panic!("no fact is called {other:?}"),
    }
}

fn process(text: &str, snapshot: SnapshotId, when: When) -> Vec<Record> {
    let mut words = text.splitn(4, ' ');
    let pid: u32 = words.next().unwrap().parse().unwrap();
    let comm = words.next().unwrap();
    let parent: u32 = words.next().unwrap().strip_prefix('<').expect("<PARENT").parse().unwrap();
    let rest = words.next().unwrap();
    let belongs = match (pid, rest.contains(" outside")) {
        (10, _) => Belonging::Root,
        (_, true) => Belonging::Outside,
        _ => Belonging::Run,
    };
    let call = rest.replace(" outside", "");
    let main = thread(pid, pid, comm, &call, snapshot, when);
    let Record::Thread(fact) = &main else { unreachable!() };
    let process = Record::Process(Box::new(ProcessFact {
        snapshot,
        when,
        process: id(pid),
        belongs,
        comm: comm.to_owned(),
        state: fact.state,
        parent: Pid(parent),
        group: Observed::Seen(Pid(pid)),
        session: Observed::NotAsked,
        terminal: Observed::NotAsked,
        ns_pids: vec![pid],
        tracer: None,
        uid: Some(0),
        cmdline: Observed::NotAsked,
        exe: words_after(rest, "exe=").map_or(Observed::NotAsked, Observed::Seen),
        cwd: Observed::Seen("/work".to_owned()),
        root: Observed::NotAsked,
        namespaces: number(rest, "ipc=").map_or(Observed::NotAsked, |ipc| {
            let first = Big(1);
            Observed::Seen(Namespaces { mnt: Big(2), net: first, pid: first, user: first, ipc: Big(ipc) })
        }),
        cgroups: Observed::NotAsked,
        frozen: Observed::Seen(call.contains(" frozen")),
        signals: number(rest, "caught=").map_or(Observed::NotAsked, |caught| {
            let none = Address(0);
            Observed::Seen(Signals { pending: none, blocked: none, ignored: none, caught: Address(caught) })
        }),
        io: Observed::NotAsked,
        timers: number(rest, "timers=").map_or(Observed::NotAsked, |timers| Observed::Seen(timers as u32)),
        threads: 1,
    }));
    vec![process, main]
}

fn words_after(text: &str, word: &str) -> Option<String> {
    text.split(' ').find_map(|part| part.strip_prefix(word)).map(str::to_owned)
}

/// A number behind a word such as `caught=`, in hexadecimal.
fn number(text: &str, word: &str) -> Option<u64> {
    text.split(' ').find_map(|part| part.strip_prefix(word)).map(|hex| u64::from_str_radix(hex, 16).unwrap())
}

fn thread(pid: u32, tid: u32, comm: &str, call: &str, snapshot: SnapshotId, when: When) -> Record {
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

fn pair(text: &str) -> (u32, u32) {
    let (a, b) = text.split_once('.').expect("a.b");
    (a.parse().unwrap(), b.parse().unwrap())
}

/// `1-5`, the whole file when nothing is said.
fn range(text: Option<&str>) -> (u64, Option<u64>) {
    let bounds = text.and_then(|text| text.split_once('-'));
    bounds.map_or((0, None), |(start, end)| (start.parse().unwrap(), Some(end.parse().unwrap())))
}

fn mode(text: Option<&str>) -> LockMode {
    if text == Some("r") { LockMode::Read } else { LockMode::Write }
}

fn class(text: &str) -> LockClass {
    match text {
        "flock" => LockClass::Flock,
        "posix" => LockClass::Posix,
        _ => LockClass::Ofd,
    }
}

fn descriptor(text: &str, snapshot: SnapshotId) -> Record {
    let mut words = text.split(' ');
    let (pid, fd) = pair(words.next().unwrap());
    let target = words.next().unwrap().to_owned();
    let inode = target.split_once(":[").and_then(|(_, rest)| rest.trim_end_matches(']').parse().ok()).map(Big);
    let mut fact = FdFact {
        snapshot,
        process: id(pid),
        fd: Fd(fd),
        target,
        inode,
        access: Some(Access::ReadWrite),
        flags: None,
        position: None,
        mount: None,
        detail: FdDetail::Plain,
        locks: vec![],
    };
    for word in words {
        match word.split_once('=') {
            None if word == "removed" => fact.target.push_str(" (deleted)"),
            None if word == "r" => fact.access = Some(Access::Read),
            None if word == "w" => fact.access = Some(Access::Write),
            None => {}
            Some(("fuse", n)) => {
                fact.detail = FdDetail::FuseServer { connection: Some(FuseConnection(n.parse().unwrap())) };
            }
            Some(("epoll", list)) => {
                let targets = list.split('+').filter(|n| !n.is_empty()).map(|n| EpollTarget {
                    fd: Fd(n.trim_end_matches('e').parse().unwrap()),
                    events: if n.ends_with('e') { 1 | 1 << 31 } else { 1 },
                    inode: Big(0),
                });
                fact.detail = FdDetail::Epoll(targets.collect());
            }
            Some(("flight", n)) => fact.detail = FdDetail::UnixSocket { in_flight: n.parse().unwrap() },
            Some(("pty", n)) => fact.detail = FdDetail::PtyMaster { index: n.parse().unwrap() },
            Some(("eventfd", n)) => {
                let (id, count) = n.split_once('#').unwrap_or((n, "0"));
                let count = Big(count.parse().unwrap());
                fact.detail = FdDetail::Eventfd { count, id: Some(id.parse().unwrap()) };
            }
            Some(("pidfd", n)) => fact.detail = FdDetail::Pidfd { pid: n.parse().ok().map(Pid) },
            Some(("timer", n)) => {
                fact.detail = FdDetail::Timerfd { value_ns: n.parse().unwrap(), interval_ns: 0 };
            }
            Some(("mnt", n)) => fact.mount = Some(n.parse().unwrap()),
            Some(("ino", n)) => fact.inode = Some(Big(n.parse().unwrap())),
            Some(("lock", lock)) => {
                let parts: Vec<&str> = lock.split(':').collect();
                fact.locks.push(FdLock {
                    class: class(parts[0]),
                    mode: mode(parts.get(6).copied()),
                    pid: parts[4].parse().unwrap(),
                    device: Device { major: parts[1].parse().unwrap(), minor: parts[2].parse().unwrap() },
                    inode: Big(parts[3].parse().unwrap()),
                    start: Big(range(parts.get(5).copied()).0),
                    end: range(parts.get(5).copied()).1.map(Big),
                });
            }
            Some((other, _)) => panic!("no detail is called {other:?}"),
        }
    }
    Record::Fd(Box::new(fact))
}

fn socket(word: &str, text: &str, snapshot: SnapshotId) -> Record {
    let words: Vec<&str> = text.split(' ').collect();
    let is_unix = word == "unix";
    let number = |name: &str| words.iter().find_map(|w| w.strip_prefix(name)).and_then(|n| n.parse().ok());
    let state = match words.get(3).copied() {
        Some("listen") => SocketState::Listen,
        Some("syn_sent") => SocketState::SynSent,
        Some("close_wait") => SocketState::CloseWait,
        _ => SocketState::Established,
    };
    Record::Socket(Box::new(SocketFact {
        snapshot,
        netns: Big(9),
        inode: Big(words[0].parse().unwrap()),
        family: match word {
            "unix" => SocketFamily::UnixStream,
            "udp" => SocketFamily::Udp,
            _ => SocketFamily::Tcp,
        },
        state,
        local: if is_unix { words.get(2).map_or(String::new(), |w| (*w).to_owned()) } else { words[1].to_owned() },
        remote: if is_unix { String::new() } else { words[2].to_owned() },
        receive_queue: Some(number("rq=").unwrap_or(0)),
        send_queue: Some(number("sq=").unwrap_or(0)),
        peer: if is_unix { words[1].parse().ok().map(Big) } else { None },
        pending: number("pending=").map(|n| vec![Big(u64::from(n))]).unwrap_or_default(),
        retransmits: number("again="),
    }))
}

fn phase(line: &str) -> Vec<Record> {
    let (head, meaning) = line.split_once("; ").unwrap_or((line, ""));
    let mut words = head.splitn(5, ' ').skip(1);
    let who = words.next().unwrap();
    let (who, task) = who.split_once('/').map_or((who, None), |(who, task)| (who, task.parse().ok()));
    let (pid, tid) = who.split_once('.').expect("PID.TID");
    let number: u64 = words.next().unwrap().parse().unwrap();
    let parent: u64 = words.next().unwrap().parse().unwrap();
    let id = PhaseId { process: id(pid.parse().unwrap()), phase: Big(number) };
    let mut open = PhaseOpen {
        when: When::exactly(RunNs(500_000_000)),
        id,
        parent: (parent != 0).then_some(Big(parent)),
        tid: tid.parse().ok().map(Tid),
        task: task.map(Big),
        name: words.next().unwrap().to_owned(),
        fields: vec![],
        hang: PhaseMeaning::default(),
    };
    let (mut looks, mut close) = (Vec::new(), None);
    for word in meaning.split(' ').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "serve" => open.hang.serve = value.parse().ok(),
            "wait" => open.hang.wait = value.parse().ok(),
            "hold" => open.hang.hold = value.parse().ok(),
            "link" => open.hang.link = Some(value.to_owned()),
            "as" => open.hang.primitive = Some(primitive(value)),
            "at" => open.when.t = RunNs(value.parse::<u64>().unwrap() * 1_000_000),
            "forgotten" => open.fields.push(("forgotten".to_owned(), "true".to_owned())),
            "until" => close = Some(RunNs(value.parse::<u64>().unwrap() * 1_000_000)),
            "err" => open.when.err = value.parse::<u64>().unwrap() * 1_000_000,
            "left" => looks = vec![(false, 1), (false, 1)],
            "moved" => looks = vec![(false, 1), (false, 2)],
            "polled" => looks = vec![(true, 1), (true, 1)],
            other => panic!("no field is called {other:?}"),
        }
    }
    let looks = [1_000_000_000, 2_000_000_000].into_iter().zip(looks).map(|(t, (polled_now, polls))| {
        let left = (!polled_now).then_some(open.when.t);
        Record::PhaseState(PhaseState { when: When::exactly(RunNs(t)), id, polled_now, polls, left })
    });
    let looks: Vec<Record> = looks.collect();
    let close = close.map(|t| Record::PhaseClose(PhaseClose { when: When::exactly(t), id, outcome: None }));
    std::iter::once(Record::PhaseOpen(Box::new(open))).chain(looks).chain(close).collect()
}

fn primitive(word: &str) -> Primitive {
    match word {
        "mutex" => Primitive::Mutex,
        "read" => Primitive::RwLockRead,
        "write" => Primitive::RwLockWrite,
        "async-mutex" => Primitive::AsyncMutex,
        "async-read" => Primitive::AsyncRwLockRead,
        "async-write" => Primitive::AsyncRwLockWrite,
        "semaphore" => Primitive::Semaphore,
        "pool" => Primitive::Pool,
        "channel" => Primitive::Channel,
        "condvar" => Primitive::Condvar,
        "notify" => Primitive::Notify,
        other => panic!("no primitive is called {other:?}"),
    }
}
