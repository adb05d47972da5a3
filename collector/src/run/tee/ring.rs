//! The end of one stream, in memory that its relay and the main loop share.
//!
//! ```text
//! relay ── "up to here will be written" ──▶ bytes ──▶ "up to here is written"
//! main loop ◀── copies what is written, then leaves out what was overwritten meanwhile
//! ```
//!
//! Neither side waits for the other: a stopped main loop holds no relay up, and a relay that is stuck in a
//! write has said what it writes. What the main loop did not fetch in time is overwritten.
#![expect(unsafe_code, reason = "memory that two processes share can be mapped and addressed in no other way")]

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

use rustix::mm::{MapFlags, ProtFlags};

/// The last bytes of a stream that can be had at any time.
pub(super) const KEPT: usize = 64 << 10;
/// Bytes that are put at once, at most.
pub(super) const CHUNK: usize = 64 << 10;
/// While a chunk is being put, what is kept is still whole.
const ROOM: usize = KEPT + CHUNK;

/// Lies in zeroed shared memory: counts of bytes since the stream began.
#[repr(C)]
struct Shared {
    /// Those that are written or just being written.
    begun: AtomicU64,
    /// Those that are written.
    done: AtomicU64,
    bytes: [AtomicU8; ROOM],
}

/// The memory, as both sides see it.
#[derive(Debug)]
pub(super) struct Ring {
    shared: NonNull<Shared>,
}

impl Ring {
    /// New memory, which a forked process shares.
    pub(super) fn new() -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses aliases nothing.
        let base = unsafe {
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), size_of::<Shared>(), protection, MapFlags::SHARED)
        }?;
        let shared = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { shared })
    }

    fn shared(&self) -> &Shared {
        // SAFETY: the mapping is as long as `Shared`, aligned to a page, began as zeros (which are valid
        // atomics) and stays until `self` is dropped. All of it is atomic, so the other process may write.
        unsafe { self.shared.as_ref() }
    }

    /// Adds bytes. Only the relay does.
    pub(super) fn put(&self, bytes: &[u8]) {
        let shared = self.shared();
        for chunk in bytes.chunks(CHUNK) {
            let at = shared.done.load(Ordering::Relaxed);
            let end = at + chunk.len() as u64;
            shared.begun.store(end, Ordering::Relaxed);
            // Who sees one of the bytes below also sees that it was begun.
            fence(Ordering::Release);
            for (offset, byte) in (at..).zip(chunk) {
                shared.bytes[place(offset)].store(*byte, Ordering::Relaxed);
            }
            shared.done.store(end, Ordering::Release);
        }
    }

    /// How long the stream is by now.
    pub(super) fn len(&self) -> u64 {
        self.shared().done.load(Ordering::Acquire)
    }

    /// The stream from `offset` on, or from where it can still be had; and that offset.
    pub(super) fn read(&self, offset: u64) -> (u64, Vec<u8>) {
        let shared = self.shared();
        let end = self.len();
        let from = offset.max(end.saturating_sub(KEPT as u64)).min(end);
        let bytes: Vec<u8> = (from..end).map(|at| shared.bytes[place(at)].load(Ordering::Relaxed)).collect();
        fence(Ordering::Acquire);
        let whole_from = shared.begun.load(Ordering::Relaxed).saturating_sub(ROOM as u64);
        let overwritten = (whole_from.saturating_sub(from) as usize).min(bytes.len());
        (from + overwritten as u64, bytes[overwritten..].to_vec())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and nothing borrows it any more.
        let _ = unsafe { rustix::mm::munmap(self.shared.as_ptr().cast(), size_of::<Shared>()) };
    }
}

fn place(offset: u64) -> usize {
    (offset % ROOM as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte `n` of the stream of these tests.
    fn byte(n: u64) -> u8 {
        (n % 251) as u8
    }

    #[track_caller]
    fn check(from: u64, bytes: &[u8], end: u64) {
        assert_eq!(from + bytes.len() as u64, end);
        assert!(bytes.iter().zip(from..).all(|(found, n)| *found == byte(n)), "another byte after {from}");
    }

    #[test]
    fn the_end_of_a_stream_can_be_had() {
        let ring = Ring::new().unwrap();
        let stream: Vec<u8> = (0..300_000).map(byte).collect();
        for end in [0_u64, 5, 70_000, 70_001, 200_000, 300_000] {
            ring.put(&stream[ring.len() as usize..end as usize]);
            let (from, bytes) = ring.read(0);
            assert_eq!(from, end.saturating_sub(KEPT as u64));
            check(from, &bytes, end);
        }
        check(299_990, &ring.read(299_990).1, 300_000);
        assert_eq!(ring.read(300_000), (300_000, Vec::new()));
        assert_eq!(ring.read(u64::MAX), (300_000, Vec::new()));
    }

    #[test]
    fn a_reader_never_gets_a_byte_of_another_round() {
        let ring = Ring::new().unwrap();
        let end = 20_000_000;
        std::thread::scope(|scope| {
            // The memory is atomic through and through; only its pointer keeps `Ring` from being `Sync`.
            let writer = Borrowed(&ring);
            scope.spawn(move || {
                let writer = writer;
                let mut at = 0;
                while at < end {
                    let chunk: Vec<u8> = (at..end.min(at + 50_000)).map(byte).collect();
                    writer.0.put(&chunk);
                    at += chunk.len() as u64;
                }
            });
            let mut at = 0;
            while at < end {
                let (from, bytes) = ring.read(at);
                check(from, &bytes, from + bytes.len() as u64);
                at = from + bytes.len() as u64;
            }
        });
    }

    struct Borrowed<'a>(&'a Ring);

    // SAFETY: both threads reach the shared memory through atomics only.
    unsafe impl Send for Borrowed<'_> {}
}
