//! Real recorders of this very process, looked at as those of another.

use std::cell::Cell;
use std::os::fd::AsFd as _;

use hangdog_flight::{ClockSource, History, Options, PhaseId, Place, Primitive, Recorder, Role, Size, Value};
use hangdog_schemas::Tid;

use super::*;
use crate::clock::RunClock;

/// A call site with the keys that these tests use.
macro_rules! site {
    ($name:literal) => {{
        static NUMBER: hangdog_flight::SiteNumber = hangdog_flight::SiteNumber::new();
        static SITE: hangdog_flight::Site = hangdog_flight::Site::new($name, &["hang.op", "hang.outcome"], &NUMBER);
        &SITE
    }};
}

const OP: usize = 0;
const OUTCOME: usize = 1;

/// The process, as the sample says it is.
struct Process {
    is_there: Cell<bool>,
    runs: Cell<bool>,
    ran: Cell<u64>,
}

impl Processes for Process {
    fn by_pid(&self, _: u32) -> Option<ProcessId> {
        None
    }

    fn is_awaited(&self, _: u32) -> bool {
        false
    }

    fn by_start(&self, _: u64) -> Option<ProcessId> {
        None
    }

    fn by_inner(&self, _: u32, _: u64, _: u64) -> Option<ProcessId> {
        None
    }

    fn is_there(&self, _: ProcessId) -> bool {
        self.is_there.get()
    }

    fn ran(&self, _: ProcessId) -> Option<u64> {
        Some(self.ran.get())
    }

    fn runs(&self, _: ProcessId) -> bool {
        self.runs.get()
    }

    fn only_thread(&self, _: ProcessId) -> Option<Tid> {
        None
    }
}

struct Bench {
    folder: tempfile::TempDir,
    recorder: &'static Recorder,
    recorders: Recorders,
    table: Phases,
    process: Process,
    clock: RunClock,
}

impl Bench {
    fn new() -> Self {
        Self::of_size(Size::LEAST)
    }

    fn of_size(size: Size) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let place = Place::Run(folder.path().join("flight"));
        let options = Options { size: Some(size), clock: ClockSource::Monotonic, history: History::All };
        Self {
            recorder: Recorder::start(&place, options).unwrap(),
            folder,
            recorders: Recorders::new(),
            table: Phases::new(),
            process: Process { is_there: Cell::new(true), runs: Cell::new(true), ran: Cell::new(0) },
            clock: RunClock::start(),
        }
    }

    fn open(&self, site: &'static hangdog_flight::Site, fill: impl FnOnce(&mut hangdog_flight::Opening)) -> PhaseId {
        self.recorder.with(|| {
            let mut opening = hangdog_flight::begin(site).expect("there is room");
            fill(&mut opening);
            opening.publish()
        })
    }

    fn close(&self, phase: PhaseId) {
        self.recorder.with(|| hangdog_flight::close(phase));
    }

    fn found(&mut self, way: Way) -> Found {
        self.process.ran.set(self.process.ran.get() + 1);
        self.found_idle(way)
    }

    /// What a look finds when no thread has run.
    fn found_idle(&mut self, way: Way) -> Found {
        let mut found = Found::default();
        let directory = std::fs::File::open(self.folder.path().join("flight")).unwrap();
        let moment =
            Moment { clock: self.clock, now: self.clock.now(), before: RunNs(0), asleep: self.clock.asleep() };
        let around = Around {
            moment,
            clocks: self.clock.anchor(),
            pid_namespace: self.recorder.owner().pid_namespace,
            ticks_per_second: 100,
            processes: &self.process,
        };
        self.recorders.look(Directories::OfRun(directory.as_fd()), way, &around, &mut self.table, &mut found);
        found
    }

    /// What a look finds, a word a record.
    #[track_caller]
    fn check(&mut self, way: Way, expected: &[&str]) {
        let found = self.found(way);
        assert_eq!(words(&found), expected);
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("flight")).unwrap().count()
    }
}

