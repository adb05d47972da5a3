//! The capture of a real hang: readable by common tools, valid by the schema, and whole as far as it goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hangdog_schemas::file::Reader;
use hangdog_schemas::{Record, Report};
use hangdog_tests::{Bench, Needs, programs, trial};
use libtest_mimic::Arguments;

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let shared = Arc::new(Shared::default());
    let of_shared = |name: &str, test: fn(&Recorded)| {
        let shared = Arc::clone(&shared);
        trial(name, Needs::Nothing, move || test(shared.recorded()))
    };
    let trials = vec![
        of_shared("zstd and JSON tools read it, and each line is valid", lines_are_valid),
        of_shared("the report is valid by its schema", report_is_valid),
        of_shared("the verdict is the same live and afterwards", same_verdict_afterwards),
        of_shared("cut at 1,000 places", cut_at_1000_places),
        of_shared("the program reads a cut capture", program_reads_cut),
        trial("kept after a hang, dropped after a clean run", Needs::Nothing, kept_or_dropped),
        trial("secrets are not in it", Needs::Nothing, no_secrets),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    // `exit` runs no destructors, and this one removes a directory.
    drop(shared);
    conclusion.exit();
}

/// A hang that is recorded once, when the first test asks for it.
#[derive(Default)]
struct Shared(OnceLock<Recorded>);

struct Recorded {
    bench: Bench,
    bytes: Vec<u8>,
    report: Report,
}

impl Shared {
    fn recorded(&self) -> &Recorded {
        self.0.get_or_init(|| {
            let bench = Bench::new(programs!());
            let line = bench.scenario("flock-abba", &[bench.path("").as_ref()]);
            let ended = bench.end_of(&mut bench.watched(&[], line));
            assert_eq!(ended.status.code(), Some(124), "{}", ended.stderr);
            let bytes = fs::read(bench.capture_path()).expect("a capture");
            let report = bench.report().expect("a report");
            Recorded { bench, bytes, report }
        })
    }
}

fn schema(name: &str) -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/json/v1").join(name);
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let schema = serde_json::from_slice(&text).expect("a schema is JSON");
    jsonschema::validator_for(&schema).expect("a valid schema")
}

fn lines_are_valid(recorded: &Recorded) {
    let text = zstd::decode_all(recorded.bytes.as_slice()).expect("zstd reads it to its end");
    let text = String::from_utf8(text).expect("UTF-8");
    let schema = schema("record.json");
    let mut kinds = Vec::new();
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("a JSON object a line");
        let wrong: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{line}");
        kinds.push(value["kind"].as_str().expect("a kind").to_owned());
    }
    assert_eq!(kinds.first().map(String::as_str), Some("run"));
    assert_eq!(kinds.last().map(String::as_str), Some("report"));
    for kind in ["process_start", "sample", "trigger", "snapshot_begin", "thread", "fd", "file_lock", "run_end"] {
        assert!(kinds.iter().any(|seen| seen == kind), "there is no {kind}");
    }
}

fn report_is_valid(recorded: &Recorded) {
    let text = fs::read(recorded.bench.report_path()).expect("a report");
    let value = serde_json::from_slice(&text).expect("JSON");
    let wrong: Vec<String> = schema("report.json").iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(text.trim_ascii_start().starts_with(b"{"), "an object");
    let first_key = String::from_utf8_lossy(&text).split('"').nth(1).map(str::to_owned);
    assert_eq!(first_key.as_deref(), Some("verdict"), "the verdict comes first");
}

fn same_verdict_afterwards(recorded: &Recorded) {
    let ended = recorded
        .bench
        .end_of(recorded.bench.hangdog(["report", "--format", "json"]).arg(recorded.bench.capture_path()));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let afterwards: Report = serde_json::from_str(&ended.stdout).expect("a report");
    let (live, later) = (recorded.report.verdict.as_ref(), afterwards.verdict.as_ref());
    assert_eq!(later.map(|verdict| &verdict.sentence), live.map(|verdict| &verdict.sentence));
    assert_eq!(later.map(|verdict| &verdict.signature), live.map(|verdict| &verdict.signature));
}

