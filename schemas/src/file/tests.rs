//! Captures whole, cut, damaged and hostile.

use std::io::{self, Cursor, Write};

use proptest::prelude::*;

use super::{FRAME_TEXT, IndexState, LINE, Limits, OpenError, Reader, Summary, WriteError, Writer, index};
use crate::record::{Lost, Output, SnapshotBegin, SnapshotExtent, Stream, TriggerReason};
use crate::{Big, FuseConnection, Observed, Record, RunHeader, RunNs, SnapshotId, Version, sample};

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
    let bytes = writer.finish().unwrap();
    let index = Reader::from_bytes(&bytes).unwrap().index().unwrap().unwrap();
    assert_eq!(index.frames.len(), 1);
    assert!((FRAME_TEXT as u64..FRAME_TEXT as u64 + 200).contains(&index.frames[0].text));
    assert_eq!(index.records(), n + 1);
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
fn cut_at_every_byte_gives_every_whole_frame_and_a_note() {
    let (records, bytes) = full();
    let ends = frame_ends(&bytes);
    assert!(bytes.len() > 1000, "{} cuts are too few", bytes.len());
    for cut in 0..bytes.len() {
        let whole = ends.iter().rev().find(|(end, _)| *end <= cut as u64).map_or(0, |(_, records)| *records);
        match Reader::from_bytes(&bytes[..cut]) {
            Ok(reader) => {
                let (read, summary) = reader.read_all();
                assert!(read.len() as u64 >= whole, "cut at {cut}: {} of {whole} records", read.len());
                assert_eq!(read, records[..read.len()], "cut at {cut}");
                assert!(!summary.is_complete(), "cut at {cut}");
                assert_eq!(summary.index, IndexState::Absent, "cut at {cut}");
                let inside = !ends.iter().any(|(end, _)| *end == cut as u64);
                assert_eq!(summary.cut.is_some(), inside, "cut at {cut}: {:?}", summary.missing());
            }
            Err(OpenError::Empty) => assert_eq!(cut, 0),
            Err(OpenError::CutBeforeHeader { bytes }) => assert_eq!((bytes, whole), (cut as u64, 0)),
            Err(error) => panic!("cut at {cut}: {error}"),
        }
    }
}

#[test]
fn a_cut_frame_gives_the_lines_that_still_decompress() {
    let mut records = vec![header()];
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for t in 0..2500 {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        records.push(output(t, noise >> 12));
    }
    let bytes = capture(&[&records]);
    let ends = frame_ends(&bytes);
    let (read, summary) = read(&bytes[..ends[0].0 as usize - 10]);
    // A block of zstd holds at most 128 KiB.
    assert!(read.len() > 1000 && read.len() < records.len(), "{}", read.len());
    assert_eq!(read, records[..read.len()]);
    assert_eq!(summary.cut_lines, read.len() as u64);
    assert!(summary.missing()[0].contains("the file ends inside a frame"), "{:?}", summary.missing());
}

#[test]
fn a_damaged_frame_is_left_out_and_the_others_are_read() {
    let (records, bytes) = full();
    let ends = frame_ends(&bytes);
    for damaged in 1..ends.len() {
        let (begin, before) = ends[damaged - 1];
        let (end, through) = ends[damaged];
        for at in begin..end {
            let mut bytes = bytes.clone();
            bytes[at as usize] ^= 0x55;
            let (read, summary) = read(&bytes);
            let others = [&records[..before as usize], &records[through as usize..]].concat();
            assert_eq!(read, others, "byte {at} of frame {damaged}: {:?}", summary.missing());
            assert!(summary.damaged > 0, "byte {at} of frame {damaged}");
            assert_eq!(summary.unread, Some(through - before), "byte {at} of frame {damaged}");
            assert!(!summary.is_complete());
        }
    }
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
    assert!(summary.missing().join("; ").contains("newer format 1.1"), "{:?}", summary.missing());
}

#[track_caller]
fn check_refused(bytes: &[u8], message: &str, advice: &str) {
    let Err(error) = Reader::from_bytes(bytes) else { panic!("it was opened") };
    assert_eq!(error.to_string(), message);
    assert!(error.advice().contains(advice), "{}", error.advice());
}