fn words(found: &Found) -> Vec<String> {
    let word = |record: &Record| match record {
        Record::PhaseOpen(open) => format!("+{}", open.name),
        Record::PhaseClose(close) => format!("-{}", close.outcome.as_deref().unwrap_or("?")),
        Record::Lost(lost) => format!("lost {}", lost.records),
        other => panic!("{other:?}"),
    };
    found.records.iter().map(word).collect()
}

const CLOSELY: Way = Way::Closely(RunNs(u64::MAX));

#[test]
fn what_is_open_is_told_once_and_closed_with_its_outcome() {
    let mut bench = Bench::new();
    let phase = bench.open(site!("walk"), |opening| opening.value(OUTCOME, Value::Text("failed")));
    bench.check(Way::Passing, &["+walk"]);
    bench.check(Way::Passing, &[]);
    bench.recorder.with(|| hangdog_flight::field(phase, "n", Value::U64(3)));
    bench.check(Way::Passing, &["+walk"]);
    bench.close(phase);
    bench.check(Way::Passing, &["-failed"]);
    assert_eq!(bench.table.open().count(), 0);
}

#[test]
fn what_came_and_went_is_told_at_a_trigger_and_is_no_progress() {
    let mut bench = Bench::new();
    bench.check(Way::Passing, &[]);
    for site in [site!("first"), site!("second")] {
        let phase = bench.open(site, |_| {});
        bench.close(phase);
    }
    bench.check(Way::Passing, &[]);
    let still_open = bench.open(site!("third"), |_| {});
    let found = bench.found(CLOSELY);
    assert_eq!(words(&found), ["+third", "+first", "-?", "+second", "-?"]);
    assert!(found.is_new, "the third is new");
    bench.close(still_open);
    bench.check(CLOSELY, &["-?"]);
    let phase = bench.open(site!("first"), |_| {});
    bench.close(phase);
    let found = bench.found(CLOSELY);
    assert_eq!((words(&found), found.is_new), (vec!["+first".to_owned(), "-?".to_owned()], false));
}

#[test]
fn operations_are_told_at_once() {
    let mut bench = Bench::new();
    bench.check(Way::Passing, &[]);
    let phase = bench.open(site!("register"), |opening| opening.value(OP, Value::Text("register ws-1")));
    bench.close(phase);
    let found = bench.found(Way::Passing);
    assert_eq!((words(&found), found.is_new), (vec!["+register".to_owned(), "-?".to_owned()], true));
    bench.check(CLOSELY, &[]);
}

#[test]
fn of_holders_those_are_told_who_stay_or_stand_in_the_way() {
    let mut bench = Bench::new();
    let lock = bench.recorder.with(|| hangdog_flight::resource(Primitive::Mutex, "cache")).unwrap();
    let take = |bench: &Bench| bench.recorder.with(|| lock.taken(0)).unwrap();
    let held = take(&bench);
    bench.check(Way::Passing, &[]);
    bench.recorder.with(|| held.let_go());
    let held = take(&bench);
    bench.check(Way::Passing, &[]);
    bench.check(Way::Passing, &["+holds cache"]);
    bench.recorder.with(|| held.let_go());
    bench.check(Way::Passing, &["-?"]);
    let held = take(&bench);
    bench.check(CLOSELY, &["+holds cache"]);
    bench.recorder.with(|| held.let_go());
    take(&bench);
    bench.open(site!("lock"), |opening| opening.resource(Role::Wait, lock));
    let mut told = words(&bench.found(Way::Passing));
    told.sort();
    assert_eq!(told, ["+holds cache", "+lock", "-?"]);
    let wait = bench.table.open().find(|phase| phase.name == "lock").unwrap();
    assert_eq!(wait.hang.wait.as_ref().map(ToString::to_string).as_deref(), Some("lock:cache"));
    assert_eq!(wait.hang.primitive, Some(hangdog_schemas::primitive::Primitive::Mutex));
}