fn cut_at_1000_places(recorded: &Recorded) {
    let bytes = &recorded.bytes;
    let all = records(bytes).expect("the whole capture");
    let mut before = 0;
    for n in 1..=1000 {
        let cut = bytes.len() * n / 1001;
        let read = match Reader::from_bytes(&bytes[..cut]) {
            Ok(reader) => {
                let (records, summary) = reader.read_all();
                assert!(!summary.is_complete(), "cut at {cut}: complete?");
                assert!(!summary.missing().is_empty(), "cut at {cut}: no note of what is missing");
                assert_eq!(records, all[..records.len()], "cut at {cut}: other records than before the cut");
                records.len()
            }
            Err(error) => {
                assert!(!error.advice().is_empty(), "cut at {cut}: no advice");
                0
            }
        };
        assert!(read >= before, "cut at {cut}: {read} records, and {before} with less of the file");
        before = read;
    }
    // All but the index stands before the last of the cuts.
    assert!(before > 0, "no cut gave a record");
}

fn records(bytes: &[u8]) -> Option<Vec<Record>> {
    let (records, summary) = Reader::from_bytes(bytes).ok()?.read_all();
    summary.is_complete().then_some(records)
}

fn program_reads_cut(recorded: &Recorded) {
    for n in 1..=9 {
        let path = recorded.bench.path(format!("cut-{n}.hang"));
        fs::write(&path, &recorded.bytes[..recorded.bytes.len() * n / 10]).expect("a file");
        let ended = recorded.bench.end_of(recorded.bench.hangdog(["report"]).arg(&path));
        let code = ended.status.code();
        assert!(code == Some(0) || code == Some(2), "{code:?} at {n}/10: {}", ended.stderr);
        assert!(!ended.stdout.contains("panicked") && !ended.stderr.contains("panicked"), "{}", ended.stderr);
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert!(told.contains("cut") || told.contains("missing"), "it does not say that it is cut: {told}");
    }
}

fn kept_or_dropped() {
    let bench = Bench::new(programs!());
    let run = |line: Vec<std::ffi::OsString>| {
        let ended = bench.end_of(bench.hangdog(["run", "--quiet-after", "2s", "--"]).args(line));
        (ended.status.code(), captures_below(&bench.path("state")))
    };
    let (code, kept) = run(bench.scenario("exit", &["0".as_ref()]));
    assert_eq!((code, kept.len()), (Some(0), 0), "after a clean run: {kept:?}");
    let (code, kept) = run(bench.scenario("pipe-own-writer", &[]));
    assert_eq!((code, kept.len()), (Some(124), 1), "after a hang: {kept:?}");
    let whole = fs::read(&kept[0]).expect("the capture");
    assert!(records(&whole).is_some(), "it is complete");
}

fn captures_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(captures_below(&path));
        } else if path.extension().is_some_and(|ending| ending == "hang") {
            found.push(path);
        }
    }
    found
}

fn no_secrets() {
    let bench = Bench::new(programs!());
    let line = bench.scenario("pipe-own-writer", &["--password=hunter2-in-an-argument".as_ref()]);
    let mut command = bench.watched(&[], line);
    command.env("DEPLOY_TOKEN", "hunter2-in-the-environment");
    let ended = bench.end_of(&mut command);
    assert_eq!(ended.status.code(), Some(124), "{}", ended.stderr);
    let bytes = fs::read(bench.capture_path()).expect("a capture");
    let text = String::from_utf8(zstd::decode_all(bytes.as_slice()).expect("zstd")).expect("UTF-8");
    let report = fs::read_to_string(bench.report_path()).expect("a report");
    for (what, text) in [("the capture", &text), ("the report", &report), ("standard error", &ended.stderr)] {
        assert!(!text.contains("hunter2"), "a secret is in {what}");
    }
}