#[test]
fn what_is_no_capture_is_named() {
    check_refused(b"", "the capture is empty", "record the run again");
    check_refused(b"hello, world", "this is no capture: it begins with \"hello, world\"", "give a .hang file");
    check_refused(b"\x1f\x8b\x08 and so on", "this is no capture: it begins with the mark of gzip", "give a .hang");
    let begins = "\\x1b[31m".to_owned() + &"x".repeat(19) + "…";
    let text = format!("\x1b[31m{}", "x".repeat(100));
    check_refused(text.as_bytes(), &format!("this is no capture: it begins with \"{begins}\""), "give");
    check_refused(
        &zstd_of("a,b\n"),
        "this is no capture: it begins with compressed text that begins with \"a,b\"",
        "",
    );
    check_refused(
        &zstd_of("{\"kind\":\"output\"}\n"),
        "this is no capture: it begins with compressed text that begins with \"{\\\"kind\\\":\\\"output\\\"}\"",
        "give",
    );
    let whole = capture(&[&[header()]]);
    for cut in [3, 20] {
        let message = format!("the capture was cut after {cut} bytes, before its first record was whole");
        check_refused(&whole[..cut], &message, "record the run again");
    }
    let mut damaged = whole.clone();
    damaged[40] ^= 0xff;
    let Err(error) = Reader::from_bytes(&damaged) else { panic!("it was opened") };
    assert!(matches!(error, OpenError::DamagedHeader { .. }), "{error}");
}

#[test]
fn another_major_version_is_refused_before_its_header_is_read() {
    check_refused(
        &zstd_of("{\"kind\":\"run\",\"format\":\"2.0\",\"all\":\"else differs\"}\n"),
        "the capture has format 2.0, and this hangdog reads 1.0 to 1.0",
        "upgrade hangdog",
    );
    check_refused(
        &zstd_of("{\"kind\":\"run\",\"format\":\"0.9\"}\n"),
        "the capture has format 0.9, and this hangdog reads 1.0 to 1.0",
        "the hangdog that wrote it",
    );
    check_refused(
        &zstd_of("{\"kind\":\"run\",\"format\":\"1.0\"}\n"),
        "the run header of the capture is not understood",
        "report this as a bug",
    );
}

#[test]
fn a_bomb_is_bounded() {
    let line = serde_json::to_string(&header()).unwrap();
    let mut bytes = zstd_of(&format!("{line}\n"));
    let bomb = zstd::bulk::compress(&vec![b'x'; 8 << 20], 19).unwrap();
    assert!(bomb.len() < 2000);
    bytes.extend_from_slice(&bomb);
    bytes.extend_from_slice(&zstd_of(&format!("{}\n", serde_json::to_string(&output(1, 1)).unwrap())));

    let limits = Limits { frame: 1 << 20, ..Limits::default() };
    let (records, summary) = Reader::with_limits(&bytes[..], limits).unwrap().read_all();
    assert_eq!(records, [header(), output(1, 1)]);
    assert_eq!((summary.damaged, summary.damaged_bytes), (1, bomb.len() as u64));

    let limits = Limits { total: 1 << 20, ..Limits::default() };
    let (records, summary) = Reader::with_limits(&bytes[..], limits).unwrap().read_all();
    assert_eq!(records, [header()]);
    assert!(summary.stopped_at_limit && summary.missing()[0].contains("reading stopped"));

    let (_, summary) = Reader::from_bytes(&bytes).unwrap().read_all();
    assert_eq!(summary.bad_lines, 1, "a line of 8 MiB is not parsed");
}

#[test]
fn a_window_too_large_for_a_reader_is_refused() {
    let limits = Limits { window_log: 12, ..Limits::default() };
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(20).unwrap();
    encoder.write_all(serde_json::to_string(&header()).unwrap().as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    assert!(matches!(Reader::with_limits(&bytes[..], limits), Err(OpenError::DamagedHeader { .. })));
    assert_eq!(read(&bytes).0.len(), 1);
}

#[test]
fn a_read_that_fails_is_the_end_and_is_said() {
    struct Fails<'a>(&'a [u8]);
    impl io::Read for Fails<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.read(into) {
                Ok(0) => Err(io::Error::other("the disk is gone")),
                other => other,
            }
        }
    }
    let (records, bytes) = full();
    let cut = frame_ends(&bytes)[3];
    let (read, summary) = Reader::open(Fails(&bytes[..cut.0 as usize])).unwrap().read_all();
    assert_eq!(read, records[..cut.1 as usize]);
    assert_eq!(summary.failed.as_deref(), Some("the disk is gone"));
    assert!(matches!(Reader::open(Fails(b"")), Err(OpenError::Io(_))));
}