#[test]
fn a_process_that_did_not_run_is_not_looked_at_but_at_a_trigger() {
    let mut bench = Bench::new();
    bench.check(Way::Passing, &[]);
    bench.open(site!("walk"), |_| {});
    assert_eq!(words(&bench.found_idle(Way::Passing)), Vec::<String>::new());
    assert_eq!(words(&bench.found_idle(CLOSELY)), ["+walk"]);
}

#[test]
fn how_phases_stand_is_told_at_a_trigger_of_those_that_a_thread_need_not_be_in() {
    let mut bench = Bench::new();
    let polled = bench.open(site!("polled"), |_| {});
    bench.open(site!("never polled"), |_| {});
    bench.recorder.with(|| {
        for _ in 0..3 {
            hangdog_flight::enter(polled, || 0);
            hangdog_flight::exit(polled);
        }
        let _inside = hangdog_flight::begin_here(site!("here")).map(hangdog_flight::OpeningHere::enter);
    });
    let found = bench.found(CLOSELY);
    let states: Vec<(bool, u32, bool)> =
        found.states.iter().map(|state| (state.polled_now, state.polls, state.left.is_some())).collect();
    assert_eq!(states, [(false, 3, true), (false, 0, false)]);
    assert_eq!(bench.found(Way::Passing).states, []);
}

#[test]
fn who_is_gone_is_read_to_the_end_and_stays_as_it_was() {
    let mut bench = Bench::new();
    bench.open(site!("first"), |_| {});
    bench.check(Way::Passing, &["+first"]);
    bench.open(site!("last words"), |_| {});
    bench.process.is_there.set(false);
    bench.process.runs.set(false);
    bench.check(Way::Passing, &["+last words"]);
    assert_eq!((bench.files(), bench.table.open().count()), (0, 2));
    bench.check(CLOSELY, &[]);
}

/// A copy of the file has nobody who holds its lock.
fn let_go_of_file(bench: &Bench) {
    let path = bench.recorder.path().unwrap();
    let copy = path.with_file_name("copy");
    std::fs::copy(path, &copy).unwrap();
    std::fs::rename(copy, path).unwrap();
}

#[test]
fn an_exec_ends_the_phases_of_a_process_that_lives_on() {
    let mut bench = Bench::new();
    bench.open(site!("prepare"), |_| {});
    let_go_of_file(&bench);
    bench.check(Way::Passing, &["+prepare"]);
    // Only now is it sure that nobody writes to it any more.
    bench.check(Way::Passing, &["-?"]);
    assert_eq!(bench.files(), 0);
}

#[test]
fn a_process_that_no_sample_saw_is_read_once() {
    let mut bench = Bench::new();
    bench.open(site!("short"), |_| {});
    let_go_of_file(&bench);
    bench.process.is_there.set(false);
    bench.process.runs.set(false);
    bench.check(Way::Passing, &["+short"]);
    assert_eq!((bench.files(), bench.table.open().count()), (0, 1));
}

#[test]
fn of_many_open_phases_those_are_told_that_matter_and_then_the_oldest() {
    let mut bench = Bench::of_size(Size { slots: 1 << 15, ..Size::LEAST });
    for _ in 0..20_000 {
        bench.open(site!("plain"), |_| {});
    }
    for _ in 0..3 {
        bench.open(site!("register"), |opening| opening.value(OP, Value::Text("register ws-1")));
    }
    let told = |found: &Found, name: &str| words(found).iter().filter(|word| *word == name).count();
    let found = bench.found(Way::Passing);
    assert_eq!((told(&found, "+plain"), told(&found, "+register"), told(&found, "lost 11808")), (8192, 3, 1));
    // Counted once, and bounded.
    bench.check(Way::Last, &[]);
    let found = bench.found(CLOSELY);
    assert_eq!((words(&found), found.states.len()), (vec!["lost 4099".to_owned()], 4096));
    let first = found.states.iter().take(3).all(|state| {
        let phase = bench.table.open().find(|phase| phase.id == state.id).unwrap();
        phase.name == "register"
    });
    assert!(first, "those that mean something come first");
}
