//! The one outside: reads the recorder all the time, and what the kernel says of the program, and judges at the end.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use hangdog_flight::{Loss, Reader};

use crate::Outcome;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Parts of the time: before each, the slots are made to overflow.
const PARTS: u32 = 10;
/// Shorter than this, one is enough.
const SHORT: Duration = Duration::from_secs(10);
/// Memory of the program's own that may come and go, KiB. A bit for every hundred phases would be more than this within
/// minutes.
const COMES_AND_GOES: u64 = 1_024;

/// What is to be done.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) time: Duration,
    /// Phases a second.
    pub(crate) rate: u64,
}

/// Does it, prints what was seen, and fails when something is not as it should be.
pub(crate) fn run(order: Order) -> Outcome<()> {
    let place = tempfile::Builder::new().prefix("hangdog-soak-").tempdir_in("/dev/shm")?;
    let mut load = Load::start(order.rate, &place)?;
    let mut seen = Seen::new(Reader::open(&load.file)?);
    let loaded = Instant::now();
    // What is made on demand is made after the first overflow.
    load.overflow(|| Ok(()))?;
    let (begun, before) = (Instant::now(), load.size()?);
    println!("{:>7}  {before}", "before");
    let parts = if order.time < SHORT { 1 } else { PARTS };
    for part in 1..=parts {
        if part > 1 {
            load.overflow(|| seen.look())?;
        }
        let end = order.time * part / parts;
        while begun.elapsed() < end {
            seen.look()?;
            std::thread::sleep(LOOK.min(end.saturating_sub(begun.elapsed())));
        }
        println!("{:>5} s  {}", begun.elapsed().as_secs(), load.size()?);
    }
    let took = loaded.elapsed();
    let opened = load.tell("stop")?;
    seen.look()?;
    let after = load.size()?;
    println!("{:>7}  {after}", "after");
    seen.judge(&opened, took)?;
    before.judge(&after)
}

/// The traced program. Dropping it ends it.
struct Load {
    child: Child,
    input: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    file: PathBuf,
}

impl Load {
    fn start(rate: u64, place: &tempfile::TempDir) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["load", &rate.to_string()])
            .env("HANGDOG_RUN_DIR", place.path())
            .env("HANGDOG_HISTORY", "all")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take().ok_or("no output")?);
        let mut load = Self { child, input, lines: BufReader::new(output).lines(), file: PathBuf::new() };
        load.file = load.hear()?.into();
        Ok(load)
    }

    fn tell(&mut self, word: &str) -> Outcome<String> {
        writeln!(self.input.as_mut().ok_or("no input")?, "{word}")?;
        self.hear()
    }

    fn hear(&mut self) -> Outcome<String> {
        Ok(self.lines.next().ok_or("the program has ended")??)
    }

    /// More phases than there are slots, in the middle of all others; then none of them.
    fn overflow(&mut self, meanwhile: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
        self.tell("overflow")?;
        meanwhile()?;
        self.tell("release")?;
        Ok(())
    }

    /// How large the program is.
    fn size(&self) -> Outcome<Size> {
        let pid = self.child.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = |key: &str| -> Outcome<u64> {
            let line =
                status.lines().find_map(|line| line.strip_prefix(key)).ok_or("the kernel says less than it did")?;
            Ok(line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?)
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let mut times = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11);
        let mut ticks = || times.next().and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or_default();
        Ok(Size {
            own_kib: line("RssAnon")?,
            blocks: fs::metadata(&self.file)?.blocks(),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            threads: line("Threads")?,
            cpu_ticks: ticks() + ticks(),
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.input = None;
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

struct Size {
    /// Memory of its own: the heap and the stacks.
    own_kib: u64,
    /// Of the recorder's file, 512 bytes each.
    blocks: u64,
    descriptors: usize,
    threads: u64,
    cpu_ticks: u64,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { own_kib, blocks, descriptors, threads, cpu_ticks } = self;
        let kib = blocks / 2;
        write!(
            f,
            "own memory {own_kib:>6} KiB, recorder {kib:>6} KiB, {descriptors} descriptors, {threads} threads, \
             {:>6}.{:02} s of processor",
            cpu_ticks / 100,
            cpu_ticks % 100
        )
    }
}

impl Size {
    fn judge(&self, after: &Self) -> Outcome<()> {
        let same = |what: &str, before: u64, after: u64| {
            if before == after { Ok(()) } else { Err(format!("{what}: {before} before, {after} after")) }
        };
        same("blocks of the recorder's file", self.blocks, after.blocks)?;
        same("descriptors", self.descriptors as u64, after.descriptors as u64)?;
        let grown = after.own_kib.saturating_sub(self.own_kib);
        if grown > COMES_AND_GOES {
            return Err(format!("the program grew by {grown} KiB").into());
        }
        Ok(())
    }
}

/// What the reader saw so far.
struct Seen {
    reader: Reader,
    looks: u32,
    /// Time of all looks together.
    looking: Duration,
    events: u64,
    overwritten: u64,
    open: u64,
    most_open: u64,
    torn: u64,
    losses: Vec<(Loss, u64)>,
}

impl Seen {
    fn new(reader: Reader) -> Self {
        Self {
            reader,
            looks: 0,
            looking: Duration::ZERO,
            events: 0,
            overwritten: 0,
            open: 0,
            most_open: 0,
            torn: 0,
            losses: Vec::new(),
        }
    }

    fn look(&mut self) -> Outcome<()> {
        let begun = Instant::now();
        let recording = self.reader.read()?;
        self.looking += begun.elapsed();
        self.looks += 1;
        self.events += recording.events.len() as u64;
        self.overwritten += recording.overwritten;
        self.open = recording.open.len() as u64;
        self.most_open = self.most_open.max(self.open);
        self.torn += u64::from(recording.torn);
        self.losses = recording.losses;
        Ok(())
    }

    fn lost(&self, which: Loss) -> u64 {
        self.losses.iter().find_map(|(loss, count)| (*loss == which).then_some(*count)).unwrap_or_default()
    }

    /// Every phase that was opened was either dropped, for want of a slot, or has two events: its begin and its end.
    fn judge(&self, told: &str, took: Duration) -> Outcome<()> {
        println!("opened: {told}");
        let counts = told.split(", ").filter_map(|part| part.rsplit(' ').next()?.parse::<u64>().ok());
        let opened: u64 = counts.sum();
        let dropped = self.lost(Loss::Slot);
        let in_history = self.events + self.overwritten;
        println!(
            "{opened} phases, {} a second; at most {} open at once; {dropped} dropped; {in_history} events, {} of them overwritten \
             before they were read; {} looks of {} us each, {} slots and cells torn",
            u128::from(opened) * 1_000 / took.as_millis().max(1),
            self.most_open,
            self.overwritten,
            self.looks,
            self.looking.as_micros() / u128::from(self.looks.max(1)),
            self.torn,
        );
        if let Some((loss, count)) = self.losses.iter().find(|(loss, _)| *loss != Loss::Slot) {
            return Err(format!("{count} losses of kind {loss:?}").into());
        }
        if dropped == 0 {
            return Err("the slots never overflowed".into());
        }
        if self.open != 0 {
            return Err(format!("{} phases are open after the end", self.open).into());
        }
        if in_history != 2 * (opened - dropped) {
            return Err(
                format!("{opened} opened, {dropped} dropped, and yet {in_history} events in the history").into()
            );
        }
        Ok(())
    }
}
