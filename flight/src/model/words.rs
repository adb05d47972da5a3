//! Words that are plain memory outside a model, and atomics of the model checker inside one: then a word's address
//! leads to its atomic, which begins with what the memory holds. So each run begins with the same memory.
//!
//! The model checker wants an atomic to be there before the threads that share it. Which words these are is found by
//! trying: a word that was not expected is made when it is touched, and expected from the next attempt on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU64 as Modelled;

/// See [`crate::sync`].
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct AtomicU64(std::sync::atomic::AtomicU64);

thread_local! {
    static RUN: Cell<u64> = const { Cell::new(0) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static EXPECTED: RefCell<BTreeSet<usize>> = const { RefCell::new(BTreeSet::new()) };
    static UNEXPECTED: RefCell<BTreeSet<usize>> = const { RefCell::new(BTreeSet::new()) };
    static WORDS: RefCell<HashMap<usize, Rc<Modelled>>> = RefCell::new(HashMap::new());
}

/// The next attempt expects what this one did not. Whether there was anything.
pub(crate) fn expect_more() -> bool {
    INSIDE.set(false);
    WORDS.with_borrow_mut(HashMap::clear);
    let unexpected = UNEXPECTED.take();
    let is_any = !unexpected.is_empty();
    EXPECTED.with_borrow_mut(|expected| expected.extend(unexpected));
    is_any
}

/// A run of a model begins.
#[expect(unsafe_code, reason = "a word is found again by its address")]
pub(crate) fn begin() {
    WORDS.with_borrow_mut(HashMap::clear);
    for address in EXPECTED.with_borrow(Clone::clone) {
        // SAFETY: the address is that of a word in memory that is never unmapped.
        let word = unsafe { &*std::ptr::with_exposed_provenance::<AtomicU64>(address) };
        let new = Rc::new(Modelled::new(word.0.load(Ordering::Relaxed)));
        WORDS.with_borrow_mut(|words| words.insert(address, new));
    }
    RUN.set(RUN.get() + 1);
    INSIDE.set(true);
}

/// It ends.
pub(crate) fn end() {
    INSIDE.set(false);
    WORDS.with_borrow_mut(HashMap::clear);
}

/// Which run this is; 0 outside of one.
pub(crate) fn run() -> u64 {
    if INSIDE.get() { RUN.get() } else { 0 }
}

/// See [`std::sync::atomic::fence`].
pub(crate) fn fence(order: Ordering) {
    if INSIDE.get() {
        loom::sync::atomic::fence(order);
    }
}

impl AtomicU64 {
    /// See the standard library's.
    pub(crate) const fn new(word: u64) -> Self {
        Self(std::sync::atomic::AtomicU64::new(word))
    }

    fn modelled(&self) -> Option<Rc<Modelled>> {
        INSIDE.get().then(|| {
            let address = std::ptr::from_ref(self).addr();
            let new = || {
                UNEXPECTED
                    .with_borrow_mut(|unexpected| unexpected.insert(std::ptr::from_ref(self).expose_provenance()));
                Rc::new(Modelled::new(self.0.load(Ordering::Relaxed)))
            };
            WORDS.with_borrow_mut(|words| Rc::clone(words.entry(address).or_insert_with(new)))
        })
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        self.modelled().map_or_else(|| self.0.load(order), |word| word.load(order))
    }

    pub(crate) fn store(&self, new: u64, order: Ordering) {
        match self.modelled() {
            Some(word) => word.store(new, order),
            None => self.0.store(new, order),
        }
    }

    pub(crate) fn swap(&self, new: u64, order: Ordering) -> u64 {
        self.modelled().map_or_else(|| self.0.swap(new, order), |word| word.swap(new, order))
    }

    pub(crate) fn compare_exchange(&self, old: u64, new: u64, one: Ordering, two: Ordering) -> Result<u64, u64> {
        match self.modelled() {
            Some(word) => word.compare_exchange(old, new, one, two),
            None => self.0.compare_exchange(old, new, one, two),
        }
    }

    pub(crate) fn compare_exchange_weak(&self, old: u64, new: u64, one: Ordering, two: Ordering) -> Result<u64, u64> {
        self.compare_exchange(old, new, one, two)
    }

    pub(crate) fn fetch_add(&self, more: u64, order: Ordering) -> u64 {
        self.modelled().map_or_else(|| self.0.fetch_add(more, order), |word| word.fetch_add(more, order))
    }

    pub(crate) fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.modelled().map_or_else(|| self.0.fetch_or(bits, order), |word| word.fetch_or(bits, order))
    }

    pub(crate) fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.modelled().map_or_else(|| self.0.fetch_and(bits, order), |word| word.fetch_and(bits, order))
    }

    pub(crate) fn fetch_max(&self, other: u64, order: Ordering) -> u64 {
        self.modelled().map_or_else(|| self.0.fetch_max(other, order), |word| word.fetch_max(other, order))
    }

    pub(crate) fn fetch_update(
        &self,
        one: Ordering,
        two: Ordering,
        change: impl FnMut(u64) -> Option<u64>,
    ) -> Result<u64, u64> {
        match self.modelled() {
            Some(word) => word.fetch_update(one, two, change),
            None => self.0.fetch_update(one, two, change),
        }
    }
}
