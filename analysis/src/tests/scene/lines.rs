//! The records of all lines, and the facts that take a line each.

use hangdog_schemas::fact::*;
use hangdog_schemas::record::*;
use hangdog_schemas::*;

use super::descriptor::{descriptor, socket};
use super::phase::phase;
use super::thread::thread;

pub(in super::super) fn records(scene: &str) -> Vec<Record> {
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

pub(super) fn id(pid: u32) -> ProcessId {
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
pub(super) fn number(text: &str, word: &str) -> Option<u64> {
    text.split(' ').find_map(|part| part.strip_prefix(word)).map(|hex| u64::from_str_radix(hex, 16).unwrap())
}

pub(super) fn pair(text: &str) -> (u32, u32) {
    let (a, b) = text.split_once('.').expect("a.b");
    (a.parse().unwrap(), b.parse().unwrap())
}

/// `1-5`, the whole file when nothing is said.
pub(super) fn range(text: Option<&str>) -> (u64, Option<u64>) {
    let bounds = text.and_then(|text| text.split_once('-'));
    bounds.map_or((0, None), |(start, end)| (start.parse().unwrap(), Some(end.parse().unwrap())))
}

pub(super) fn mode(text: Option<&str>) -> LockMode {
    if text == Some("r") { LockMode::Read } else { LockMode::Write }
}

pub(super) fn class(text: &str) -> LockClass {
    match text {
        "flock" => LockClass::Flock,
        "posix" => LockClass::Posix,
        _ => LockClass::Ofd,
    }
}
