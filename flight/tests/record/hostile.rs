//! A reader survives any bytes: its file belongs to somebody else.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

use hangdog_flight::{
    MAX_VALUE, Primitive, ReadError, Reader, Recording, Role, Size, Value, begin, begin_here, close, enter, exit,
    note, resource, set_task,
};
use proptest::prelude::*;

use super::support::{recorder, shm, site};

/// A real file with something of everything in it.
fn real() -> &'static [u8] {
    static REAL: OnceLock<Vec<u8>> = OnceLock::new();
    REAL.get_or_init(|| {
        let recorder = recorder(Size::LEAST);
        let bytes = recorder.with(|| {
            let lock = resource(Primitive::Mutex, "jobs").unwrap();
            assert!(lock.taken(0).is_some());
            for n in 0..20 {
                let mut opening = begin(site!("work", "n", "short", "long", "hang.wait")).unwrap();
                opening.value(0, Value::U64(n));
                opening.value(1, Value::Text("short"));
                opening.value(2, Value::Text("a text that needs the second slot"));
                opening.value(3, Value::Text("path:/mnt/x"));
                let phase = opening.publish();
                set_task(n);
                enter(phase, || 0);
                let mut opening = begin(site!("waits")).unwrap();
                opening.resource(Role::Wait, lock);
                let waits = opening.publish();
                if n % 3 == 0 {
                    exit(phase);
                    close(phase);
                    close(waits);
                }
                note(None, "n", "a note that needs a second cell");
            }
            let _here = begin_here(site!("here")).unwrap().enter();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut recorder.file().unwrap(), &mut bytes).unwrap();
            bytes
        });
        assert_eq!(read(&bytes).unwrap().torn, 0);
        bytes
    })
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile_in("/dev/shm").unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn read(bytes: &[u8]) -> Result<Recording, ReadError> {
    let mut reader = Reader::from_file(file(bytes))?;
    let first = reader.read();
    // A second look starts from cursors that the first one took from the file.
    let _again = reader.read();
    if let Ok(recording) = &first {
        check_bounds(recording, bytes.len());
    }
    first
}

/// Nothing in a recording is longer, and there is no more of it, than the file can pay for.
fn check_bounds(recording: &Recording, bytes: usize) {
    // Bytes that are no UTF-8 become three each.
    let short = |text: &str| assert!(text.len() <= 3 * MAX_VALUE + 32, "{} bytes", text.len());
    assert!(recording.open.len() + recording.events.len() <= bytes / 32);
    for phase in &recording.open {
        short(&phase.name);
        assert!(phase.fields.len() <= 100);
        for (key, value) in &phase.fields {
            short(key);
            short(value);
        }
        let hang = &phase.hang;
        for text in [&hang.wait, &hang.hold, &hang.serve, &hang.op, &hang.entity, &hang.link].into_iter().flatten() {
            short(text);
        }
    }
    recording.threads.iter().for_each(|thread| short(&thread.name));
}

#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    assert_eq!(read(bytes).unwrap_err().to_string(), expected);
}

fn with(at: usize, word: u64) -> Vec<u8> {
    let mut bytes = real().to_vec();
    bytes[at * 8..at * 8 + 8].copy_from_slice(&word.to_ne_bytes());
    bytes
}

#[test]
fn what_is_no_recorder_is_refused_with_a_reason() {
    check_refused(b"", "the recorder is still being made");
    check_refused(b"hangdog\0", "this is no recorder file");
    check_refused(&[0; 8192], "this is no recorder file");
    check_refused(&real()[..4096], "the recorder's header is damaged: slots");
    check_refused(&with(1, 9), "the recorder has layout 9, and this hangdog reads 1");
    check_refused(&with(3, 0), "the recorder is still being made");
    check_refused(&with(21, u64::MAX), "the recorder's header is damaged: slots");
    check_refused(&with(23, 1 << 40), "the recorder's header is damaged: stacks");
    check_refused(&with(25, 1 << 20), "the recorder's header is damaged: threads");
    check_refused(&with(26, u64::MAX - 7), "the recorder's header is damaged: rings");
    check_refused(&with(27, 0), "the recorder's header is damaged: rings");
    check_refused(&with(29, 1 << 40), "the recorder's header is damaged: resources");
}

#[test]
fn only_regular_files_are_opened() {
    let shm = shm();
    let fifo = shm.path().join("fifo.flight");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(Reader::open(&fifo), Err(ReadError::NotARecorder)), "and did not wait for a writer");
    let link = shm.path().join("link.flight");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    assert!(matches!(Reader::open(&link), Err(ReadError::Io(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

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
    fn a_damaged_header_never_panics(
        damage in prop::collection::vec(
            (1_usize..130, prop_oneof![any::<u64>(), 0_u64..1 << 20, any::<u64>().prop_map(|w| u64::MAX - w % 64)]),
            1..4,
        ),
    ) {
        let mut bytes = real().to_vec();
        for (at, word) in damage {
            bytes[at * 8..at * 8 + 8].copy_from_slice(&word.to_ne_bytes());
        }
        let _any = read(&bytes);
    }

    #[test]
    fn damage_to_used_parts_never_panics(
        section in prop::sample::select(vec![16_usize, 18, 20, 22, 24, 26, 28]),
        damage in prop::collection::vec((0_usize..4096, any::<u8>()), 1..64),
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
