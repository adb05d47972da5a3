//! The locks that each thread or task holds, in the order in which it took them. Each pair "took this one while it
//! held that one" is noted in the history once a process. Off unless `HANGDOG_LOCK_ORDER=1`.
//!
//! ```text
//!   who ──▶ entry [who │ lock │ lock │ …]      take c: note "a before c", "b before c"
//!                        a      b
//! ```
//!
//! Everything is of fixed size: who finds no entry, or holds more than an entry has room for, is not followed, and a
//! pair that finds no place is not noted. Who does what is seen by the guards; a guard that goes to
//! another task stays the lock of the task that took it.
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU64};

use hangdog_flight::{MAX_VALUE, ResourceId, Role, Taken, Text};

const OFF: u8 = 1;
const ON: u8 = 2;
static WANTED: AtomicU8 = AtomicU8::new(0);

/// Threads and tasks that hold a lock at once.
const ENTRIES: usize = 1024;
/// Locks that one of them holds at once.
const DEPTH: usize = 6;
/// Pairs of a process.
const PAIRS: usize = 4096;
const WINDOW: usize = 16;

#[repr(align(64))]
struct Entry {
    /// 0 when free.
    who: AtomicU64,
    /// How many places are in use or have one in use behind them. Only who owns the entry writes it.
    used: AtomicU64,
    /// The locks' addresses in the recorder; 0 for a place that is free.
    held: [AtomicU64; DEPTH],
}

impl Entry {
    const fn free() -> Self {
        Self { who: AtomicU64::new(0), used: AtomicU64::new(0), held: [const { AtomicU64::new(0) }; DEPTH] }
    }

    fn used(&self) -> &[AtomicU64] {
        let used = self.used.load(Relaxed) as usize;
        self.held.get(..used).unwrap_or(&self.held)
    }

    /// Takes free places off the end.
    fn shrink(&self) {
        let used = self.used().iter().rposition(|place| place.load(Relaxed) != 0).map_or(0, |last| last + 1);
        self.used.store(used as u64, Relaxed);
    }
}

static HELD: [Entry; ENTRIES] = [const { Entry::free() }; ENTRIES];
static SEEN: [AtomicU64; PAIRS] = [const { AtomicU64::new(0) }; PAIRS];

/// The calling thread or task has taken a lock alone.
#[inline(always)]
pub(crate) fn taken(lock: Option<Taken>) {
    if WANTED.load(Relaxed) != OFF {
        note_taken::<()>(lock.map(Taken::address));
    }
}

/// It shares one.
#[inline(always)]
pub(crate) fn shared(lock: Option<ResourceId>) {
    if WANTED.load(Relaxed) != OFF {
        note_taken::<()>(lock.and_then(ResourceId::address));
    }
}

/// A lock is not held alone any more.
#[inline(always)]
pub(crate) fn let_go(lock: Taken) {
    if WANTED.load(Relaxed) == ON && !let_go_by_thread::<()>(lock.address()) {
        note_let_go(lock.address());
    }
}

/// Nor shared.
#[inline(always)]
pub(crate) fn let_go_shared(lock: ResourceId) {
    if WANTED.load(Relaxed) == ON
        && let Some(lock) = lock.address()
    {
        note_let_go(lock);
    }
}

#[inline(always)]
fn is_on() -> bool {
    WANTED.load(Relaxed) == ON || asks_and_is_on()
}

#[cold]
#[inline(never)]
fn asks_and_is_on() -> bool {
    if WANTED.load(Relaxed) == 0 {
        let wish = std::env::var_os("HANGDOG_LOCK_ORDER");
        WANTED.store(if wish.is_some_and(|wish| wish == "1") { ON } else { OFF }, Relaxed);
    }
    WANTED.load(Relaxed) == ON
}

/// Of a type, as [`let_go_by_thread`], so that they are compiled with the program: in a library a look at a
/// thread-local is a call, for which registers are saved.
#[expect(clippy::extra_unused_type_parameters, reason = "a tenth of its instructions")]
#[inline(never)]
fn note_taken<Here>(lock: Option<u64>) {
    let Some(lock) = lock.filter(|_| is_on()) else { return };
    let Some(entry) = mine() else { return };
    let used = entry.used();
    for place in used {
        let held = place.load(Relaxed);
        if held != 0 && held != lock && LAST_PAIR.get() != (held, lock) {
            pair(held, lock);
        }
    }
    if let Some(next) = entry.held.get(used.len()) {
        next.store(lock, Relaxed);
        entry.used.store(used.len() as u64 + 1, Relaxed);
    } else if let Some(free) = used.iter().find(|place| place.load(Relaxed) == 0) {
        free.store(lock, Relaxed);
    }
}

