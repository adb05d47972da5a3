use super::*;

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