/// A disk that takes so many bytes and is then full until it is given more.
struct Disk {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for &mut Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_leaves_whole_frames_and_loses_nothing_when_there_is_room_again() {
    let (records, bytes) = full();
    for room in [0, 1, 100, 700, bytes.len() - 20] {
        let mut disk = Disk { bytes: Vec::new(), room };
        let mut writer = Writer::new(&mut disk).unwrap();
        let mut failed = 0;
        for (n, record) in records.iter().enumerate() {
            match writer.write(record) {
                Ok(()) => {}
                Err(WriteError::Io(_)) => failed += 1,
                Err(other) => panic!("{other}"),
            }
            if n % 4 == 3 {
                failed += u32::from(writer.flush_frame().is_err());
            }
        }
        assert!(failed > 0 || room + 20 == bytes.len());
        assert!(writer.finish().is_err());
        let written = std::mem::take(&mut disk.bytes);
        if let Ok(reader) = Reader::from_bytes(&written) {
            let (read, _) = reader.read_all();
            assert_eq!(read, records[..read.len()], "room {room}");
        }
    }

    let mut disk = Disk { bytes: Vec::new(), room: 700 };
    let mut writer = Writer::new(Refill { disk: &mut disk, refused: 0 }).unwrap();
    for (n, record) in records.iter().enumerate() {
        let _ = writer.write(record);
        if n % 4 == 3 {
            let _ = writer.flush_frame();
        }
    }
    let refused = writer.finish().unwrap().refused;
    assert!(refused > 0);
    let (read, summary) = read(&disk.bytes);
    assert_eq!(read, records);
    assert!(summary.is_complete(), "{:?}", summary.missing());
}

/// A full disk on which somebody makes room after the third refusal.
struct Refill<'a> {
    disk: &'a mut Disk,
    refused: u32,
}

impl Write for Refill<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = (&mut *self.disk).write(bytes);
        if outcome.is_err() {
            self.refused += 1;
            if self.refused == 3 {
                self.disk.room = usize::MAX;
            }
        }
        outcome
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_stays_full_costs_bounded_memory() {
    let mut disk = Disk { bytes: Vec::new(), room: 0 };
    let mut writer = Writer::new(&mut disk).unwrap();
    writer.write(&header()).unwrap();
    let text = Some("x".repeat(LINE / 2));
    let half = Record::Output(Output { when: sample::ms(7), stream: Stream::Both, bytes: 1, text });
    let refused = (0..100).filter(|_| matches!(writer.write(&half), Err(WriteError::Backlog))).count();
    assert!((80..100).contains(&refused), "{refused}");
    assert_eq!(writer.refused(), refused as u64);
}

/// Frames at 0, 1, 2, … 9 s, with a snapshot that begins at 3.9 s and whose facts lie in the next frame.
fn ten_seconds() -> Vec<u8> {
    let mut frames: Vec<Vec<Record>> =
        (0..10).map(|s| (0..5).map(|n| output(s * 1000 + n * 200, n)).collect()).collect();
    frames[0].insert(0, header());
    frames[3].push(Record::SnapshotBegin(SnapshotBegin {
        when: sample::ms(3900),
        snapshot: SnapshotId(1),
        extent: SnapshotExtent::Full,
        reason: TriggerReason::Demand,
    }));
    let (snapshot, connection) = (SnapshotId(1), FuseConnection(41));
    let fact = crate::fact::FuseFact { snapshot, connection, waiting: Observed::Seen(1), made_by_run: false };
    frames[4].insert(0, Record::Fuse(fact));
    let frames: Vec<&[Record]> = frames.iter().map(Vec::as_slice).collect();
    capture(&frames)
}

#[track_caller]
fn check_window(bytes: &[u8], from: u64, to: u64, times: &[u64], facts: usize) -> Summary {
    let mut reader = Reader::open(Cursor::new(bytes)).unwrap();
    let window = reader.records_between(RunNs(from * 1_000_000), RunNs(to * 1_000_000)).unwrap();
    let seen: Vec<u64> = window.records.iter().filter_map(Record::when).map(|t| t.0 / 1_000_000).collect();
    assert_eq!(seen, times, "{from} to {to}");
    assert_eq!(window.records.len() - seen.len(), facts, "{from} to {to}");
    window.summary
}

#[test]
fn a_window_is_read_without_the_rest() {
    let bytes = ten_seconds();
    assert_eq!(check_window(&bytes, 1000, 1200, &[1000, 1200], 0).frames, 1);
    assert_eq!(check_window(&bytes, 1800, 2000, &[1800, 2000], 0).frames, 2);
    assert_eq!(check_window(&bytes, 3800, 3900, &[3800, 3900], 1).frames, 2, "facts count with their snapshot");
    assert_eq!(check_window(&bytes, 4000, 4000, &[4000], 0).frames, 1, "the snapshot began before");
    assert_eq!(check_window(&bytes, 20_000, 30_000, &[], 0).frames, 0);

    let cut = &bytes[..bytes.len() - 1];
    let summary = check_window(cut, 3800, 3900, &[3800, 3900], 1);
    assert_eq!((summary.index, summary.frames), (IndexState::Absent, 10), "without an index all is read");
}

