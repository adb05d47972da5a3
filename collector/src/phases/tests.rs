use std::io::Write;

use hangdog_schemas::record::PhaseMeaning;
use hangdog_schemas::{Big, Pid};

use super::*;

struct One(ProcessId);

impl Processes for One {
    fn by_pid(&self, pid: u32) -> Option<ProcessId> {
        (self.0.pid.0 == pid).then_some(self.0)
    }

    fn is_awaited(&self, _: u32) -> bool {
        false
    }

    fn by_start(&self, start: u64) -> Option<ProcessId> {
        (self.0.start.0 == start).then_some(self.0)
    }

    fn by_inner(&self, _: u32, _: u64, _: u64) -> Option<ProcessId> {
        None
    }

    fn is_there(&self, process: ProcessId) -> bool {
        self.0 == process
    }

    fn ran(&self, _: ProcessId) -> Option<u64> {
        None
    }

    fn runs(&self, process: ProcessId) -> bool {
        self.0 == process
    }

    fn only_thread(&self, process: ProcessId) -> Option<Tid> {
        (self.0 == process).then_some(Tid(process.pid.0))
    }
}

const PROCESS: ProcessId = ProcessId { pid: Pid(4412), start: Big(99) };

fn moment() -> Moment {
    Moment { clock: RunClock::at(1_000), now: RunNs(900), before: RunNs(0), asleep: 5_000_000_000 }
}

/// Appends `text` and tells what one look makes of it, one word a record.
fn look(lines: &mut Lines, file: &mut std::fs::File, table: &mut Phases, text: &str) -> (Vec<String>, bool) {
    file.write_all(text.as_bytes()).unwrap();
    let mut found = Found::default();
    lines.look(table, moment(), &One(PROCESS), &mut found);
    let words = found.records.iter().map(|record| match record {
        Record::PhaseOpen(open) => format!("{}+{}", open.when.t.0, open.name),
        Record::PhaseClose(close) => format!("{}-{}", close.when.t.0, close.outcome.as_deref().unwrap_or("?")),
        Record::Lost(lost) => format!("lost {}", lost.records),
        other => panic!("{other:?}"),
    });
    (words.collect(), found.is_new)
}

