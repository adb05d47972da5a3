//! A reader survives any bytes. Run it with
//!
//! ```text
//! cd flight && RUSTC_BOOTSTRAP=1 cargo fuzz run reader -- -max_total_time=600 -timeout=5 -rss_limit_mb=1024 -detect_leaks=0
//! ```
//!
//! Each input is a list of damages to real recorder files, which this program writes at its start: words of the
//! header, of slots, names, threads, rings and resources become others, such as words of other places of the same
//! file, neighbours of what was there, or the extremes. Between two looks of the same reader comes more damage.
//! Nothing may panic, hang or be longer than the file can pay for.
#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use hangdog_flight::{
    ClockSource, History, MAX_VALUE, Opening, Options, Outcome, Place, Primitive, Reader, Recorder, Recording, Role, Site, SiteNumber,
    Size, Value, begin, begin_here, close, enter, field, note, outcome, resource,
};
use libfuzzer_sys::fuzz_target;

/// Small, so that thousands are read a second.
const SIZE: Size = Size { slots: 128, names: 64, text: 4096, threads: 2, events: 64, resources: 64 };
const WORD: usize = 8;
/// Words of the header that say where a section begins.
const SECTIONS: [usize; 7] = [16, 18, 20, 22, 24, 26, 28];

#[derive(Arbitrary, Debug)]
struct Input {
    seed: u8,
    first: Vec<Damage>,
    second: Vec<Damage>,
    /// The file ends here; most do not.
    cut: Option<u16>,
}

#[derive(Arbitrary, Debug)]
struct Damage {
    at: At,
    word: Word,
}

#[derive(Arbitrary, Debug)]
enum At {
    Header(u8),
    /// Which section, then which word of it.
    Section(u8, u16),
    Anywhere(u16),
}

#[derive(Arbitrary, Debug)]
enum Word {
    Any(u64),
    Small(u8),
    FromTheEnd(u8),
    /// What was there, a little more or less.
    Near(i8),
    /// One bit of what was there.
    Bit(u8),
    /// A byte of it.
    Byte(u8, u8),
    /// What stands elsewhere in the file.
    As(u16),
}

fuzz_target!(|input: Input| {
    let seeds = seeds();
    let mut bytes = seeds[usize::from(input.seed) % seeds.len()].clone();
    apply(&mut bytes, &input.first);
    let file = file(&bytes, input.cut);
    let Ok(mut reader) = Reader::from_file(file.try_clone().unwrap()) else { return };
    check(reader.read().ok(), bytes.len());
    apply(&mut bytes, &input.second);
    file.write_all_at(&bytes, 0).unwrap();
    check(reader.read().ok(), bytes.len());
    check(reader.read().ok(), bytes.len());
});

fn apply(bytes: &mut [u8], damages: &[Damage]) {
    let words = bytes.len() / WORD;
    let get = |bytes: &[u8], at: usize| {
        let at = at % words * WORD;
        u64::from_ne_bytes(bytes[at..at + WORD].try_into().unwrap())
    };
    for damage in damages.iter().take(64) {
        let at = match damage.at {
            At::Header(at) => usize::from(at),
            At::Section(section, at) => {
                let section = SECTIONS[usize::from(section) % SECTIONS.len()];
                (get(bytes, section) as usize / WORD).wrapping_add(usize::from(at))
            }
            At::Anywhere(at) => usize::from(at),
        } % words;
        let before = get(bytes, at);
        let word = match damage.word {
            Word::Any(word) => word,
            Word::Small(word) => u64::from(word),
            Word::FromTheEnd(less) => u64::MAX - u64::from(less),
            Word::Near(apart) => before.wrapping_add_signed(i64::from(apart)),
            Word::Bit(bit) => before ^ 1 << (bit % 64),
            Word::Byte(byte, value) => {
                let shift = u32::from(byte % 8) * 8;
                before & !(0xff << shift) | u64::from(value) << shift
            }
            Word::As(other) => get(bytes, usize::from(other)),
        };
        bytes[at * WORD..(at + 1) * WORD].copy_from_slice(&word.to_ne_bytes());
    }
}

