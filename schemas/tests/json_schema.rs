//! The schema files are those that the types make, and what is written is valid by them.
//!
//! `HANGDOG_UPDATE_SCHEMAS=1 cargo test -p hangdog-schemas --test json_schema` rewrites the files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hangdog_schemas::fact::{FdDetail, Syscall};
use hangdog_schemas::{FindingKind, Record, json_schema, sample};
use serde_json::{Value, json};

#[track_caller]
fn check_file(name: &str, schema: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("json/v1").join(name);
    let made = format!("{schema:#}\n");
    if std::env::var_os("HANGDOG_UPDATE_SCHEMAS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "{} is not what the types make; run this test with HANGDOG_UPDATE_SCHEMAS=1 and look at the difference",
        path.display()
    );
}

#[test]
fn files_are_what_the_types_make() {
    check_file("record.json", &json_schema::record());
    check_file("report.json", &json_schema::report());
}

#[track_caller]
fn check_valid(validator: &jsonschema::Validator, value: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(errors.is_empty(), "{value}\nis not valid:\n{}", errors.join("\n"));
}

fn lines() -> Vec<Value> {
    sample::records().iter().map(|record| serde_json::to_value(record).unwrap()).collect()
}

#[test]
fn every_record_is_valid_and_comes_back_as_it_was() {
    let validator = jsonschema::validator_for(&json_schema::record()).unwrap();
    for record in sample::records() {
        let line = serde_json::to_string(&record).unwrap();
        check_valid(&validator, &serde_json::from_str(&line).unwrap());
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record, "{line}");
    }
}

#[test]
fn every_report_is_valid_and_begins_with_the_verdict() {
    let validator = jsonschema::validator_for(&json_schema::report()).unwrap();
    for report in [sample::report(), sample::empty_report()] {
        let text = serde_json::to_string(&report).unwrap();
        assert!(text.starts_with("{\"verdict\":"), "{text}");
        check_valid(&validator, &serde_json::from_str(&text).unwrap());
    }
}

#[test]
fn samples_cover_every_kind() {
    let kinds: BTreeSet<&str> = sample::records().iter().map(Record::kind).collect();
    assert_eq!(kinds, Record::KINDS.iter().copied().collect());
    for (record, line) in sample::records().iter().zip(lines()) {
        assert_eq!(line["kind"], record.kind());
    }
    // A match without a wildcard: a new variant does not compile until the samples have it too.
    for detail in sample::fd_details() {
        match detail {
            FdDetail::Plain
            | FdDetail::Epoll(_)
            | FdDetail::Eventfd { .. }
            | FdDetail::Timerfd { .. }
            | FdDetail::Signalfd { .. }
            | FdDetail::Pidfd { .. }
            | FdDetail::Inotify { .. }
            | FdDetail::IoUring { .. }
            | FdDetail::Userfaultfd { .. }
            | FdDetail::FuseServer { .. }
            | FdDetail::PtyMaster { .. }
            | FdDetail::UnixSocket { .. } => {}
        }
    }
    for call in sample::syscalls() {
        match call {
            Syscall::Running | Syscall::None { .. } | Syscall::In { .. } => {}
        }
    }
}

/// Numbers above 2^53 are rounded by readers that keep numbers as doubles.
#[test]
fn no_number_needs_more_than_53_bits() {
    fn walk(value: &Value, path: &str) {
        match value {
            Value::Number(n) => assert!(n.as_f64().unwrap().abs() < 9e15, "{path} is {n}"),
            Value::Array(values) => values.iter().for_each(|value| walk(value, path)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| walk(value, &format!("{path}.{name}"))),
            _ => {}
        }
    }
    for line in lines() {
        walk(&line, line["kind"].as_str().unwrap());
    }
}

/// A schema that lets everything pass would pass the tests above.
#[test]
fn wrong_records_are_not_valid() {
    let validator = jsonschema::validator_for(&json_schema::record()).unwrap();
    for line in lines() {
        let fields = line.as_object().unwrap();
        for name in fields.keys().filter(|name| *name != "kind") {
            let mut wrong = line.clone();
            wrong[name] = json!([[true]]);
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
        let mut wrong = line.clone();
        wrong["kind"] = json!("nonsense");
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
    assert!(!validator.is_valid(&json!({})));
}

#[test]
fn names_of_findings_are_in_the_schema() {
    let schema = json_schema::report().to_string();
    for kind in [FindingKind::DeadlockCycle, FindingKind::LostWakeup, FindingKind::Diverged] {
        assert!(schema.contains(&format!("{:?}", kind.name())), "{}", kind.name());
    }
}
