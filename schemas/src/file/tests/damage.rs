use super::*;

#[test]
fn cut_at_a_thousand_places_gives_every_whole_frame_and_a_note() {
    let (records, bytes) = full();
    let ends = frame_ends(&bytes);
    let around_ends = ends.iter().flat_map(|(end, _)| end - 1..=end + 1).map(|cut| cut as usize);
    let cuts: Vec<usize> = (0..bytes.len()).step_by(bytes.len() / 1000).chain(around_ends).collect();
    assert!(cuts.len() > 1000, "{} cuts are too few", cuts.len());
    for cut in cuts {
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
        for at in (begin..end).step_by(9).chain([end - 1]) {
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
        let bytes = if magic { [&crate::file::frame::ZSTD_MAGIC[..], &bytes].concat() } else { bytes };
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
