//! The memory that a worker and its supervisor share.
//!
//! ```text
//! | control | slots: one a request of the batch | arena: paths from the left, then results |
//! ```
//!
//! The supervisor fills slots and paths, then rings the bell; the worker fills results and then
//! counts up `done`. So each byte has one writer at a time: slots at and above `done` belong to the
//! worker while a batch runs, all others to the supervisor. A worker that is given up takes its
//! memory with it: the next one gets a new piece, since the kernel may still write into the old.
#![expect(unsafe_code, reason = "shared memory can be mapped and addressed in no other way")]

use std::io;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::mm::{MapFlags, ProtFlags};
use rustix::thread::futex;

/// Most requests of one batch.
pub(super) const SLOTS: usize = 2048;

/// What both sides signal each other.
#[repr(C)]
pub(super) struct Control {
    /// Number of the newest batch; the worker sleeps on it.
    pub(super) bell: AtomicU32,
    /// Counts system calls that came back.
    pub(super) progress: AtomicU32,
    /// Requests that are complete.
    pub(super) done: AtomicU32,
    /// Number of the batch that is complete (or stopped, with the arena full).
    pub(super) finished: AtomicU32,
    /// Of a request for several reads: which is being done, and how much of the answer is there.
    part_kind: AtomicU32,
    part_number: AtomicU32,
    part_len: AtomicU32,
    /// Where in the arena that answer begins.
    part_at: AtomicU32,
}

impl Control {
    /// The next request puts its answer there.
    pub(super) fn begin(&self, at: usize) {
        self.part_kind.store(u32::MAX, Ordering::Relaxed);
        self.part_len.store(0, Ordering::Relaxed);
        self.part_at.store(at as u32, Ordering::Release);
    }

    /// The next of several reads is this one; what came before it has `len` bytes.
    pub(super) fn part(&self, kind: u32, number: u32, len: usize) {
        self.part_kind.store(kind, Ordering::Relaxed);
        self.part_number.store(number, Ordering::Relaxed);
        self.part_len.store(len as u32, Ordering::Release);
    }

    /// Kind and number of the read that is being done, and where what came before it lies: begin and length.
    pub(super) fn where_it_is(&self) -> (u32, u32, u32, u32) {
        let len = self.part_len.load(Ordering::Acquire);
        let [kind, number, at] =
            [&self.part_kind, &self.part_number, &self.part_at].map(|word| word.load(Ordering::Acquire));
        (kind, number, at, len)
    }
}

/// What all workers of a crew ring when they have finished something: the supervisor sleeps on it.
pub(super) struct Doorbell {
    rings: NonNull<AtomicU32>,
}

