//! Traced locks and the like: an entry each, with who holds it alone. Who shares one, waits or serves has a phase.

use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

use super::{RESOURCES, Recorder};
use crate::book;
use crate::layout::{PAGE, WORD, header, home, resource, slot};
use crate::sync::{AtomicU64, fence};
use crate::{Loss, Primitive, ResourceId};

/// Gives a traced lock or the like its entry. `None` when there is no room or no recorder; asked once, at its
/// first use.
#[cold]
pub fn resource(primitive: Primitive, name: &str) -> Option<ResourceId> {
    let recorder = book::mine()?.recorder.get()?;
    recorder.add_resource(primitive, name)
}

impl ResourceId {
    /// Whether the calling thread's recorder knows it: not after a fork.
    #[inline]
    pub fn is_current(self) -> bool {
        book::mine()
            .and_then(|book| book.recorder.get())
            .is_some_and(|recorder| self.index_in(recorder.number()).is_some())
    }

    /// The calling thread has it alone from now on, or a task that it polls (0 for none). `None` when its recorder
    /// does not know it.
    #[inline(always)]
    pub fn taken(self, task: u64) -> Option<Taken> {
        let book = book::mine()?;
        let (recorder, home) = book.recorder.get().zip(book.home())?;
        let words = recorder.resource_words(self.index_in(recorder.number)?)?;
        // Whoever had it before let go first, for readers too.
        fence(Release);
        words[resource::PHASE].store(home[home::CURRENT].load(Relaxed), Relaxed);
        words[resource::SINCE].store(book.now(), Relaxed);
        words[resource::COUNT].store(words[resource::COUNT].load(Relaxed).wrapping_add(1), Relaxed);
        words[resource::HOLDER].store(book.whose.get() | slot::entry(0, task), Release);
        Some(Taken(words))
    }

    /// Where its entry is in the memory of this process: sooner found than its number, and as good for telling one
    /// resource from another.
    #[inline]
    pub fn address(self) -> Option<u64> {
        let recorder = book::recorder()?;
        Some(recorder.resource_words(self.index_in(recorder.number)?)?.as_ptr().addr() as u64)
    }

    /// The one whose entry is there.
    pub fn at(address: u64) -> Option<Self> {
        let recorder = book::recorder()?;
        let bytes = (address as usize).wrapping_sub(recorder.resources.as_ptr().addr());
        let is_there = bytes < recorder.resources.len() * WORD;
        is_there.then(|| Self::new(recorder.number, bytes / (resource::WORDS * WORD)))
    }

    /// It is no more.
    #[cold]
    pub fn gone(self) {
        let Some(recorder) = book::peek().and_then(|book| book.recorder.get()).or_else(crate::process::current)
        else {
            return;
        };
        let Some(index) = self.index_in(recorder.number()) else { return };
        let Some(words) = recorder.resource_words(index) else { return };
        let commit = words[resource::COMMIT].load(Relaxed);
        words[resource::HOLDER].store(0, Relaxed);
        words[resource::COMMIT].store(commit & !3 | resource::FREE, Release);
        recorder.free_resources.free(index);
    }
}

/// That somebody has a resource alone. It may go to another thread, and over a fork, where it means nothing.
#[derive(Clone, Copy, Debug)]
pub struct Taken(&'static [AtomicU64; resource::WORDS]);

impl Taken {
    /// It is free from now on. Called before it really is, so that the next one who takes it comes after.
    #[inline(always)]
    pub fn let_go(self) {
        match book::peek().and_then(|book| book.recorder.get()) {
            Some(recorder) if self.index_in(recorder).is_some() => self.0[resource::HOLDER].store(0, Release),
            _ => self.let_go_elsewhere(),
        }
    }

    /// On a thread that has no book (it never recorded anything, or its destructors run), or in a forked child.
    #[cold]
    #[inline(never)]
    fn let_go_elsewhere(self) {
        if crate::process::current().is_some_and(|recorder| self.index_in(recorder).is_some()) {
            self.0[resource::HOLDER].store(0, Release);
        }
    }

    /// See [`ResourceId::address`].
    #[inline]
    pub fn address(self) -> u64 {
        self.0.as_ptr().addr() as u64
    }

    /// Its number in the recorder of this process.
    #[inline]
    pub fn id(self) -> Option<ResourceId> {
        let recorder = book::recorder()?;
        Some(ResourceId::new(recorder.number, self.index_in(recorder)?))
    }

    #[inline(always)]
    fn index_in(self, recorder: &Recorder) -> Option<usize> {
        let bytes = self.0.as_ptr().addr().wrapping_sub(recorder.resources.as_ptr().addr());
        (bytes < recorder.resources.len() * WORD).then_some(bytes / (resource::WORDS * WORD))
    }
}

impl Recorder {
    #[inline(always)]
    fn resource_words(&self, index: usize) -> Option<&'static [AtomicU64; resource::WORDS]> {
        self.resources.as_chunks().0.get(index)
    }

    fn add_resource(&'static self, primitive: Primitive, name: &str) -> Option<ResourceId> {
        let taken = self.free_resources.take(0);
        let Some(index) = taken.filter(|index| self.has_memory(*index)) else {
            if let Some(index) = taken {
                self.free_resources.free(index);
            }
            self.lose(Loss::Resource);
            return None;
        };
        let name = self.name_of(name);
        let which = self.resources_named.get(usize::from(name.0)).map_or(1, |count| count.fetch_add(1, Relaxed) + 1);
        let words = self.resource_words(index)?;
        let generation = (words[resource::COMMIT].load(Relaxed) >> 16).wrapping_add(1);
        // Readers must not see what follows under what it was before.
        fence(Release);
        for word in &words[1..] {
            word.store(0, Relaxed);
        }
        words[resource::NAME].store(u64::from(name.0) | which << 32, Relaxed);
        words[resource::COMMIT].store(generation << 16 | primitive.number() << 2 | resource::USED, Release);
        Some(ResourceId::new(self.number, index))
    }

    /// Sees to it that the page of an entry is there. Entries are given out from the front, a page at a time.
    fn has_memory(&self, index: usize) -> bool {
        let high = &self.used[RESOURCES];
        let needed = (index as u64 + 1).next_multiple_of(resource::CHUNK as u64);
        let has = high.load(std::sync::atomic::Ordering::Acquire);
        if has >= needed {
            return true;
        }
        let given = self.give_memory(
            self.places.resources + has as usize / resource::CHUNK * PAGE,
            (needed - has) as usize / resource::CHUNK * PAGE,
        );
        if given {
            high.fetch_max(needed, AcqRel);
            self.header[header::RESOURCES_HIGH].fetch_max(needed, Relaxed);
        }
        given
    }
}