/// Whether it was what the calling thread itself took last, outside of any task: then nobody has to be asked which task
/// that thread polls. A lock that is held alone is in one place only.
#[expect(clippy::extra_unused_type_parameters, reason = "see `note_taken`")]
#[inline(always)]
fn let_go_by_thread<Here>(lock: u64) -> bool {
    let Some(own) = OF_THREAD.get() else { return false };
    let Some(mut used) = (own.used.load(Relaxed) as usize).checked_sub(1) else { return false };
    let Some(last) = own.held.get(used).filter(|last| last.load(Relaxed) == lock) else { return false };
    last.store(0, Relaxed);
    while used > 0 && own.held.get(used - 1).is_some_and(|place| place.load(Relaxed) == 0) {
        used -= 1;
    }
    own.used.store(used as u64, Relaxed);
    true
}

#[cold]
#[inline(never)]
fn note_let_go(lock: u64) {
    let taken_by = |entry: &'static Entry| entry.used().iter().rfind(|place| place.load(Relaxed) == lock);
    let own = mine();
    // A guard may have come from another task.
    if let Some(place) = own.and_then(taken_by).or_else(|| HELD.iter().find_map(taken_by)) {
        place.store(0, Relaxed);
    }
    // Only who owns an entry may make it shorter or give it up: another one cannot know what he writes at this moment.
    let Some(own) = own else { return };
    own.shrink();
    if own.who.load(Relaxed) & 1 == 1 && own.used().is_empty() {
        own.who.store(0, Release);
    }
}

/// The entry of a thread outlives its locks, and ends with the thread.
struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        ENDED.set(true);
        if let Some(entry) = OF_THREAD.take() {
            for place in &entry.held {
                place.store(0, Relaxed);
            }
            entry.used.store(0, Relaxed);
            entry.who.store(0, Release);
        }
    }
}

thread_local! {
    /// The thread's entry. Without a destructor, so that it is found by one load.
    static OF_THREAD: Cell<Option<&'static Entry>> = const { Cell::new(None) };
    /// Nobody is left who would give it up.
    static ENDED: Cell<bool> = const { Cell::new(false) };
    static AT_END: AtEnd = const { AtEnd };
    /// The pair that this thread was last seen to take: it need not be looked up.
    static LAST_PAIR: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

fn of_task(task: u64) -> u64 {
    task << 1 | 1
}

/// The entry of the calling task, or of the thread when it polls none.
#[inline(always)]
fn mine() -> Option<&'static Entry> {
    match super::task() {
        0 => OF_THREAD.get().or_else(of_thread),
        task => entry_of(of_task(task)),
    }
}

#[cold]
#[inline(never)]
fn of_thread() -> Option<&'static Entry> {
    if ENDED.get() {
        return None;
    }
    // Registers the destructor, at its first use.
    AT_END.try_with(|_| ()).ok()?;
    OF_THREAD.with(|own| {
        // No two threads have a thread-local at one address; and it is even, as no task's number is.
        own.set(entry_of(std::ptr::from_ref(own).addr() as u64));
        own.get()
    })
}

fn entry_of(who: u64) -> Option<&'static Entry> {
    let window = || (0..WINDOW).map(move |step| &HELD[(spread(who) as usize).wrapping_add(step) % ENTRIES]);
    window()
        .find(|entry| entry.who.load(Acquire) == who)
        .or_else(|| window().find(|entry| entry.who.compare_exchange(0, who, AcqRel, Relaxed).is_ok()))
}

/// Notes a pair the first time.
#[inline(never)]
fn pair(first: u64, then: u64) {
    let pair = spread(first ^ spread(then)) | 1;
    for step in 0..WINDOW {
        let place = &SEEN[(pair as usize >> 1).wrapping_add(step) % PAIRS];
        match place.load(Relaxed) {
            seen if seen == pair => return LAST_PAIR.set((first, then)),
            0 => match place.compare_exchange(0, pair, Relaxed, Relaxed) {
                Ok(_) => return note_pair(first, then),
                Err(seen) if seen == pair => return,
                Err(_) => {}
            },
            _ => {}
        }
    }
}

#[cold]
fn note_pair(first: u64, then: u64) {
    let key = |lock| ResourceId::at(lock)?.key(Role::Hold);
    let (Some(first), Some(then)) = (key(first), key(then)) else { return };
    let mut text = Text::<MAX_VALUE>::new();
    let _cut = write!(text, "{} before {}", first.as_str(), then.as_str());
    hangdog_flight::note(hangdog_flight::current_phase(), "lock order", text.as_str());
}

fn spread(word: u64) -> u64 {
    let mixed = (word ^ word >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}
