use super::*;

#[test]
fn facts_find_their_snapshot() {
    let records = [begin(5, 1), fuse(1, 1), finish(6, 1), begin(3, 2), fuse(2, 2), finish(9, 2)];
    let orders: [[usize; 6]; 3] = [[0, 1, 2, 3, 4, 5], [1, 4, 0, 3, 5, 2], [5, 4, 3, 2, 1, 0]];
    for order in orders {
        let timeline = build(order.map(|n| records[n].clone()));
        let numbers: Vec<u32> = timeline.snapshots().iter().map(|snapshot| snapshot.id.0).collect();
        assert_eq!(numbers, [2, 1], "oldest first");
        for (t, expected) in [(2, None), (3, Some(2)), (4, Some(2)), (5, Some(1)), (99, Some(1))] {
            assert_eq!(timeline.snapshot_at(at(t)).map(|snapshot| snapshot.id.0), expected, "{order:?} at {t}");
        }
        for snapshot in timeline.snapshots() {
            assert!(snapshot.complete && snapshot.extent == SnapshotExtent::Full && snapshot.stalls == 1);
            assert_eq!(snapshot.fuse[&FuseConnection(41)].waiting, Observed::Seen(snapshot.id.0));
        }
        assert_eq!(timeline.snapshot(SnapshotId(1)).unwrap().end, at(6));
    }
}

#[test]
fn a_snapshot_without_its_begin_or_end_is_kept_and_claims_less() {
    let timeline = build([begin(5, 1), fuse(1, 1), fuse(2, 9)]);
    let [cut, headless] = timeline.snapshots() else { panic!("two snapshots") };
    assert!(!cut.complete && cut.extent == SnapshotExtent::Full);
    assert!(!headless.complete && headless.extent == SnapshotExtent::Light);
    assert_eq!((headless.begin, headless.fuse.len()), (at(5), 1));
}

#[test]
fn facts_recorded_twice_count_once() {
    let facts: Vec<Record> = sample::records().into_iter().filter(|record| record.snapshot().is_some()).collect();
    let once = build(facts.clone());
    let twice = build(facts.iter().cloned().chain(facts.clone()));
    let (once, twice) = (&once.snapshots()[0], &twice.snapshots()[0]);
    assert_eq!((&once.mounts, &once.locks, &once.sockets), (&twice.mounts, &twice.locks, &twice.sockets));
    assert_eq!(once.mounts_of_fuse(FuseConnection(41)).count(), 1);
}

#[test]
fn more_snapshots_than_anybody_takes_are_left_out_and_said() {
    let timeline = build((0..20_000).map(|n| fuse(n, 1)));
    assert_eq!(timeline.snapshots().len(), 10_000);
    assert_eq!(timeline.missing(), ["10000 records of more than 10000 snapshots were left out"]);
}