impl Doorbell {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { rings: mapping(size_of::<AtomicU32>())?.cast() })
    }

    fn rings(&self) -> &AtomicU32 {
        // SAFETY: the mapping is page-aligned, zeroed by the kernel (a valid value) and lives as long as `self`; all
        // processes use it as an atomic only.
        unsafe { self.rings.as_ref() }
    }

    /// How often it was rung so far.
    pub(super) fn count(&self) -> u32 {
        self.rings().load(Ordering::Acquire)
    }

    pub(super) fn ring(&self) {
        self.rings().fetch_add(1, Ordering::Release);
        let _ = futex::wake(self.rings(), futex::Flags::empty(), 1);
    }

    /// Sleeps until it was rung more often than `count`, `limit` at most.
    pub(super) fn wait(&self, count: u32, limit: Duration) {
        let limit = rustix::time::Timespec { tv_sec: 0, tv_nsec: i64::from(limit.subsec_nanos()) };
        let _ = futex::wait(self.rings(), futex::Flags::empty(), count, Some(&limit));
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        // SAFETY: this very range was mapped by `new`, and nothing borrowed from it outlives `self`.
        let unmapped = unsafe { rustix::mm::munmap(self.rings.as_ptr().cast(), size_of::<AtomicU32>()) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

/// New memory that stays the same across a fork. Pages that are never used cost nothing.
fn mapping(bytes: usize) -> io::Result<NonNull<u8>> {
    let flags = MapFlags::SHARED | MapFlags::NORESERVE;
    // SAFETY: a new mapping at an address that the kernel chooses aliases nothing.
    let base = unsafe {
        rustix::mm::mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags)
    }?;
    Ok(NonNull::new(base.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?)
}

/// One request and what became of it. Plain numbers, whatever they are.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Slot {
    /// What to do: one of the constants of [`super::ask`].
    pub(super) kind: u32,
    /// Where in the arena the path begins, NUL at its end.
    pub(super) path_at: u32,
    /// Its length without the NUL.
    pub(super) path_len: u32,
    /// An address or a limit, as `kind` says.
    pub(super) number: u64,
    /// How many bytes are wanted; a length, for a message in the arena.
    pub(super) size: u32,
    /// Where in the arena a message begins.
    pub(super) message_at: u32,
    /// Result: 0, or the errno.
    pub(super) errno: u32,
    /// Result: where in the arena.
    pub(super) at: u32,
    /// Result: length.
    pub(super) len: u32,
    /// Result: 1 when there was more than fitted.
    pub(super) cut: u32,
}

/// A mapping of it.
pub(super) struct Shared {
    base: NonNull<u8>,
    arena: usize,
    doorbell: Rc<Doorbell>,
}

const SLOTS_AT: usize = 64;
const ARENA_AT: usize = (SLOTS_AT + SLOTS * size_of::<Slot>()).next_multiple_of(4096);

impl Shared {
    /// New memory with `arena` bytes for paths and results.
    pub(super) fn new(arena: usize, doorbell: Rc<Doorbell>) -> io::Result<Self> {
        Ok(Self { base: mapping(ARENA_AT + arena)?, arena, doorbell })
    }

    pub(super) fn doorbell(&self) -> &Rc<Doorbell> {
        &self.doorbell
    }

    pub(super) fn arena(&self) -> usize {
        self.arena
    }

    pub(super) fn control(&self) -> &Control {
        // SAFETY: the mapping is page-aligned, longer than a `Control`, zeroed by the kernel (a valid
        // value of atomics) and lives as long as `self`; both sides use it through atomics only.
        unsafe { self.base.cast::<Control>().as_ref() }
    }

    fn slot_at(&self, n: usize) -> *mut Slot {
        assert!(n < SLOTS, "slot {n} of {SLOTS}");
        self.base.as_ptr().wrapping_add(SLOTS_AT + n * size_of::<Slot>()).cast()
    }

    pub(super) fn slot(&self, n: usize) -> Slot {
        // SAFETY: `slot_at` stays within the mapping and aligned (64 + n * a multiple of 8); any bytes
        // are a valid `Slot`; volatile, since the other process may write it at another time.
        unsafe { self.slot_at(n).read_volatile() }
    }

    pub(super) fn set_slot(&self, n: usize, slot: Slot) {
        // SAFETY: as in `slot`.
        unsafe { self.slot_at(n).write_volatile(slot) }
    }

    /// A copy of arena bytes. Empty when the range does not lie in the arena.
    pub(super) fn copy(&self, at: u32, len: u32) -> Vec<u8> {
        let (at, len) = (at as usize, len as usize);
        if at.checked_add(len).is_none_or(|end| end > self.arena) {
            return Vec::new();
        }
        let mut out = vec![0; len];
        let from = self.base.as_ptr().wrapping_add(ARENA_AT + at);
        // SAFETY: the range was checked to lie in the arena, `out` has `len` bytes of its own.
        unsafe { std::ptr::copy_nonoverlapping(from, out.as_mut_ptr(), len) };
        out
    }

    /// Writes into the arena. The range must lie in it.
    pub(super) fn put(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.arena, "{} bytes at {at} of {}", bytes.len(), self.arena);
        let to = self.base.as_ptr().wrapping_add(ARENA_AT + at);
        // SAFETY: the range was checked to lie in the arena; `bytes` is memory of this process alone.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// Gives the kernel back what lies in the arena beyond its first `kept` bytes, whole pages. No batch may run.
    pub(super) fn give_back(&self, kept: usize) {
        let len = self.arena.saturating_sub(kept);
        let from = self.base.as_ptr().wrapping_add(ARENA_AT + self.arena - len);
        // SAFETY: the range lies in the mapping, page-aligned at its beginning; while no batch runs there is no reference
        // to it on either side, and zeros, as which it is read from then on, are as good as any bytes.
        let _ = unsafe { rustix::mm::madvise(from.cast(), len, rustix::mm::Advice::LinuxRemove) };
    }

    /// The arena as one slice, for the worker, which alone touches it while a batch runs.
    pub(super) fn all(&mut self) -> &mut [u8] {
        let at = self.base.as_ptr().wrapping_add(ARENA_AT);
        // SAFETY: the arena is `self.arena` bytes of the mapping, initialised (zeroed by the kernel or
        // written since), and the supervisor leaves it alone until `finished` says so.
        unsafe { std::slice::from_raw_parts_mut(at, self.arena) }
    }

    /// Whether batch `number` is complete.
    pub(super) fn is_finished(&self, number: u32) -> bool {
        self.control().finished.load(Ordering::Acquire) == number
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: this very range was mapped by `new`, and nothing borrowed from it outlives `self`.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), ARENA_AT + self.arena) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}
