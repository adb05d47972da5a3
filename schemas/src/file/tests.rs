//! Captures whole, cut, damaged and hostile.

use std::io::{self, Cursor, Write};

use proptest::prelude::*;

use super::{FRAME_TEXT, IndexState, LINE, Limits, OpenError, Reader, Summary, WriteError, Writer, index};
use crate::record::{Lost, Output, SnapshotBegin, SnapshotExtent, Stream, TriggerReason};
use crate::{Big, FuseConnection, Observed, Record, RunHeader, RunNs, SnapshotId, Version, sample};

mod damage;
mod disk;
mod hostile;
mod refused;
mod window;

fn output(t: u64, bytes: u64) -> Record {
    Record::Output(Output { when: sample::ms(t), stream: Stream::Stdout, bytes, text: None })
}

fn header() -> Record {
    Record::Run(Box::new(sample::header()))
}

/// A capture with one frame for each list.
fn capture(frames: &[&[Record]]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for frame in frames {
        for record in *frame {
            writer.write(record).unwrap();
        }
        writer.flush_frame().unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> (Vec<Record>, Summary) {
    Reader::from_bytes(bytes).unwrap().read_all()
}

/// A capture with all samples in it, four records a frame.
fn full() -> (Vec<Record>, Vec<u8>) {
    let records = sample::records();
    let frames: Vec<&[Record]> = records.chunks(4).collect();
    let bytes = capture(&frames);
    (records, bytes)
}

fn zstd_of(text: &str) -> Vec<u8> {
    zstd::bulk::compress(text.as_bytes(), 3).unwrap()
}

#[test]
fn what_is_written_is_read() {
    let (records, bytes) = full();
    let (again, summary) = read(&bytes);
    assert_eq!(again, records);
    assert!(summary.is_complete(), "{:?}", summary.missing());
    assert!(summary.report);
    assert_eq!(summary.records, records.len() as u64);
}

#[test]
fn a_capture_is_plain_zstd_with_a_report_as_last_line() {
    let (records, bytes) = full();
    let text = zstd::stream::decode_all(&bytes[..]).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, records);
    assert!(matches!(lines.last(), Some(Record::Report(_))));
    let index = Reader::from_bytes(&bytes).unwrap().index().unwrap().unwrap();
    let last = index.frames.last().unwrap();
    assert_eq!(last.kinds, [("report".to_owned(), 1)].into(), "the report has a frame of its own");
}

#[test]
fn frames_close_by_themselves() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.write(&header()).unwrap();
    let mut n = 0;
    while writer.bytes() == 0 {
        writer.write(&output(n, n)).unwrap();
        n += 1;
    }
    let text = writer.text();
    let bytes = writer.finish().unwrap();
    let index = Reader::from_bytes(&bytes).unwrap().index().unwrap().unwrap();
    assert_eq!(index.frames.len(), 1);
    assert!((FRAME_TEXT as u64..FRAME_TEXT as u64 + 200).contains(&index.frames[0].text));
    assert_eq!((index.records(), index.frames[0].text), (n + 1, text));
}

#[test]
fn the_first_record_is_the_run_header() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    assert!(matches!(writer.write(&output(0, 1)), Err(WriteError::HeaderFirst("output"))));
    writer.write(&header()).unwrap();
    writer.write(&output(0, 1)).unwrap();
    assert_eq!(read(&writer.finish().unwrap()).0.len(), 2);
}

#[test]
fn a_record_that_is_too_long_is_left_out_and_the_capture_says_so() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.write(&header()).unwrap();
    let text = Some("x".repeat(LINE));
    let long = Record::Output(Output { when: sample::ms(7), stream: Stream::Both, bytes: 1, text });
    let error = writer.write(&long).unwrap_err();
    assert!(matches!(error, WriteError::TooLong { kind: "output", bytes } if bytes > LINE));
    writer.write(&output(8, 1)).unwrap();
    writer.write(&Record::Report(Box::new(sample::report()))).unwrap();
    assert_eq!(writer.refused(), 1);
    let (records, summary) = read(&writer.finish().unwrap());
    assert!(summary.is_complete(), "{:?}", summary.missing());
    let kinds: Vec<&str> = records.iter().map(Record::kind).collect();
    assert_eq!(kinds, ["run", "output", "lost", "report"]);
    assert!(matches!(&records[2], Record::Lost(Lost { records: 1, at, .. }) if at.contains("1 too long")));
}

/// Where data frames end, from the index.
fn frame_ends(bytes: &[u8]) -> Vec<(u64, u64)> {
    let index = Reader::from_bytes(bytes).unwrap().index().unwrap().unwrap();
    let mut records = 0;
    let end = |frame: &super::IndexFrame| {
        records += frame.kinds.values().sum::<u64>();
        (frame.at + frame.bytes, records)
    };
    index.frames.iter().map(end).collect()
}

#[test]
fn unknown_kinds_and_bad_lines_are_counted_apart() {
    let line = serde_json::to_string(&header()).unwrap();
    let known = serde_json::to_string(&output(1, 2)).unwrap();
    let text = format!(
        "{line}\n{{\"kind\":\"dream\",\"x\":1}}\n{{\"kind\":\"dream\"}}\nnonsense\n{{\"kind\":\"output\"}}\n\n{known}"
    );
    let (records, summary) = read(&zstd_of(&text));
    assert_eq!(records, [header(), output(1, 2)]);
    assert_eq!(summary.unknown, [("dream".to_owned(), 2)].into());
    assert_eq!(summary.bad_lines, 3);
    let notes = summary.missing().join("; ");
    assert!(notes.contains("3 lines could not be understood") && notes.contains("2 \"dream\""), "{notes}");
}

#[test]
fn a_newer_minor_version_is_read_with_what_it_adds_left_out() {
    let newer = Version { minor: crate::CAPTURE_VERSION.minor + 1, ..crate::CAPTURE_VERSION };
    let header = RunHeader { format: newer, ..sample::header() };
    let mut line = serde_json::to_value(Record::Run(Box::new(header))).unwrap();
    line["something_new"] = serde_json::json!({"a": 1});
    let (records, summary) = read(&zstd_of(&format!("{line}\n{{\"kind\":\"dream\"}}\n")));
    assert_eq!(records.len(), 1);
    assert_eq!(summary.newer, Some(newer));
    assert!(summary.missing().join("; ").contains(&format!("newer format {newer}")), "{:?}", summary.missing());
}

#[test]
fn big_numbers_survive() {
    let (records, bytes) = full();
    let text = String::from_utf8(zstd::stream::decode_all(&bytes[..]).unwrap()).unwrap();
    assert!(text.contains(&format!("\"{}\"", Big(u64::MAX - 1))));
    assert_eq!(read(&bytes).0, records);
}