fn file(bytes: &[u8], cut: Option<u16>) -> File {
    let file: File = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into();
    let length = cut.map_or(bytes.len(), |cut| usize::from(cut) % (bytes.len() + 1));
    file.write_all_at(&bytes[..length], 0).unwrap();
    file
}

/// Nothing is longer, and there is no more of it, than the file can pay for.
fn check(recording: Option<Recording>, bytes: usize) {
    let Some(recording) = recording else { return };
    // Bytes that are no UTF-8 become three each.
    let short = |text: &str| assert!(text.len() <= 3 * MAX_VALUE + 32, "{} bytes", text.len());
    assert!(recording.open.len() <= bytes / 64 && recording.events.len() <= bytes / 32);
    assert!(recording.threads.len() <= bytes / 64);
    for phase in &recording.open {
        short(&phase.name);
        assert!(phase.fields.len() <= 100);
        phase.fields.iter().for_each(|(key, value)| [key, value].into_iter().for_each(|text| short(text)));
        let hang = &phase.hang;
        let texts = [&hang.wait, &hang.hold, &hang.serve, &hang.op, &hang.entity, &hang.link];
        texts.into_iter().flatten().for_each(|text| short(text));
    }
    for event in &recording.events {
        use hangdog_flight::EventKind::{Close, Note, Open, Wait};
        match &event.kind {
            Open { name, .. } | Close { name, .. } => short(name),
            Wait { resource } => short(resource),
            Note { key, text } => [key, text].into_iter().for_each(|text| short(text)),
            _ => {}
        }
    }
    recording.threads.iter().for_each(|thread| short(&thread.name));
}

/// Real files: one of each clock, all with something of everything in them.
fn seeds() -> &'static [Vec<u8>] {
    static SEEDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let clocks = [ClockSource::Coarse, ClockSource::Tsc, ClockSource::Tick];
        clocks.into_iter().map(|clock| seed(Options { size: Some(SIZE), clock, history: History::All })).collect()
    })
}

fn seed(options: Options) -> Vec<u8> {
    static NUMBERS: [SiteNumber; 3] = [const { SiteNumber::new() }; 3];
    static WORK: Site = Site::new("work", &["n", "short", "long", "hang.wait"], &NUMBERS[0]);
    static WAITS: Site = Site::new("waits", &[], &NUMBERS[1]);
    static HERE: Site = Site::new("here", &["text"], &NUMBERS[2]);
    let recorder = Recorder::start(&Place::Memfd, options).unwrap();
    recorder.with(|| {
        let lock = resource(Primitive::Mutex, "jobs").unwrap();
        let mail = resource(Primitive::Channel, "jobs").unwrap();
        assert!(lock.taken(0).is_some());
        for n in 0..12 {
            let mut opening = begin(&WORK).unwrap();
            opening.value(0, Value::U64(n));
            opening.value(1, Value::Text("short"));
            opening.value(2, Value::Text("a text that needs a second slot"));
            opening.value(3, Value::Text("path:/mnt/x"));
            let phase = opening.publish();
            enter(phase, || n);
            field(phase, "later", Value::Text("and a text that needs more than one second slot, or so it seems"));
            let mut opening: Opening = begin(&WAITS).unwrap();
            if n % 2 == 0 {
                opening.resource(Role::Wait, lock);
            } else {
                opening.resource(Role::WaitItem, mail);
            }
            let waits = opening.publish();
            if n % 3 == 0 {
                outcome(waits, Outcome::Failed);
                close(phase);
                close(waits);
            }
            note(None, "n", "a note that needs a second cell");
        }
        let mut opening = begin_here(&HERE).unwrap();
        opening.value(0, Value::Text("sixteen bytes ok"));
        let _here = opening.enter();
        let length = recorder.file().unwrap().metadata().unwrap().len() as usize;
        let mut bytes = vec![0; length];
        recorder.file().unwrap().read_exact_at(&mut bytes, 0).unwrap();
        bytes
    })
}
