//! The states of a thread as a row of cells: a letter where a state begins, a shape of its own for each state
//! behind it. Where a column holds more than one state it shows the share of running instead.

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::{RunNs, ThreadId};
use hangdog_timeline::{ThreadAt, Timeline};

use crate::window::Window;

/// States and their words, for the legend.
pub(super) const LEGEND: [(TaskState, &str); 5] = [
    (TaskState::R, "running or ready to run"),
    (TaskState::S, "sleeping; nothing wakes it"),
    (TaskState::D, "sleeping, not interruptible"),
    (TaskState::T, "stopped (t: by a tracer)"),
    (TaskState::Z, "ended, nobody waited for it"),
];

/// Looks into one column at most so often: more changes than that are a density anyway.
const LOOKS: usize = 32;

/// What one column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// The thread was not there.
    Nothing,
    /// One state all the time; whether its counters moved.
    One { state: TaskState, woke: bool },
    /// Several; eighths of the time in which it ran.
    Several { running: u8 },
}

/// The shape of a state.
pub(super) fn fill(state: TaskState) -> char {
    match state {
        TaskState::R => '█',
        TaskState::S | TaskState::I => '─',
        TaskState::D => '═',
        TaskState::T => 'T',
        TaskState::Traced => 't',
        TaskState::Z | TaskState::X => '×',
        TaskState::Unknown => '?',
    }
}

/// The columns of a thread.
pub(super) fn cells(timeline: &Timeline, thread: ThreadId, window: Window, columns: u16) -> Vec<Cell> {
    let states = timeline.thread_states(thread);
    let process_end = timeline.process(thread.process).and_then(|process| process.end).map(|end| end.t);
    let gone = [timeline.thread_gone(thread), process_end].into_iter().flatten().min();
    let gone = gone.unwrap_or(RunNs(timeline.end().0.saturating_add(1)));
    (0..columns).map(|x| cell(states, gone, window.at(x, columns), window.at(x + 1, columns))).collect()
}

fn cell(states: &[ThreadAt], gone: RunNs, begin: RunNs, end: RunNs) -> Cell {
    let first = states.partition_point(|state| state.since <= begin);
    let after = states.partition_point(|state| state.since < end).max(first);
    let end = end.min(gone);
    if begin >= gone || after == 0 || end <= begin {
        return Cell::Nothing;
    }
    let from = first.saturating_sub(1);
    let inside = &states[from..after];
    let one = inside[0].state;
    let stride = inside.len().div_ceil(LOOKS).max(1);
    if inside.iter().step_by(stride).all(|look| look.state == one) {
        let woke = inside.windows(2).any(|pair| pair[0].vol != pair[1].vol || pair[0].cpu_ns != pair[1].cpu_ns);
        return Cell::One { state: one, woke };
    }
    let mut running = 0;
    for (i, look) in inside.iter().enumerate().step_by(stride) {
        let until = inside.get(i + stride).map_or(end, |next| next.since);
        if look.state == TaskState::R {
            running += until.0.saturating_sub(look.since.max(begin).0);
        }
    }
    let span = end.0.saturating_sub(begin.0).max(1);
    Cell::Several { running: (running.saturating_mul(8) / span).min(8) as u8 }
}

/// The sign of a column, given the one before it.
pub(super) fn sign(cell: Cell, before: Option<Cell>) -> char {
    let same = |state| matches!(before, Some(Cell::One { state: earlier, .. }) if earlier == state);
    match cell {
        Cell::Nothing => ' ',
        Cell::One { state, .. } if !same(state) => state.letter(),
        Cell::One { state: TaskState::S, woke: true } => '╌',
        Cell::One { state, .. } => fill(state),
        Cell::Several { running } => ['▁', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][usize::from(running.min(8))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(states: &[(u64, TaskState, u64)], gone: u64, expected: &str) {
        let states: Vec<ThreadAt> = states
            .iter()
            .map(|(since, state, vol)| ThreadAt {
                since: RunNs(*since),
                state: *state,
                cpu_ns: 0,
                vol: *vol,
                invol: 0,
            })
            .collect();
        let window = Window { start: RunNs(0), span: 100, lead: 0 };
        let mut before = None;
        let mut drawn = String::new();
        for x in 0..10 {
            let now = cell(&states, RunNs(gone), window.at(x, 10), window.at(x + 1, 10));
            drawn.push(sign(now, before));
            before = Some(now);
        }
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_state_has_its_letter_and_its_shape() {
        use TaskState::{D, R, S, T, Z};
        check(&[(0, R, 0), (30, S, 1)], 1000, "R██S──────");
        check(&[(20, D, 0), (60, T, 0), (80, Z, 0)], 1000, "  D═══TTZ×");
        check(&[(0, S, 0), (15, S, 1), (25, S, 2)], 1000, "S╌╌───────");
        check(&[(0, R, 0), (5, S, 1), (10, R, 1), (12, S, 2), (20, S, 2)], 60, "▄▁S───    ");
        check(&[], 1000, "          ");
    }
}
