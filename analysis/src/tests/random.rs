//! Random processes at random pipes, sockets, locks, children and timers: whatever could not be read, nobody is
//! accused who goes on by what the whole shows; and the order of facts changes nothing.
//!
//! What cannot be read is missing the way the collector has it missing: with a gap on record, or as a value that says
//! why.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hangdog_schemas::fact::Gap;
use hangdog_schemas::{Observed, Pid, Record, Report, Tid};
use hangdog_timeline::Timeline;
use proptest::prelude::*;

use super::scene::{check_order, records};
use crate::graph::Graph;
use crate::liveness::Liveness;
use crate::view::View;
use crate::{Options, analyse, wait};

/// Pipes, pairs of sockets and locked files that all processes may have.
const SHARED: usize = 3;

/// A process: what its threads wait for, and what it has.
#[derive(Clone, Debug)]
struct Player {
    calls: Vec<Call>,
    /// Which end of which pipe.
    ends: Vec<(usize, bool)>,
    /// Which side of which pair.
    sides: Vec<(usize, bool)>,
    holds: Option<usize>,
    catches: bool,
    /// Descriptors wait to be received in its sockets.
    carries: bool,
    /// It has an `io_uring`.
    has_ring: bool,
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Sleeps,
    Reads(usize),
    Writes(usize),
    Receives(usize, bool),
    Locks(usize),
    Child,
    Parked,
    Polls,
    Runs,
    Pauses,
}

fn player() -> impl Strategy<Value = Player> {
    let one = || 0..SHARED;
    let call = prop_oneof![
        1 => Just(Call::Sleeps),
        6 => one().prop_map(Call::Reads),
        3 => one().prop_map(Call::Writes),
        4 => (one(), any::<bool>()).prop_map(|(pair, side)| Call::Receives(pair, side)),
        4 => one().prop_map(Call::Locks),
        3 => Just(Call::Child),
        2 => Just(Call::Parked),
        2 => Just(Call::Polls),
        1 => Just(Call::Runs),
        1 => Just(Call::Pauses),
    ];
    let sides = prop::collection::vec((one(), any::<bool>()), 0..3);
    let ends = prop::collection::vec((one(), any::<bool>()), 0..4);
    let calls = prop::collection::vec(call, 1..3);
    let holds = prop::option::weighted(0.4, one());
    let seldom = prop::bool::weighted;
    (calls, ends, sides, holds, seldom(0.2), seldom(0.1), seldom(0.1)).prop_map(
        |(calls, ends, sides, holds, catches, carries, has_ring)| Player {
            calls,
            ends,
            sides,
            holds,
            catches,
            carries,
            has_ring,
        },
    )
}

/// Descriptors of a player: those that it was given, and those that its calls name.
fn descriptors(player: &Player, scene: &mut String, pid: usize) {
    let ends = player.calls.iter().filter_map(|call| match call {
        Call::Reads(pipe) => Some((*pipe, false)),
        Call::Writes(pipe) => Some((*pipe, true)),
        _ => None,
    });
    for (pipe, writes) in ends.chain(player.ends.iter().copied()) {
        let (fd, access) = if writes { (20 + pipe, "w") } else { (10 + pipe, "r") };
        writeln!(scene, "fd {pid}.{fd} pipe:[{}] {access}", 90 + pipe).unwrap();
    }
    let sides = player.calls.iter().filter_map(|call| match call {
        Call::Receives(pair, side) => Some((*pair, *side)),
        _ => None,
    });
    for (pair, side) in sides.chain(player.sides.iter().copied()) {
        let flight = if player.carries { " flight=1" } else { "" };
        let inode = 70 + 2 * pair + usize::from(side);
        writeln!(scene, "fd {pid}.{} socket:[{inode}]{flight}", side_fd(pair, side)).unwrap();
    }
    if player.has_ring {
        writeln!(scene, "fd {pid}.6 anon_inode:[io_uring]").unwrap();
    }
    let locked = player.calls.iter().filter_map(|call| if let Call::Locks(file) = call { Some(*file) } else { None });
    for file in locked {
        writeln!(scene, "fd {pid}.{} /tmp/lock{file} rw ino={}", 50 + file, 77 + file).unwrap();
        writeln!(scene, "locked flock {pid} 8:1:{}", 77 + file).unwrap();
    }
    if let Some(file) = player.holds {
        let inode = 77 + file;
        writeln!(scene, "fd {pid}.{} /tmp/lock{file} rw ino={inode} lock=flock:8:1:{inode}:{pid}", 60 + file)
            .unwrap();
    }
    if player.calls.iter().any(|call| matches!(call, Call::Polls)) {
        let watched: Vec<String> =
            player.ends.iter().filter(|(_, w)| !w).map(|(pipe, _)| (10 + pipe).to_string()).collect();
        let set = if watched.is_empty() { "99".to_owned() } else { watched.join("+") };
        writeln!(scene, "fd {pid}.5 anon_inode:[eventpoll] epoll={set}").unwrap();
    }
}

fn side_fd(pair: usize, side: bool) -> usize {
    30 + 2 * pair + usize::from(side)
}