#[test]
fn lines_open_and_close_phases_in_whatever_pieces_they_come() {
    let path = tempfile::NamedTempFile::new().unwrap();
    let mut file = path.reopen().unwrap();
    let mut lines = Lines::new(path.reopen().unwrap());
    let mut table = Phases::new();
    let mut check = |text: &str, expected: &[&str], is_new: bool| {
        let (words, new) = look(&mut lines, &mut file, &mut table, text);
        assert_eq!(
            (words.iter().map(String::as_str).collect::<Vec<_>>(), new),
            (expected.to_vec(), is_new),
            "{text}"
        );
    };
    check(r#"{"do":"begin","id":"a","name":"unpack","pid":4412,"t":"1100""#, &[], false);
    check("}\n", &["100+unpack"], true);
    check("\n", &[], false);
    check(
        "{\"do\":\"begin\",\"id\":\"b\",\"name\":\"unpack\",\"pid\":4412,\"t\":\"1150\"}\n",
        &["150+unpack"],
        false,
    );
    check("{\"do\":\"end\",\"id\":\"a\",\"pid\":4412,\"t\":\"1300\",\"outcome\":\"ok\"}\n", &["300-ok"], false);
    check("{\"do\":\"end\",\"id\":\"a\",\"pid\":4412,\"t\":\"1300\"}\n", &["lost 1"], false);
    check("{\"do\":\"note\",\"id\":\"a\",\"fields\":{\"x\":\"y\"}}\nrubbish\n", &["lost 2"], false);
    check(&format!("{}\n", "x".repeat(100_000)), &["lost 1"], false);
    check(
        "{\"do\":\"begin\",\"id\":\"c\",\"name\":\"unpack\",\"pid\":4412,\"t\":\"1500\",\"lost\":3}\n",
        &["lost 3", "500+unpack"],
        false,
    );
    check("{\"do\":\"end\",\"id\":\"c\",\"pid\":4412,\"t\":\"1500\"}\n", &["500-?"], false);
    check("{\"do\":\"end\",\"id\":\"b\",\"pid\":4412,\"t\":\"1400\"}\n", &["400-?"], false);
    assert_eq!(table.open().count(), 0);
}

#[test]
fn a_process_that_no_sample_saw_is_looked_for_once_more() {
    let path = tempfile::NamedTempFile::new().unwrap();
    let mut file = path.reopen().unwrap();
    let mut lines = Lines::new(path.reopen().unwrap());
    let mut table = Phases::new();
    let text = "{\"do\":\"begin\",\"id\":\"c\",\"name\":\"x\",\"pid\":7,\"t\":\"1160\"}\n\
                {\"do\":\"begin\",\"id\":\"d\",\"name\":\"y\",\"pid\":7,\"t\":\"1170\",\"parent\":\"c\"}\n\
                {\"do\":\"end\",\"id\":\"d\",\"pid\":7,\"t\":\"1180\"}\n";
    assert_eq!(look(&mut lines, &mut file, &mut table, text).0, Vec::<String>::new());
    assert_eq!(look(&mut lines, &mut file, &mut table, "").0, ["160+x", "170+y", "180-?"]);
    let of: Vec<ProcessId> = table.open().map(|phase| phase.id.process).collect();
    assert_eq!(of, [ProcessId { pid: Pid(7), start: Big(0) }]);
}

#[test]
fn the_last_look_takes_all() {
    let path = tempfile::NamedTempFile::new().unwrap();
    let mut file = path.reopen().unwrap();
    let mut lines = Lines::new(path.reopen().unwrap());
    let mut table = Phases::new();
    for n in 0..10_000 {
        writeln!(file, "{{\"do\":\"begin\",\"id\":\"{n}\",\"name\":\"x\",\"pid\":4412}}").unwrap();
    }
    file.write_all(b"{\"do\":\"begin\",\"id\":\"last\",\"name\":\"x\",\"pid\":7}\n").unwrap();
    let mut found = Found::default();
    lines.finish(&mut table, moment(), &One(PROCESS), &mut found);
    assert_eq!(table.open().count(), 10_001);
    assert!(found.records.iter().all(|record| matches!(record, Record::PhaseOpen(_))), "nothing was lost");
}

/// What becomes of one begin: `process start, thread, task`, with `-` for what is not known.
#[track_caller]
fn owner_of(fields: &str, expected: &str) {
    let path = tempfile::NamedTempFile::new().unwrap();
    let mut file = path.reopen().unwrap();
    let mut lines = Lines::new(path.reopen().unwrap());
    let mut table = Phases::new();
    let text = format!("{{\"do\":\"begin\",\"id\":\"a\",\"name\":\"x\",\"t\":\"1100\",{fields}}}\n");
    look(&mut lines, &mut file, &mut table, &text);
    look(&mut lines, &mut file, &mut table, "");
    let phase = table.open().next().expect("it is open");
    let or_none = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
    let told = format!(
        "{} {}, {}, {}",
        phase.id.process.pid,
        phase.id.process.start,
        or_none(phase.tid.map(|tid| tid.to_string())),
        or_none(phase.task.map(|task| task.to_string()))
    );
    assert_eq!(told, expected, "{fields}");
}

#[test]
fn process_thread_and_task_are_told_or_unknown() {
    owner_of(r#""pid":4412,"tid":4413"#, "4412 99, 4413, -");
    owner_of(r#""pid":4412,"tid":4413,"task":"5""#, "4412 99, 4413, 5");
    // Its only thread; or none, when the line says so.
    owner_of(r#""pid":4412"#, "4412 99, 4412, -");
    owner_of(r#""pid":4412,"tid":0"#, "4412 99, -, -");
    // The same number in another pid namespace, and a short child of the same tick.
    owner_of(r#""pid":4412,"start":"98","tid":4412"#, "4412 98, 4412, -");
    owner_of(r#""pid":4412,"start":"99","tid":4412"#, "4412 99, 4412, -");
    owner_of(r#""pid":7,"start":"99","tid":7"#, "7 99, 7, -");
    owner_of(r#""pid":7"#, "7 0, -, -");
}

/// When a phase began, ns ± ns, by what its line says of it.
#[track_caller]
fn begun_at(time: &str, expected: (u64, u64)) {
    let path = tempfile::NamedTempFile::new().unwrap();
    let mut file = path.reopen().unwrap();
    let mut lines = Lines::new(path.reopen().unwrap());
    let mut table = Phases::new();
    let text = format!("{{\"do\":\"begin\",\"id\":\"a\",\"name\":\"x\",\"pid\":4412{time}}}\n");
    look(&mut lines, &mut file, &mut table, &text);
    let when = table.open().next().expect("it is open").when;
    assert_eq!((when.t.0, when.err), expected, "{time}");
}

#[test]
fn a_line_may_tell_the_time_by_three_clocks() {
    begun_at(r#","t":"1100""#, (100, 0));
    begun_at(r#","uptime":"6.25""#, (1_249_999_000, 10_000_000));
    // Clocks that are not this machine's.
    begun_at(r#","t":"12000000000""#, (900, 900));
    begun_at(r#","uptime":"16.25""#, (900, 900));
    begun_at("", (900, 900));
    begun_at(r#","uptime":"6.2.5""#, (900, 900));
    begun_at(r#","uptime":"soon""#, (900, 900));
}

#[test]
fn a_note_says_more_of_an_open_phase() {
    let path = tempfile::NamedTempFile::new().unwrap();
    let mut file = path.reopen().unwrap();
    let mut lines = Lines::new(path.reopen().unwrap());
    let mut table = Phases::new();
    let text = r#"
        {"do":"begin","id":"a","name":"x","pid":4412,"t":"1100","fields":{"n":"1","m":"1","hang.op":"build"}}
        {"do":"note","id":"a","task":"5","fields":{"n":"2","k":"3","hang.link":"a>b"}}
    "#;
    assert_eq!(look(&mut lines, &mut file, &mut table, text).0, ["100+x", "100+x"]);
    let phase = table.open().next().expect("it is open");
    assert_eq!(
        (phase.task, phase.hang.op.as_deref(), phase.hang.link.as_deref()),
        (Some(Big(5)), Some("build"), Some("a>b"))
    );
    let fields: Vec<String> = phase.fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(fields, ["m=1", "n=2", "k=3"]);
}

#[test]
fn what_was_read_takes_no_memory_any_more() {
    use std::os::unix::fs::MetadataExt as _;
    let path = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    let mut file = path.reopen().unwrap();
    let mut lines = Lines::new(path.reopen().unwrap());
    let mut table = Phases::new();
    for n in 0..6000 {
        let pad = "x".repeat(1000);
        writeln!(file, r#"{{"do":"begin","id":"a{n}","name":"x","pid":4412,"fields":{{"pad":"{pad}"}}}}"#).unwrap();
        writeln!(file, r#"{{"do":"end","id":"a{n}","pid":4412}}"#).unwrap();
    }
    lines.finish(&mut table, moment(), &One(PROCESS), &mut Found::default());
    let about = path.as_file().metadata().unwrap();
    assert!(
        about.len() > 6_000_000 && about.blocks() * 512 < 2_000_000,
        "{} of {}",
        about.blocks() * 512,
        about.len()
    );
    assert_eq!(table.open().count(), 0);
}

#[test]
fn a_key_that_was_cut_is_no_key() {
    assert!(lines::resource("path:/mnt/x").is_some());
    assert!(lines::resource("path:/mnt/x…").is_none());
    assert!(lines::resource("a word").is_none());
}

#[test]
fn attempts_of_a_retry_loop_are_repeats_and_other_words_are_not() {
    let mut table = Phases::new();
    let mut is_new = |name: &str, field: (&str, &str)| {
        let id = PhaseId { process: PROCESS, phase: Big(table.open.len() as u64) };
        let fields = vec![(field.0.to_owned(), field.1.to_owned())];
        let when = When::default();
        let name = name.to_owned();
        let phase =
            PhaseOpen { when, id, parent: None, tid: None, task: None, name, fields, hang: PhaseMeaning::default() };
        let mut found = Found::default();
        table.opened(phase, &mut found);
        found.is_new
    };
    assert!(is_new("connect", ("attempt", "1")));
    assert!(!is_new("connect", ("attempt", "2")));
    assert!(is_new("test", ("name", "walk")));
    assert!(is_new("test", ("name", "flush")));
    assert!(!is_new("test", ("name", "walk")));
}

#[test]
fn long_fields_are_cut_between_letters() {
    let text = lines::cut("ä".repeat(300));
    assert!(text.len() <= 256 && text.ends_with('…'));
    assert_eq!(lines::cut("short".to_owned()), "short");
}
