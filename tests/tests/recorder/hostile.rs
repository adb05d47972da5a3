//! Others of the same user who write to the recorder's file while the program records: it neither crashes nor stops.
//!
//! Nobody can be kept from shortening a file on a tmpfs that is his own; a program whose file is shortened gets SIGBUS with
//! its next phase, as with any mapped file. A memfd is sealed: it cannot be shortened. Both are shown here.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;

use hangdog_flight::Reader;
use nix::sys::signal::Signal;
use rustix::fs::SeekFrom;

use crate::limits::in_place;
use crate::traced::Traced;
use crate::work::check_works;

/// All kinds of threads: phases that nest and that do not, spans, futures, phases that end on other threads, threads that
/// come and go.
const LINE: &[&str] = &["phases-at-work", "nested", "crossed", "spans", "future", "handed-over", "short-threads"];
/// Rounds of writes here and there; after each the program is asked whether it still works.
const ROUNDS: usize = 5;
const WRITES: usize = 20_000;
const PAGE: u64 = 4096;
const WORD: u64 = 8;

/// Numbers that depend on the seed alone (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// The next word to write.
type Word = fn(&mut Numbers) -> u64;

/// What is written: noise, and words that a careless writer would trust most.
const PATTERNS: &[(&str, Word)] = &[
    ("noise", Numbers::next),
    ("zeros", |_| 0),
    ("ones", |_| u64::MAX),
    ("small numbers", |numbers| numbers.next() % 4096),
    ("numbers of slots", |numbers| (numbers.next() % (1 << 19)) | 1),
    ("words that look open", |numbers| (numbers.next() & !7) | 1),
];

/// The pages of a file that have memory.
fn pages(file: &File) -> Vec<u64> {
    let (mut pages, mut at) = (Vec::new(), 0);
    while let Ok(data) = rustix::fs::seek(file, SeekFrom::Data(at)) {
        at = rustix::fs::seek(file, SeekFrom::Hole(data)).expect("behind all data there is a hole");
        pages.extend((data..at).step_by(PAGE as usize));
    }
    pages
}

pub(crate) fn scribbled_over() {
    for (pattern, word) in PATTERNS {
        let mut traced = Traced::start(LINE);
        let file = File::options().write(true).read(true).open(traced.file()).expect("our own file");
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let mut write = |at: u64, words: u64| {
            let bytes: Vec<u8> = (0..words).flat_map(|_| word(&mut numbers).to_ne_bytes()).collect();
            file.write_all_at(&bytes, at).expect("our own file");
        };
        // Once from the beginning to the end, then here and there.
        for page in pages(&file) {
            write(page, PAGE / WORD);
        }
        let mut places = Numbers(0x2545_f491_4f6c_dd1d);
        for _ in 0..ROUNDS {
            let pages = pages(&file);
            for _ in 0..WRITES {
                let words = 1 + places.next() % 64;
                let page = pages[places.next() as usize % pages.len()];
                write(page + places.next() % (PAGE / WORD + 1 - words) * WORD, words);
            }
            check_works(&mut traced);
        }
        // Readers say what they think of it, and go on as well.
        let _whatever_it_is = Reader::open(traced.file()).and_then(|mut reader| reader.read());
        assert!(traced.end().success(), "{pattern}");
    }
}

pub(crate) fn shortened() {
    let mut traced = Traced::start(LINE);
    let file = File::options().write(true).open(traced.file()).expect("our own file");
    // Once is not enough: a thread that asks for memory at that moment makes the file longer again.
    let end = traced.ended_under(|| file.set_len(4096).expect("our own file"));
    assert_eq!(end.signal(), Some(Signal::SIGBUS as i32));
}

pub(crate) fn a_memfd_cannot_be_shortened() {
    let mut traced = in_place("with-read-only-shm", |command, _| {
        command.env_remove("HANGDOG_RUN_DIR");
    });
    let fds = std::fs::read_dir(format!("/proc/{}/fd", traced.pid())).expect("a live process");
    let memfd = fds
        .flatten()
        .map(|entry| entry.path())
        .find(|fd| std::fs::read_link(fd).is_ok_and(|link| link.to_string_lossy().contains(hangdog_flight::MEMFD)))
        .expect("a memfd");
    let refused =
        File::options().write(true).open(memfd).and_then(|file| file.set_len(4096)).expect_err("it is sealed");
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    check_works(&mut traced);
    assert!(traced.end().success());
}