fn scene(players: &[Player]) -> String {
    let mut scene = String::new();
    for (n, player) in players.iter().enumerate() {
        let (pid, parent) = (10 + n, if n == 0 { 5 } else { 10 + (n - 1) / 2 });
        let caught = if player.catches { " caught=200" } else { "" };
        for (thread, call) in player.calls.iter().enumerate() {
            let words = match call {
                Call::Sleeps => "clock_nanosleep()".to_owned(),
                Call::Reads(pipe) => format!("read({})", 10 + pipe),
                Call::Writes(pipe) => format!("write({})", 20 + pipe),
                Call::Receives(pair, side) => format!("recvfrom({})", side_fd(*pair, *side)),
                Call::Locks(file) => format!("flock({},2)", 50 + file),
                Call::Child => "wait4(-1)".to_owned(),
                Call::Parked => "futex(0x100,0x80,0;0+0+0+0+0)".to_owned(),
                Call::Polls => "epoll_wait(5,0,0,-1)".to_owned(),
                Call::Runs => "running".to_owned(),
                Call::Pauses => "pause()".to_owned(),
            };
            match thread {
                0 => writeln!(scene, "proc {pid} p{n} <{parent} {words}{caught}").unwrap(),
                _ => writeln!(scene, "task {pid}.{} p{n} {words}", 100 * thread + pid).unwrap(),
            }
        }
        descriptors(player, &mut scene, pid);
    }
    for pair in 0..SHARED {
        let (one, other) = (70 + 2 * pair, 71 + 2 * pair);
        writeln!(scene, "unix {one} {other}\nunix {other} {one}").unwrap();
    }
    scene
}

fn judged(records: Vec<Record>) -> Report {
    analyse(&Timeline::build(records).expect("a header comes first"), &Options::default())
}

/// Threads that go on, as far as the whole shows.
fn live(records: Vec<Record>) -> BTreeSet<(Pid, Tid)> {
    let timeline = Timeline::build(records).expect("a header comes first");
    let [before, snapshot] = timeline.snapshots() else { panic!("there are two looks") };
    let view = View::new(&timeline, snapshot, Some(before), Options::default().patience);
    let graph = Graph::new(wait::tasks(&view, wait::Limits::End));
    let live = (0..graph.tasks.len()).filter(|task| graph.alive(*task) == Liveness::Live);
    live.filter_map(|task| graph.tasks[task].key.thread()).collect()
}

/// What the collector may fail to read.
#[derive(Clone, Copy, Debug)]
enum Missing {
    Descriptors(Pid),
    Call(Pid),
    Threads(Pid),
    Signals(Pid),
    Sockets,
    Locks,
}

impl Missing {
    /// The records without it.
    fn from(self, all: &[Record]) -> Vec<Record> {
        let mut left: Vec<Record> = Vec::new();
        for record in all.iter().cloned() {
            match (self, record) {
                (Self::Descriptors(pid), Record::Fd(fact)) if fact.process.pid == pid => {}
                (Self::Descriptors(pid), Record::SnapshotEnd(end)) => {
                    let (snapshot, what, why) = (end.snapshot, "fd".to_owned(), Observed::Denied);
                    left.push(Record::Gap(Gap { snapshot, pid: Some(pid), what, why }));
                    left.push(Record::SnapshotEnd(end));
                }
                (Self::Call(pid), Record::Thread(mut fact)) if fact.thread.process.pid == pid => {
                    fact.syscall = Observed::Denied;
                    left.push(Record::Thread(fact));
                }
                (Self::Threads(pid), Record::Thread(fact))
                    if fact.thread.process.pid == pid && fact.thread.tid.0 != pid.0 => {}
                (Self::Signals(pid), Record::Process(mut fact)) if fact.process.pid == pid => {
                    fact.signals = Observed::Denied;
                    left.push(Record::Process(fact));
                }
                (Self::Sockets, Record::Socket(_)) | (Self::Locks, Record::FileLock(_)) => {}
                (_, other) => left.push(other),
            }
        }
        left
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]

    #[test]
    fn a_missing_fact_accuses_nobody_and_the_order_does_not_matter(players in prop::collection::vec(player(), 1..7)) {
        let scene = scene(&players);
        let all = records(&scene);
        let whole = judged(all.clone());
        check_order(&scene, &whole);
        let live = live(all.clone());
        let pids = (0..players.len()).map(|n| Pid(10 + u32::try_from(n).unwrap()));
        let each = pids.flat_map(|pid| {
            [Missing::Descriptors(pid), Missing::Call(pid), Missing::Threads(pid), Missing::Signals(pid)]
        });
        for missing in each.chain([Missing::Sockets, Missing::Locks]) {
            let partial = judged(missing.from(&all));
            let Some(verdict) = &partial.verdict else { continue };
            let wrong = verdict.culprits.iter().any(|culprit| live.contains(&(culprit.pid, culprit.tid)));
            prop_assert!(!wrong, "without {:?}: {}\n{}", missing, verdict.sentence, scene);
        }
    }
}
