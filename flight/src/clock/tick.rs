//! The tick: a word that a thread of the recorder's own writes 20 times a second (0.3 % of a core), so that a
//! recorded phase costs a load instead of a look at a clock.
//!
//! The thread takes no lock and no signal of the program, and is never waited for. It says in the file which
//! thread it is: an observer must not take its timer for a sign of life of the program. When it was kept from
//! running (the process was stopped, the machine overloaded) it writes the gap down: a time recorded then is
//! that much less exact.
//!
//! For the time stamp counter it runs too, only to write anchors.

use std::num::NonZeroU64;
use std::sync::atomic::AtomicU64 as Word;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::thread;

use rustix::time::Timespec;

use super::{ClockSource, monotonic, write_later};
use crate::layout::{gap, header};
use crate::map::Words;
use crate::signals;
use crate::sync::AtomicU64;

/// From one tick to the next, ns.
pub(crate) const PERIOD_NS: u64 = 50_000_000;
/// From one tick to the next when that is a gap, ns.
pub(crate) const GAP_NS: u64 = 2 * PERIOD_NS;
/// The kernel may wake the thread so much later, together with another one, ns.
const SLACK_NS: NonZeroU64 = NonZeroU64::new(5_000_000).unwrap();
/// From one anchor to the next, ns.
const ANCHOR_NS: u64 = 1_000_000_000;
/// The first one after the start comes sooner: it makes the counter's rate known.
pub(crate) const FIRST_ANCHOR_AFTER_NS: u64 = 10_000_000;
/// The thread's name.
pub const THREAD: &str = "hangdog-tick";

/// One for the process, on a cache line of its own.
#[repr(align(64))]
struct Tick(Word);

static TICK: Tick = Tick(Word::new(0));

#[inline(always)]
pub(crate) fn now() -> u64 {
    TICK.0.load(Relaxed)
}

/// Starts the thread. An error means that there is none, and that another clock has to be taken.
pub(crate) fn start(head: Words, source: ClockSource) -> std::io::Result<()> {
    TICK.0.store(monotonic(), Relaxed);
    let builder = thread::Builder::new().name(THREAD.to_owned()).stack_size(32 << 10);
    // A new thread inherits the mask: signals of the program are for the program's own threads.
    let blocked = signals::block_all();
    let started = builder.spawn(move || run(head, source));
    signals::restore(&blocked);
    started.map(drop)
}

fn run(head: Words, source: ClockSource) {
    head[header::TICK_TID].store(rustix::thread::gettid().as_raw_nonzero().get() as u64, Release);
    // Without it the thread costs some more wake-ups of the processor.
    let _refused = rustix::thread::set_current_timer_slack(Some(SLACK_NS));
    let period = if source == ClockSource::Tick { PERIOD_NS } else { ANCHOR_NS };
    let mut next_anchor = monotonic() + FIRST_ANCHOR_AFTER_NS;
    sleep(FIRST_ANCHOR_AFTER_NS);
    loop {
        let now = monotonic();
        if source == ClockSource::Tick {
            tick(head, now);
        }
        if now >= next_anchor {
            write_later(head, source);
            next_anchor = now + ANCHOR_NS;
        }
        sleep(period);
    }
}

fn tick(head: &[AtomicU64], now: u64) {
    let before = TICK.0.load(Relaxed);
    if now.saturating_sub(before) > GAP_NS {
        // Written before the new time shows, so that whoever sees the new one finds the gap too.
        write_gap(head, before, now);
    }
    TICK.0.store(now, Release);
}

fn write_gap(head: &[AtomicU64], from: u64, to: u64) {
    let number = head[header::GAPS_SEEN].load(Relaxed);
    let at = header::GAPS + number as usize % gap::COUNT * gap::WORDS;
    head[at].store(from, Relaxed);
    head[at + 1].store(to, Relaxed);
    head[header::GAPS_SEEN].store(number.wrapping_add(1), Release);
}

fn sleep(ns: u64) {
    let time = Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as _ };
    let _woken_early = rustix::thread::nanosleep(&time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gap_makes_room() {
        let head: Vec<AtomicU64> = (0..header::WORDS).map(|_| AtomicU64::new(0)).collect();
        for number in 0..=gap::COUNT as u64 {
            write_gap(&head, number * 100 + 1, number * 100 + 90);
        }
        let first = |word: usize| head[header::GAPS + word].load(Relaxed);
        assert_eq!((first(0), first(1), first(2)), (gap::COUNT as u64 * 100 + 1, gap::COUNT as u64 * 100 + 90, 101));
    }
}
