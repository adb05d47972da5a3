//! What a replay of a large capture costs: one command, one table.
//!
//! ```text
//! $ cargo bench -p hangdog-tui                       1,000,000 phase records, 100,000 kernel events, 12,000 lanes
//! $ cargo bench -p hangdog-tui -- 10000000           ten times as many
//! $ cargo bench -p hangdog-tui -- FILE.hang          a capture that was recorded; `many.py` makes a large one
//! ```
//!
//! All times are those on a processor. The capture is made in one process and looked at in another one, so that the
//! memory of the first does not count.

mod capture;

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use hangdog_schemas::file::Reader;
use hangdog_timeline::Timeline;
use hangdog_tui::{Options, Rehearsal};

use capture::Size;

const SCREEN: (u16, u16) = (160, 50);

/// Keys that are pressed, each a measured frame: all views, scrubbing, zooming, unfolding, filters, search, waits.
const KEYS: &str = "tlhLsjjpdmSfeGgvtOjj<C-d><C-d><C-d>++<Right><Right><Left>BB))((b]][[}{..,,z-O\
                    &pool-7<Enter>jj<Esc>&step 12<Enter>jjj<Esc>e&worker-3<Enter>jj<C-d>G<Esc>ajjj<C-d>wwWG\
                    t/pool-5<Enter>nnNs/pool-9<Enter>nn!P0$u<C-r>t<C-d>G<C-u>Mcc'*gs<Enter><Esc>?<Esc>:snap<Esc>";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--write", records, file] => write(records, Path::new(file)),
        ["--measure", file, text] => measure(Path::new(file), text.parse().unwrap_or(0)),
        [] => table("1000000"),
        [file] if Path::new(file).exists() => recorded(Path::new(file)),
        [records] => table(records),
        _ => Err("cargo bench -p hangdog-tui [-- RECORDS | FILE.hang]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn table(records: &str) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("large.hang");
    let own = std::env::current_exe()?;
    let text = Command::new(&own).args(["--write", records]).arg(&file).output()?;
    let text = String::from_utf8(text.stdout)?;
    run(Command::new(own).arg("--measure").arg(&file).arg(text.trim()))
}

fn recorded(file: &Path) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(File::open(file)?)?;
    let text = reader.index()?.map_or(0, |index| index.frames.iter().map(|frame| frame.text).sum::<u64>());
    run(Command::new(std::env::current_exe()?).arg("--measure").arg(file).arg(text.to_string()))
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    if command.status()?.success() { Ok(()) } else { Err("the measurement failed".into()) }
}

fn write(records: &str, file: &Path) -> Result<(), Box<dyn Error>> {
    let phase_records = records.parse()?;
    let (bytes, text) = capture::file(Size { phase_records, kernel_events: phase_records / 10 });
    std::fs::write(file, bytes)?;
    println!("{text}");
    Ok(())
}

fn measure(file: &Path, text: u64) -> Result<(), Box<dyn Error>> {
    first_screen(file)?;
    let begin = Clock::start();
    let reader = Reader::with_limits(BufReader::with_capacity(1 << 20, File::open(file)?), hangdog_tui::LIMITS)?;
    let timeline = Timeline::from_capture(reader)?;
    let read = begin.elapsed();
    let phases = timeline.phases().len();
    let events = timeline.kernel_events().len();
    let mut rehearsal = Rehearsal::new(timeline, None, SCREEN, Options::default());
    rehearsal.draw();
    let first = begin.elapsed();
    row("phases, kernel events, lanes", &format!("{phases}, {events}, {}", rehearsal.lanes()), "");
    row("text of the capture", &mib(text), "");
    row("reading all of it", &ms(read), "in the background");
    row("lanes, events, first frame", &ms(first.saturating_sub(read)), "in the background");
    let memory = memory("VmHWM");
    let times = if text == 0 { String::new() } else { format!("{:.1} times the text", memory as f64 / text as f64) };
    row("memory at most", &mib(memory), &format!("{times}; target 3 times, 1 GiB"));
    keys(&mut rehearsal)?;
    row("memory at most, in the end", &mib(self::memory("VmHWM")), "");
    Ok(())
}

fn keys(rehearsal: &mut Rehearsal) -> Result<(), Box<dyn Error>> {
    let mut frames: Vec<(Duration, String)> = Vec::new();
    for round in 0..3 {
        let mut rest = KEYS;
        while !rest.is_empty() {
            let end = if rest.starts_with('<') { rest.find('>').map_or(1, |end| end + 1) } else { 1 };
            let (key, after) = rest.split_at(end);
            let begin = Clock::start();
            rehearsal.press(key)?;
            rehearsal.draw();
            frames.push((begin.elapsed(), format!("{key} of …{} (round {round})", &rest[..rest.len().min(12)])));
            rest = after;
        }
        rehearsal.rest();
    }
    frames.sort();
    let at = |share: usize| frames[(frames.len() * share / 100).min(frames.len() - 1)].0;
    row("key to frame, median", &ms(at(50)), "");
    row("key to frame, p99", &ms(at(99)), "target 16 ms");
    for (took, key) in frames.iter().rev().take(8) {
        row("  slow", &ms(*took), key);
    }
    Ok(())
}

fn row(what: &str, figure: &str, more: &str) {
    println!("{what:<32} {figure:>24}  {more}");
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / 1_048_576.0)
}

/// What stands on the screen before all is read: of a large capture its last stretch.
fn first_screen(file: &Path) -> Result<(), Box<dyn Error>> {
    let begin = Clock::start();
    let Some((timeline, report)) = hangdog_tui::first_part(file)? else {
        row("first screen", "with all of it", "small enough to be read at once");
        return Ok(());
    };
    let mut rehearsal = Rehearsal::new(timeline, Some(report), SCREEN, Options::default());
    rehearsal.draw();
    row("first screen, a part", &ms(begin.elapsed()), "target 1,000 ms");
    Ok(())
}

/// Time on a processor: on a machine that does other things too, that is what we take.
#[derive(Clone, Copy)]
struct Clock(Duration);

impl Clock {
    fn start() -> Self {
        Self(Self::now())
    }

    fn elapsed(self) -> Duration {
        Self::now().saturating_sub(self.0)
    }

    /// How long this thread was on a processor.
    fn now() -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// A line of `/proc/self/status`, in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
