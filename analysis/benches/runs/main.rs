//! What it takes to compare runs: fifty captures of 100,000 records each, read one after the other as `hangdog diff` does.
//!
//! ```text
//! $ cargo bench -p hangdog-analysis --bench runs
//! $ cargo bench -p hangdog-analysis --bench runs -- --part 10    captures of a tenth of that
//!
//!   made ──▶ 50 captures ──▶ a process of its own: capture ──▶ timeline ──▶ sketch … ──▶ compare ──▶ row
//! ```
//!
//! A fifth of the records are system calls with names, a fifth their ends, the rest phases of many threads. One run in
//! five fails, by a race over one of some thousand files.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "it measures; the crate itself does none of this"
)]

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use hangdog_analysis::{Compared, Sketch, compare};
use hangdog_schemas::file::{Reader, Writer};
use hangdog_schemas::record::{
    Call, Doer, ExitStatus, KernelDeed, KernelEvent, PhaseClose, PhaseMeaning, PhaseOpen, RunEnd,
};
use hangdog_schemas::{Big, PhaseId, Pid, Record, RunNs, Tid, When, sample};
use hangdog_timeline::Timeline;

const RUNS: usize = 50;
const RECORDS: usize = 100_000;
const FILES: usize = 4_000;
const WORKERS: usize = 40;
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => table(1),
        ["--part", part] => part.parse().map_err(io::Error::other).and_then(table),
        ["--compare", directory] => compared(Path::new(directory)),
        _ => Err(io::Error::other("cargo bench -p hangdog-analysis --bench runs [-- --part N]")),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn table(part: usize) -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let records = RECORDS / part.max(1);
    for run in 0..RUNS {
        write(&directory.path().join(format!("{run:02}.hang")), run, records)?;
    }
    let (mut took, mut peak, mut said) = (f64::MAX, f64::MAX, String::new());
    for _ in 0..ROUNDS {
        let output = Command::new(std::env::current_exe()?).arg("--compare").arg(directory.path()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = text.splitn(3, ' ');
        let mut number = || words.next().and_then(|word| word.parse::<f64>().ok());
        let (Some(own), Some(memory)) = (number(), number()) else {
            return Err(io::Error::other(format!("{text}{}", String::from_utf8_lossy(&output.stderr))));
        };
        (took, peak) = (took.min(own), peak.min(memory));
        words.next().unwrap_or_default().trim().clone_into(&mut said);
    }
    println!("{RUNS} runs of {records} records; it says: {said}");
    println!("| what | is | target |");
    println!("| --- | --- | --- |");
    println!("| time on a processor | {:.1} s | ≤ 10 s |", took / 1e3);
    println!("| memory at most | {peak:.0} MiB | ≤ 1024 MiB |");
    Ok(())
}

/// Prints ms, MiB, and the first sentence.
fn compared(directory: &Path) -> io::Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let began = processor()?;
    let sketches = files.iter().map(|file| -> io::Result<Sketch> {
        let reader = Reader::open(BufReader::new(File::open(file)?)).map_err(io::Error::other)?;
        Ok(Sketch::of(&Timeline::from_capture(reader).map_err(io::Error::other)?))
    });
    let sketches = sketches.collect::<io::Result<Vec<Sketch>>>()?;
    let Compared { verdict, .. } = compare(&sketches);
    let took = processor()? - began;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)?;
    let sentence = verdict.map(|verdict| verdict.sentence).unwrap_or_default();
    if !sentence.contains("shared.json") {
        return Err(io::Error::other(format!("the race was not found: {sentence}")));
    }
    println!("{took} {} {sentence}", kib / 1024.0);
    Ok(())
}

/// Time on a processor so far, ms: what else the machine does is left out.
fn processor() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let ns: f64 = text.split(' ').next().unwrap_or_default().parse().map_err(io::Error::other)?;
    Ok(ns / 1e6)
}

/// Writes one run.
fn write(file: &Path, run: usize, records: usize) -> io::Result<()> {
    let mut writer = Writer::new(BufWriter::new(File::create(file)?)).map_err(io::Error::other)?;
    let mut put = |record: Record| writer.write(&record).map_err(io::Error::other);
    let mut header = sample::header();
    header.run = format!("run {run}");
    header.anchor.monotonic = Big(run as u64 * 1_000_000_000_000);
    put(Record::Run(Box::new(header)))?;
    let fails = run % 5 == 4;
    let step = |n: usize| When::exactly(RunNs(n as u64 * 20_000));
    for n in 0..records / 10 {
        let at = n * 10;
        // Runs differ in their order, as those of a busy machine do.
        let worker = (n * 7 + run * n % 3) % WORKERS;
        for k in 0..2 {
            let path = format!("/work/tree/dir-{}/file-{}", n % 50, (n * 2 + k) % FILES);
            let name = if n % 3 == 0 { "newfstatat" } else { "openat" };
            call(&mut put, step(at + k), worker, (name, &["O_RDONLY"]), path)?;
        }
        for k in 0..3 {
            phase(&mut put, (step(at + 2 + k), step(at + 5 + k)), worker, n * 3 + k)?;
        }
    }
    let at = records;
    let shared = || "/work/shared.json".to_owned();
    call(&mut put, step(at), 0, ("openat", &["O_RDONLY"]), shared())?;
    if fails {
        call(&mut put, step(at + 10), 1, ("openat", &["O_WRONLY", "O_TRUNC"]), shared())?;
    }
    call(&mut put, step(at + 20), 0, ("openat", &["O_WRONLY", "O_TRUNC"]), shared())?;
    let how = Some(ExitStatus::Code(i32::from(fails)));
    put(Record::RunEnd(RunEnd { when: step(at + 30), how, ended_by_hangdog: false, cpu_ns: 0, own_cpu_ns: 0 }))?;
    writer.finish().map_err(io::Error::other)?;
    Ok(())
}

/// Two records.
fn call(
    put: &mut impl FnMut(Record) -> io::Result<()>,
    when: When,
    worker: usize,
    (name, flags): (&str, &[&str]),
    path: String,
) -> io::Result<()> {
    let pid = 5_000 + worker as u32;
    put(Record::Call(Box::new(Call {
        when,
        pid: Pid(pid),
        tid: Tid(pid),
        parent: Pid(4_390),
        inner: None,
        comm: format!("worker{}", worker % 4),
        name: name.to_owned(),
        number: 257,
        paths: vec![path],
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        address: None,
        fd: None,
        request: None,
        held_ns: 0,
    })))?;
    put(Record::KernelEvent(KernelEvent {
        when: When::exactly(RunNs(when.t.0 + 1_000)),
        tid: Tid(pid),
        by: Doer::Thread,
        what: KernelDeed::SyscallEnd { number: 257, name: name.to_owned(), result: 3 },
    }))
}

/// Two records.
fn phase(
    put: &mut impl FnMut(Record) -> io::Result<()>,
    (open, close): (When, When),
    worker: usize,
    n: usize,
) -> io::Result<()> {
    let pid = 5_000 + worker as u32;
    let id = PhaseId { process: sample::process(pid), phase: Big(n as u64) };
    let hang =
        PhaseMeaning { op: n.is_multiple_of(100).then(|| format!("item {}", n % 3_000)), ..PhaseMeaning::default() };
    put(Record::PhaseOpen(Box::new(PhaseOpen {
        when: open,
        id,
        parent: None,
        tid: Some(Tid(pid)),
        task: None,
        name: format!("step {}", n % 20),
        fields: Vec::new(),
        hang,
    })))?;
    put(Record::PhaseClose(PhaseClose { when: close, id, outcome: Some("ok".to_owned()) }))
}