#[test]
fn a_window_does_not_move_the_iterator() {
    let bytes = ten_seconds();
    let (all, _) = read(&bytes);
    let mut reader = Reader::open(Cursor::new(&bytes[..])).unwrap();
    let mut again = Vec::new();
    while let Some(record) = reader.next() {
        again.push(record);
        reader.records_between(RunNs(0), RunNs(5_000_000_000)).unwrap();
    }
    assert_eq!(again, all);
}

#[test]
fn the_report_is_found_alone() {
    let (_, bytes) = full();
    let mut reader = Reader::open(Cursor::new(&bytes[..])).unwrap();
    assert_eq!(reader.report().unwrap(), Some(sample::report()));
    let bytes = ten_seconds();
    assert_eq!(Reader::open(Cursor::new(&bytes[..])).unwrap().report().unwrap(), None);
}

#[test]
fn an_index_that_lies_is_not_followed() {
    let (records, bytes) = full();
    let index = Reader::from_bytes(&bytes).unwrap().index().unwrap().unwrap();
    let data = &bytes[..frame_ends(&bytes).last().unwrap().0 as usize];
    let lies: [fn(&mut super::Index); 4] = [
        |index| index.frames[1].at = 0,
        |index| index.frames[1].at = u64::MAX,
        |index| index.frames[2].bytes = u64::MAX,
        |index| index.frames[2].t = (RunNs(5), RunNs(4)),
    ];
    for lie in lies {
        let mut index = index.clone();
        lie(&mut index);
        let file = [data, &index::encode(&index)].concat();
        let mut reader = Reader::open(Cursor::new(&file[..])).unwrap();
        assert_eq!(reader.index().unwrap(), None);
        let (read, summary) = reader.read_all();
        assert_eq!(read, records);
        assert_eq!(summary.index, IndexState::Damaged);
    }
    let mut more = index.clone();
    more.frames[0].kinds.insert("output".to_owned(), 1000);
    let file = [data, &index::encode(&more)].concat();
    assert_eq!(read(&file).1.unread, Some(1000), "what the index names and nobody finds is said");
}

#[test]
fn frames_of_others_are_passed_over() {
    let (records, bytes) = full();
    let first = frame_ends(&bytes)[0].0 as usize;
    let foreign = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let file = [&bytes[..first], &foreign, &bytes[first..]].concat();
    let (read, summary) = read(&file);
    assert_eq!(read, records);
    assert_eq!(summary.damaged, 0);
}

proptest! {
    // Frames are one block each here. Of a longer cut frame, whose sum is not there to tell, a damaged block
    // could give a line that nobody wrote.
    #[test]
    fn random_damage_never_panics_and_never_invents(
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let (records, mut bytes) = full();
        for (at, xor) in hits {
            let at = at.index(bytes.len());
            bytes[at] ^= xor;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(mut reader) = Reader::open(Cursor::new(&bytes[..])) {
            let window = reader.records_between(RunNs(0), RunNs(u64::MAX)).unwrap();
            for record in reader.chain(window.records) {
                prop_assert!(records.contains(&record), "{record:?}");
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), magic in any::<bool>()) {
        let bytes = if magic { [&super::frame::ZSTD_MAGIC[..], &bytes].concat() } else { bytes };
        if let Ok(reader) = Reader::from_bytes(&bytes) {
            reader.read_all();
        }
    }

    #[test]
    fn random_lines_never_panic(lines in prop::collection::vec(".{0,60}", 0..20), depth in 0..3000_usize) {
        let mut text = serde_json::to_string(&header()).unwrap();
        for line in lines {
            text.push('\n');
            text.push_str(&line);
        }
        text.push('\n');
        text.push_str("{\"kind\":");
        text.push_str(&"[".repeat(depth));
        let (read, summary) = read(&zstd_of(&text));
        prop_assert_eq!(read.len() as u64, summary.records);
    }
}

#[test]
fn big_numbers_survive() {
    let (records, bytes) = full();
    let text = String::from_utf8(zstd::stream::decode_all(&bytes[..]).unwrap()).unwrap();
    assert!(text.contains(&format!("\"{}\"", Big(u64::MAX - 1))));
    assert_eq!(read(&bytes).0, records);
}
