use std::io::Write;

use hangdog_schemas::record::PhaseMeaning;
use hangdog_schemas::{Big, Pid};

use super::*;

struct One(ProcessId);

impl Processes for One {
    fn by_pid(&self, pid: u32) -> Option<ProcessId> {
        (self.0.pid.0 == pid).then_some(self.0)
    }

    fn by_start(&self, start: u64) -> Option<ProcessId> {
        (self.0.start.0 == start).then_some(self.0)
    }

    fn runs(&self, process: ProcessId) -> bool {
        self.0 == process
    }
}

const PROCESS: ProcessId = ProcessId { pid: Pid(4412), start: Big(99) };

fn moment() -> Moment {
    Moment { clock: RunClock::at(1_000), now: RunNs(900), before: RunNs(0) }
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
    check(
        "{\"do\":\"begin\",\"id\":\"c\",\"name\":\"x\",\"pid\":7,\"t\":\"1160\"}\nrubbish\n",
        &["160+x", "lost 1"],
        true,
    );
    check(&format!("{}\n", "x".repeat(100_000)), &["lost 1"], false);
    check("{\"do\":\"end\",\"id\":\"b\",\"pid\":4412,\"t\":\"1400\"}\n", &["400-?"], false);
    assert_eq!(
        table.open().map(|phase| phase.id.process).collect::<Vec<_>>(),
        [ProcessId { pid: Pid(7), start: Big(0) }]
    );
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
