//! A program whose threads open and close phases all the time, while it does what it is told.
//!
//! `phases-at-work KIND…` starts a thread of each kind (see [`KINDS`]). Each works in rounds: a phase `round` that says
//! its kind and number, and steps within, so that whoever looks from outside sees the number rise.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};

use hangdog_tracer::{InPhaseExt as _, Phase, open_phase, phase};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::family::Family;
use crate::held::Held;
use crate::{Outcome, mapped, role, told};

/// Phases within a round.
const STEPS: usize = 100;

/// One round, by number.
type Round = fn(u64);

/// The kinds of threads.
const KINDS: &[(&str, Round)] = &[
    ("nested", nested),
    ("crossed", crossed),
    ("spans", spans),
    ("future", future),
    ("handed-over", handed_over),
    ("short-threads", short_threads),
];

/// What it answers to is what it matches.
pub(crate) fn at_work(kinds: &[String]) -> Outcome {
    role::take("traced")?;
    tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
    let mut workers = Workers::default();
    for kind in kinds {
        workers.start(kind)?;
    }
    let mut family = Family::default();
    let mut held = Held::default();
    told::line_by_line(|words| match *words {
        ["worked"] => Ok(workers.worked()),
        ["status"] => Ok(hangdog_tracer::status().to_string()),
        ["work", kind] => workers.start(kind).map(|()| "working".to_owned()),
        ["rest", kind] => workers.rest(kind).map(|()| "resting".to_owned()),
        ["wake"] => workers.wake().map(|()| "working".to_owned()),
        ["room-for", _] => Ok(held.make_room(told::number(words, 1)?)),
        ["hold", _] => Ok(held.fill(told::number(words, 1)?)),
        ["look", path] => waiter("look", path, |path| std::fs::metadata(path).map(drop)),
        ["write", path] => waiter("write", path, |path| std::fs::write(path, "x")),
        ["map", path] => waiter("map", path, mapped::twice),
        ["fork", _] => family.grow(told::number(words, 1)?),
        ["reap"] => family.reap(),
        ["exec"] => Err(role::part("phases-at-work")?.args(kinds).exec().into()),
        _ => Err(format!("there is no command {words:?}").into()),
    })
}

#[derive(Default)]
struct Workers {
    rounds: BTreeMap<String, Arc<AtomicU64>>,
    resting: Vec<mpsc::Sender<()>>,
}

impl Workers {
    fn start(&mut self, kind: &str) -> Outcome {
        self.rest(kind)?;
        self.wake()
    }

    /// A thread that is there and has not recorded anything yet.
    fn rest(&mut self, kind: &str) -> Outcome {
        let (_, round) = KINDS.iter().find(|(known, _)| *known == kind).ok_or("no such kind")?;
        let rounds = Arc::clone(self.rounds.entry(kind.to_owned()).or_default());
        let (wake, woken) = mpsc::channel();
        std::thread::Builder::new().name(kind.to_owned()).spawn(move || {
            // The thread's part of the heap is made when it first asks for memory, and not by the recorder.
            drop(std::hint::black_box(vec![0_u8; 100]));
            if woken.recv().is_ok() {
                loop {
                    round(rounds.fetch_add(1, Ordering::Relaxed));
                }
            }
        })?;
        self.resting.push(wake);
        Ok(())
    }

    fn wake(&mut self) -> Outcome {
        self.resting.drain(..).try_for_each(|wake| wake.send(())).map_err(Into::into)
    }

    /// `KIND=ROUNDS…`
    fn worked(&self) -> String {
        let rounds = self.rounds.iter().map(|(kind, rounds)| format!("{kind}={}", rounds.load(Ordering::Relaxed)));
        rounds.collect::<Vec<_>>().join(" ")
    }
}

/// A thread in a phase that waits for `path`, perhaps for ever.
fn waiter(
    name: &'static str,
    path: &str,
    wait: fn(&str) -> std::io::Result<()>,
) -> Result<String, Box<dyn std::error::Error>> {
    let path = path.to_owned();
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _wait = match name {
            "look" => phase!("look", hang.wait = format!("path:{path}")),
            "map" => phase!("map", hang.wait = format!("path:{path}")),
            _ => phase!("write", hang.wait = format!("path:{path}")),
        };
        let _told = tell.send(rustix::thread::gettid());
        let _ended = wait(&path);
    })?;
    Ok(format!("{} {}", name, told.recv()?.as_raw_nonzero()))
}

fn nested(n: u64) {
    let _round = phase!("round", kind = "nested", n = n);
    for step in 0..STEPS {
        let _step = phase!("step", of = "a nested round", step = step);
    }
}

/// Phases that do not end in the order in which they began.
fn crossed(n: u64) {
    let _round = phase!("round", kind = "crossed", n = n);
    let mut before = None;
    for step in 0..STEPS {
        before = Some(open_phase!("step", before = before.is_some(), step = step));
    }
    drop(before);
}

fn spans(n: u64) {
    let _round = tracing::info_span!("round", kind = "spans", n).entered();
    for step in 0..STEPS {
        let _step = tracing::debug_span!("step", of = "a round of spans", step).entered();
    }
}

/// A future that is polled until its steps are done.
fn future(n: u64) {
    let mut left = STEPS;
    let steps = std::future::poll_fn(move |_| {
        let _step = phase!("step", left = left);
        left -= 1;
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    });
    let mut round = std::pin::pin!(steps.in_phase(open_phase!("round", kind = "future", n = n)));
    while round.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
}

/// Phases that are opened here and end on another thread.
fn handed_over(n: u64) {
    let _round = phase!("round", kind = "handed-over", n = n);
    let (give, given) = mpsc::sync_channel::<Phase>(STEPS);
    let other = std::thread::spawn(move || given.into_iter().for_each(drop));
    for step in 0..STEPS {
        let _gone = give.send(open_phase!("step", of = "another thread", step = step));
    }
    drop(give);
    let _joined = other.join();
}

/// Threads that live for a phase.
fn short_threads(n: u64) {
    let _round = phase!("round", kind = "short-threads", n = n);
    for step in 0..10 {
        let short = std::thread::spawn(move || drop(phase!("step", of = "a short thread", step = step)));
        let _joined = short.join();
    }
}
