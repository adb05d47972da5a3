//! The spans that a thread is in, innermost last, as `Span::current()` wants them.
//!
//! Not here: the phases that a thread is in, which the recorder keeps.

use std::cell::{Cell, RefCell};

/// Deeper ones are on the heap.
const NEAR: usize = 64;

struct Stack {
    depth: Cell<usize>,
    near: [Cell<u64>; NEAR],
}

thread_local! {
    /// Without a destructor, so that it is found by one load, also while the thread ends.
    static STACK: Stack = const { Stack { depth: Cell::new(0), near: [const { Cell::new(0) }; NEAR] } };
    static DEEP: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// The thread goes into a span.
#[inline]
pub(crate) fn push(span: u64) {
    STACK.with(|stack| {
        let depth = stack.depth.get();
        match stack.near.get(depth) {
            Some(place) => place.set(span),
            None => push_deep(span),
        }
        stack.depth.set(depth + 1);
    });
}

/// The thread leaves a span: the innermost one of that id.
#[inline]
pub(crate) fn pop(span: u64) {
    STACK.with(|stack| {
        let top = stack.depth.get().wrapping_sub(1);
        match stack.near.get(top) {
            Some(place) if place.get() == span => stack.depth.set(top),
            _ => stack.pop_elsewhere(span),
        }
    });
}

/// The innermost span.
pub(crate) fn top() -> Option<u64> {
    STACK.with(|stack| stack.get(stack.depth.get().checked_sub(1)?))
}

#[cold]
fn push_deep(span: u64) {
    let _thread_ends = DEEP.try_with(|deep| deep.borrow_mut().push(span));
}

impl Stack {
    fn get(&self, at: usize) -> Option<u64> {
        match self.near.get(at) {
            Some(place) => Some(place.get()),
            None => DEEP.try_with(|deep| deep.borrow().get(at - NEAR).copied()).ok()?,
        }
    }

    fn set(&self, at: usize, span: u64) {
        if let Some(place) = self.near.get(at) {
            return place.set(span);
        }
        let _thread_ends = DEEP.try_with(|deep| {
            if let Some(place) = deep.borrow_mut().get_mut(at - NEAR) {
                *place = span;
            }
        });
    }

    /// Not on top, or deep.
    #[cold]
    fn pop_elsewhere(&self, span: u64) {
        let depth = self.depth.get();
        let Some(at) = (0..depth).rev().find(|at| self.get(*at) == Some(span)) else { return };
        for above in at + 1..depth {
            self.set(above - 1, self.get(above).unwrap_or_default());
        }
        self.depth.set(depth - 1);
        let _thread_ends = DEEP.try_with(|deep| deep.borrow_mut().truncate((depth - 1).saturating_sub(NEAR)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+3` goes into span 3, `-3` leaves it; what is left, from the outermost.
    #[track_caller]
    fn check(steps: &str, left: &[u64]) {
        let steps = steps.to_owned();
        let spans = std::thread::spawn(move || {
            for step in steps.split_whitespace() {
                match step.split_at(1) {
                    ("+", span) => push(span.parse().unwrap()),
                    (_, span) => pop(span.parse().unwrap()),
                }
            }
            let mut spans = Vec::new();
            while let Some(span) = top() {
                spans.insert(0, span);
                pop(span);
            }
            spans
        });
        assert_eq!(spans.join().unwrap(), left);
    }

    #[test]
    fn spans_are_left_in_any_order() {
        check("+1 +2 +3", &[1, 2, 3]);
        check("+1 +2 -1 +3", &[2, 3]);
        check("+1 +2 +1 -1", &[1, 2]);
        check("+1 -7 -1 -1 +2", &[2]);
    }

    #[test]
    fn a_hundred_deep() {
        let all: Vec<u64> = (1..=100).collect();
        let down = all.iter().map(|span| format!("+{span}")).collect::<Vec<_>>().join(" ");
        check(&down, &all);
        let without = |gone: &[u64]| all.iter().copied().filter(|span| !gone.contains(span)).collect::<Vec<_>>();
        check(&format!("{down} -80 -10 -64 -100"), &without(&[10, 64, 80, 100]));
    }
}
