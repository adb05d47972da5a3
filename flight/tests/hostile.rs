//! A reader survives any bytes: its file belongs to somebody else.

mod support;

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

use hangdog_flight::{ReadError, Reader, Size, Value};
use proptest::prelude::*;
use support::recorder;

/// A real file with something of everything in it.
fn real() -> &'static [u8] {
    static REAL: OnceLock<Vec<u8>> = OnceLock::new();
    REAL.get_or_init(|| {
        let recorder = recorder(Size::LEAST);
        for n in 0..20 {
            let mut opening = recorder.begin(recorder.name("work"), recorder.current()).unwrap();
            opening.field(recorder.name("n"), Value::U64(n));
            opening.field(recorder.name("short"), Value::Text("short"));
            opening.field(recorder.name("long"), Value::Text("a text that needs the second slot"));
            opening.field(recorder.name("hang.wait"), Value::Text("path:/mnt/x"));
            let phase = opening.publish();
            recorder.enter(phase);
            recorder.task(phase, n);
            if n % 3 == 0 {
                recorder.exit(phase);
                recorder.close(phase);
            }
        }
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut recorder.file().unwrap(), &mut bytes).unwrap();
        bytes
    })
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile_in("/dev/shm").unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn read(bytes: &[u8]) -> Result<hangdog_flight::Recording, ReadError> {
    let mut reader = Reader::from_file(file(bytes))?;
    let first = reader.read();
    // A second look starts from cursors that the first one took from the file.
    let _again = reader.read();
    first
}

#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    assert_eq!(read(bytes).unwrap_err().to_string(), expected);
}

#[test]
fn what_is_no_recorder_is_refused_with_a_reason() {
    check_refused(b"", "the recorder is still being made");
    check_refused(b"hangdog\0", "this is no recorder file");
    check_refused(&[0; 8192], "this is no recorder file");
    check_refused(&real()[..4096], "the recorder's header is damaged: slots");
    let with = |at: usize, word: u64| {
        let mut bytes = real().to_vec();
        bytes[at * 8..at * 8 + 8].copy_from_slice(&word.to_ne_bytes());
        bytes
    };
    check_refused(&with(1, 9), "the recorder has layout 9, and this hangdog reads 1");
    check_refused(&with(3, 0), "the recorder is still being made");
    check_refused(&with(21, u64::MAX), "the recorder's header is damaged: slots");
    check_refused(&with(26, u64::MAX - 7), "the recorder's header is damaged: rings");
    check_refused(&with(27, 0), "the recorder's header is damaged: rings");
}

#[test]
fn only_regular_files_are_opened() {
    let shm = support::shm();
    let fifo = shm.path().join("fifo.flight");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(Reader::open(&fifo), Err(ReadError::NotARecorder)), "and did not wait for a writer");
    let link = shm.path().join("link.flight");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    assert!(matches!(Reader::open(&link), Err(ReadError::Io(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_never_panics(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 1..200)) {
        let mut bytes = real().to_vec();
        let words = bytes.len() / 8;
        for (at, word) in damage {
            let at = at.index(words) * 8;
            bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
        }
        let _any = read(&bytes);
    }

    #[test]
    fn a_damaged_header_never_panics(at in 1_usize..64, word in prop_oneof![any::<u64>(), 0_u64..1 << 20, any::<u64>().prop_map(|w| u64::MAX - w % 64)]) {
        let mut bytes = real().to_vec();
        bytes[at * 8..at * 8 + 8].copy_from_slice(&word.to_ne_bytes());
        let _any = read(&bytes);
    }

    #[test]
    fn damage_to_used_parts_never_panics(
        section in prop::sample::select(vec![16_usize, 18, 20, 22, 24, 26]),
        damage in prop::collection::vec((0_usize..2048, any::<u8>()), 1..64),
    ) {
        let mut bytes = real().to_vec();
        let start = u64::from_ne_bytes(bytes[section * 8..section * 8 + 8].try_into().unwrap()) as usize;
        for (at, byte) in damage {
            bytes[start + at] = byte;
        }
        let recording = read(&bytes);
        prop_assert!(recording.is_ok(), "the header is whole");
    }

    #[test]
    fn a_cut_file_never_panics(length in any::<prop::sample::Index>()) {
        let _any = read(&real()[..length.index(real().len())]);
    }

    #[test]
    fn random_bytes_behind_the_magic_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 4096..16384)) {
        bytes[..8].copy_from_slice(b"hangdog\0");
        bytes[8..16].copy_from_slice(&1_u64.to_ne_bytes());
        bytes[24..32].copy_from_slice(&1_u64.to_ne_bytes());
        let _any = read(&bytes);
    }
}
