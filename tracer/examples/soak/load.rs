//! The traced program: threads that open and close phases of every kind, at a given rate, and count them.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hangdog_tracer::{InPhaseExt as _, Phase, Status, open_phase, phase, status};
use tracing_subscriber::prelude::*;

use crate::Outcome;

/// Phases of one batch: between two of them a thread sleeps until the next one is due.
const BATCH: u64 = 1_000;
/// More than a recorder has slots for.
const TOO_MANY: u64 = 300_000;
/// Threads that live for a few phases, a second.
const SHORT_A_SECOND: u64 = 100;

static STOP: AtomicBool = AtomicBool::new(false);

/// Does what it is told on standard input.
pub(crate) fn run(rate: u64) -> Outcome<()> {
    tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
    let Status::Recording { file: Some(file), .. } = status() else { return Err(status().to_string().into()) };
    // The places of threads that have ended are kept for a while: from here on there are enough of them.
    for _ in 0..32 {
        short_thread();
    }
    let mut short = 32 * 3;
    let a_kind = rate / 5;
    let workers = [
        worker("nested", a_kind, nested),
        worker("crossed", a_kind, crossed),
        worker("handed over", a_kind, HandOver::new().batch()),
        worker("spans", a_kind, spans),
        worker("futures", a_kind, futures),
        worker("short threads", SHORT_A_SECOND * 3, short_thread),
    ];
    let mut hoard: Vec<Phase> = Vec::with_capacity(usize::try_from(TOO_MANY)?);
    let mut hoarded = 0;
    say(&file.display().to_string())?;
    for line in io::stdin().lines() {
        match line?.as_str() {
            "overflow" => {
                hoard.extend((0..TOO_MANY).map(|n| open_phase!("hoarded", n = n)));
                hoarded += TOO_MANY;
                say("too many")?;
            }
            "release" => {
                hoard.clear();
                say("released")?;
            }
            "stop" => break,
            other => return Err(format!("there is no command {other:?}").into()),
        }
    }
    hoard.clear();
    STOP.store(true, Ordering::Relaxed);
    let mut opened = vec![format!("hoarded {hoarded}")];
    for Worker { kind, thread } in workers {
        let mut count = thread.join().map_err(|_| format!("the thread of {kind} panicked"))?;
        if kind == "short threads" {
            count += std::mem::take(&mut short);
        }
        opened.push(format!("{kind} {count}"));
    }
    say(&opened.join(", "))?;
    // Looked at until the input ends.
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

struct Worker {
    kind: &'static str,
    /// How many phases it opened.
    thread: JoinHandle<u64>,
}

/// A thread that opens `rate` phases a second, as `batch` does; that says how many it opened.
fn worker(kind: &'static str, rate: u64, mut batch: impl FnMut() -> u64 + Send + 'static) -> Worker {
    let work = move || {
        let (begun, mut opened) = (Instant::now(), 0);
        while !STOP.load(Ordering::Relaxed) {
            opened += batch();
            let due = Duration::from_nanos(opened.saturating_mul(1_000_000_000) / rate.max(1));
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        opened
    };
    let thread = std::thread::Builder::new().name(kind.to_owned()).spawn(work);
    Worker { kind, thread: thread.expect("a thread") }
}

fn nested() -> u64 {
    for n in 0..BATCH / 4 {
        let _one = phase!("one", n = n, of = "nested");
        let _two = phase!("two", n = n, of = "nested");
        let _three = phase!("three", n = n);
        let _four = phase!("four");
    }
    BATCH
}

/// Phases that end in the order in which they began.
fn crossed() -> u64 {
    let mut before = None;
    for n in 0..BATCH {
        before = Some(open_phase!("crossed", n = n, more = before.is_some()));
    }
    drop(before);
    BATCH
}

fn spans() -> u64 {
    for n in 0..BATCH / 2 {
        let _outer = tracing::info_span!("outer", n, of = "spans").entered();
        let _inner = tracing::info_span!("inner", n, of = "spans").entered();
    }
    BATCH
}

/// Futures that are polled three times.
fn futures() -> u64 {
    let mut context = Context::from_waker(Waker::noop());
    for n in 0..BATCH {
        let mut polls = 0;
        let three = std::future::poll_fn(|_| {
            polls += 1;
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        });
        let mut future = std::pin::pin!(three.in_phase(open_phase!("future", n = n, polls = 3)));
        while future.as_mut().poll(&mut context).is_pending() {}
    }
    BATCH
}

fn short_thread() -> u64 {
    let short = std::thread::spawn(|| {
        let _one = phase!("short");
        let _two = open_phase!("short too");
        let _three = phase!("shorter");
    });
    drop(short.join());
    3
}

/// Phases that are opened here and end on another thread.
struct HandOver {
    full: mpsc::SyncSender<Vec<Phase>>,
    empty: mpsc::Receiver<Vec<Phase>>,
}

impl HandOver {
    fn new() -> Self {
        let (full, ending) = mpsc::sync_channel::<Vec<Phase>>(2);
        let (give_back, empty) = mpsc::sync_channel(2);
        for _ in 0..2 {
            let room = Vec::with_capacity(BATCH as usize);
            give_back.send(room).expect("the other end is here");
        }
        std::thread::spawn(move || {
            for mut phases in ending {
                phases.clear();
                if give_back.send(phases).is_err() {
                    break;
                }
            }
        });
        Self { full, empty }
    }

    fn batch(self) -> impl FnMut() -> u64 + Send {
        move || {
            let Ok(mut phases) = self.empty.recv() else { return 0 };
            phases.extend((0..BATCH).map(|n| open_phase!("handed over", n = n)));
            if self.full.send(phases).is_err() { 0 } else { BATCH }
        }
    }
}
