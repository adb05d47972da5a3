use super::*;

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
fn the_last_frames_are_read_alone_whatever_their_times() {
    let bytes = ten_seconds();
    let mut reader = Reader::open(Cursor::new(&bytes[..])).unwrap();
    let index = reader.index().unwrap().unwrap();
    let mut from = |frame: usize| {
        let window = reader.records_from(index.frames[frame].at).unwrap();
        let first = window.records.first().and_then(Record::when).map(|t| t.0 / 1_000_000);
        (window.summary.frames, first, window.records.iter().filter(|record| record.snapshot().is_some()).count())
    };
    assert_eq!(from(9), (1, Some(9000), 0));
    assert_eq!(from(4), (6, Some(4000), 0), "the fact's snapshot began before");
    assert_eq!(from(3), (7, Some(3000), 2));
    // Old records that came late: the frame is read, and not all others with it.
    let late = capture(&[&[header(), output(0, 1)], &[output(5000, 1)], &[output(100, 1), output(9000, 1)]]);
    let mut reader = Reader::open(Cursor::new(&late[..])).unwrap();
    let last = reader.index().unwrap().unwrap().frames[2].at;
    let window = reader.records_from(last).unwrap();
    assert_eq!((window.summary.frames, window.records.len()), (1, 2));
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
    let lies: [fn(&mut crate::file::Index); 4] = [
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
