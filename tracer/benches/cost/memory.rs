//! An allocator that counts while it is asked to, and what the kernel says of pages.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::linux::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The system's allocator. Counts only in the lines that ask for it: the others must not pay.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static IN_USE: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTS.load(Ordering::Relaxed) {
            ASKED.set(ASKED.get() + 1);
            IN_USE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        }
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if COUNTS.load(Ordering::Relaxed) {
            ASKED.set(ASKED.get() + 1);
            IN_USE.fetch_add(size as i64 - layout.size() as i64, Ordering::Relaxed);
        }
        // SAFETY: the caller keeps the contract of `realloc`; the memory came from `System`.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if COUNTS.load(Ordering::Relaxed) {
            IN_USE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        }
        // SAFETY: the caller keeps the contract of `dealloc`; the memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Heap of the process, and how often this thread asked for some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heap {
    /// Bytes, as they were asked for.
    pub(crate) in_use: f64,
    /// Calls of this thread.
    pub(crate) asked: f64,
}

/// What `work` changes of the heap.
pub(crate) fn heap(work: impl FnOnce()) -> Heap {
    COUNTS.store(true, Ordering::Relaxed);
    let (in_use, asked) = (IN_USE.load(Ordering::Relaxed), ASKED.get());
    work();
    let heap = Heap { in_use: (IN_USE.load(Ordering::Relaxed) - in_use) as f64, asked: (ASKED.get() - asked) as f64 };
    COUNTS.store(false, Ordering::Relaxed);
    heap
}

/// Page faults of this thread so far that needed no disk.
pub(crate) fn faults() -> Result<f64, String> {
    let stat = read("/proc/thread-self/stat")?;
    // minflt is the tenth field, the eighth after the name in parentheses.
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).ok_or("stat has no name")?;
    fields.split(' ').nth(7).and_then(|faults| faults.parse().ok()).ok_or("stat has no minflt".to_owned())
}

/// Bytes of the recorder's file that `work` touches, in whole pages: the kernel's own account (`Referenced` of
/// smaps after a write to clear_refs), whatever the file looks like inside.
pub(crate) fn touched(work: impl FnOnce()) -> Result<f64, String> {
    std::fs::write("/proc/self/clear_refs", "1").map_err(|error| format!("clear_refs: {error}"))?;
    work();
    of_the_recorder("Referenced:")
}

/// Bytes of the recorder's file that this process has in RAM.
pub(crate) fn recorder_resident() -> Result<f64, String> {
    of_the_recorder("Rss:")
}

/// Sum of a field of smaps over the mappings of the recorder's file.
fn of_the_recorder(field: &str) -> Result<f64, String> {
    let recorder = hangdog_flight::current().ok_or(hangdog_tracer::status().to_string())?;
    let file = recorder.file().and_then(|file| file.metadata()).map_err(|error| format!("the recorder: {error}"))?;
    let inode = file.st_ino().to_string();
    let mut within = false;
    let mut kilobytes = 0.0;
    for line in read("/proc/self/smaps")?.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            [name, kb, "kB"] if within && *name == field => kilobytes += kb.parse::<f64>().unwrap_or(0.0),
            [_addresses, _rights, _offset, _device, of, ..] => within = *of == inode,
            _ => {}
        }
    }
    Ok(kilobytes * 1024.0)
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}
