//! The part of the run that the time line shows, and which column a moment falls into.

use hangdog_schemas::RunNs;

use crate::state::Way;

/// Shortest stretch that can be shown.
const SHORTEST: u64 = 1_000;

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: RunNs,
    /// Never 0.
    pub(crate) span: u64,
    /// So much of it lies before the run began: a second capture that is aligned can begin later than the first.
    pub(crate) lead: u64,
}

impl Window {
    /// All of a run that ends at `end`.
    pub(crate) fn whole(end: RunNs) -> Self {
        Self { start: RunNs(0), span: end.0.max(SHORTEST), lead: 0 }
    }

    /// Begin of a column out of `columns`; of column `columns`, the end of the window.
    pub(crate) fn at(self, column: u16, columns: u16) -> RunNs {
        let part = u128::from(self.span) * u128::from(column) / u128::from(columns.max(1));
        RunNs(self.start.0.saturating_add(part as u64).saturating_sub(self.lead))
    }

    /// The last moment that it shows.
    pub(crate) fn end(self) -> RunNs {
        RunNs(self.start.0.saturating_add(self.span).saturating_sub(self.lead))
    }

    /// The same stretch seen from another run, in which what is at `here` stands at `there`.
    pub(crate) fn seen_from(self, here: RunNs, there: RunNs) -> Self {
        let start = i128::from(self.start.0) - i128::from(self.lead) - i128::from(here.0) + i128::from(there.0);
        let nanoseconds = |n: i128| u64::try_from(n.max(0)).unwrap_or(u64::MAX);
        Self { start: RunNs(nanoseconds(start)), span: self.span, lead: nanoseconds(-start) }
    }

    /// The column that a moment falls into; `None` outside the window. The window's end belongs to the last column.
    pub(crate) fn column(self, t: RunNs, columns: u16) -> Option<u16> {
        let offset = t.0.saturating_add(self.lead).checked_sub(self.start.0)?;
        if offset > self.span || columns == 0 {
            return None;
        }
        // The inverse of `at`, which rounds down: the last column whose begin is not after `t`.
        let column = ((u128::from(offset) + 1) * u128::from(columns) - 1) / u128::from(self.span);
        Some((column as u16).min(columns - 1))
    }

    /// Twice as near or as far, with `around` where it was on the screen.
    pub(crate) fn zoom(self, way: Way, around: RunNs, end: RunNs) -> Self {
        let whole = Self::whole(end);
        let span = match way {
            Way::On => self.span / 2,
            Way::Back => self.span.saturating_mul(2),
        };
        let span = span.clamp(SHORTEST.min(whole.span), whole.span);
        let offset = around.0.saturating_sub(self.start.0);
        let scaled = u128::from(offset) * u128::from(span) / u128::from(self.span);
        Self { start: RunNs(around.0.saturating_sub(scaled as u64)), span, lead: 0 }.within(end)
    }

    /// Moved so that it shows `t`, a fifth of the window away from the border that `t` lay behind.
    pub(crate) fn showing(self, t: RunNs, end: RunNs) -> Self {
        let last = self.start.plus(self.span);
        let margin = self.span / 5;
        let start = if t < self.start {
            RunNs(t.0.saturating_sub(margin))
        } else if t > last {
            RunNs((t.0.saturating_add(margin)).saturating_sub(self.span))
        } else {
            self.start
        };
        Self { start, ..self }.within(end)
    }

    fn within(self, end: RunNs) -> Self {
        let latest = Self::whole(end).span.saturating_sub(self.span);
        Self { start: RunNs(self.start.0.min(latest)), ..self }
    }

    /// Times for the axis: round steps, at least `apart` columns from each other.
    pub(crate) fn ticks(self, columns: u16, apart: u16) -> Vec<RunNs> {
        let most = u64::from((columns / apart.max(1)).max(1));
        let step = round_up(self.span / most);
        let first = self.start.0.div_ceil(step);
        let end = self.end().0.div_ceil(step);
        (first..end).map(|n| RunNs(n * step)).collect()
    }
}

/// The next of 1, 2, 5 times a power of ten; above a second also 15 s, 30 s, minutes.
fn round_up(ns: u64) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    const LONG: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    if let Some(seconds) = LONG.iter().find(|seconds| **seconds * SECOND >= ns)
        && ns > SECOND / 2
    {
        return seconds * SECOND;
    }
    let mut step = if ns > SECOND { 3600 * SECOND } else { 1 };
    loop {
        for times in [1, 2, 5] {
            if step * times >= ns {
                return step * times;
            }
        }
        step = step.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_holds_the_moments_from_its_begin_to_the_next() {
        for (start, span, columns) in [(0, 1000, 10), (3, 1001, 7), (500, 1_000_000_007, 133), (0, 1000, 2000)] {
            let window = Window { start: RunNs(start), span, lead: 0 };
            for column in 0..columns {
                let begin = window.at(column, columns);
                if window.at(column + 1, columns) > begin {
                    assert_eq!(window.column(begin, columns), Some(column), "{window:?} {columns}");
                }
            }
            assert_eq!(window.column(RunNs(start + span), columns), Some(columns - 1));
            assert_eq!(window.column(RunNs(start + span + 1), columns), None);
        }
    }

    #[test]
    fn zoom_keeps_the_cursor_in_place_and_ends_at_the_whole() {
        let end = RunNs(1_000_000);
        let window = Window::whole(end).zoom(Way::On, RunNs(500_000), end);
        assert_eq!(window, Window { start: RunNs(250_000), span: 500_000, lead: 0 });
        assert_eq!(window.zoom(Way::Back, RunNs(500_000), end), Window::whole(end));
        assert_eq!(window.showing(RunNs(900_000), end), Window { start: RunNs(500_000), span: 500_000, lead: 0 });
    }

    #[test]
    fn a_run_that_began_later_has_empty_columns_first() {
        let window = Window { start: RunNs(0), span: 1_000, lead: 0 };
        // What is at 600 here stands at 200 there: 400 of the window lie before that run.
        let other = window.seen_from(RunNs(600), RunNs(200));
        assert_eq!((other.column(RunNs(0), 10), other.column(RunNs(200), 10)), (Some(4), Some(6)));
        assert_eq!((other.at(2, 10), other.at(6, 10), other.end()), (RunNs(0), RunNs(200), RunNs(600)));
        let back = window.seen_from(RunNs(200), RunNs(600));
        assert_eq!((back.start, back.lead, back.end()), (RunNs(400), 0, RunNs(1_400)));
    }

    #[test]
    fn ticks_are_round() {
        let window = Window { start: RunNs(1_500_000_000), span: 30_000_000_000, lead: 0 };
        let ticks: Vec<u64> = window.ticks(60, 10).iter().map(|t| t.0 / 1_000_000_000).collect();
        assert_eq!(ticks, [5, 10, 15, 20, 25, 30]);
        assert_eq!(round_up(3_000), 5_000);
        assert_eq!(round_up(1), 1);
        assert_eq!(round_up(40_000_000_000), 60_000_000_000);
    }
}
