//! One line of the table: what is measured, beside what, and what it may cost.

use crate::clock::Effort;

/// Something that is measured.
pub(crate) struct Line {
    /// What it is, once in the table.
    pub(crate) name: &'static str,
    /// The line that it is compared with, by name.
    pub(crate) base: Option<&'static str>,
    /// What the number is.
    pub(crate) unit: Unit,
    /// What it may cost; peers and bases have none.
    pub(crate) target: Target,
    /// Settings of the recorder, as a user would give them.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Measures it, in a process of its own.
    pub(crate) measure: fn(Effort) -> Measured,
}

impl Line {
    /// CPU time in ns, compared with nothing.
    pub(crate) const fn new(name: &'static str, measure: fn(Effort) -> Measured) -> Self {
        Self { name, base: None, unit: Unit::Ns, target: Target::NONE, environment: &[], measure }
    }

    /// Compared with this line.
    pub(crate) const fn beside(self, base: &'static str) -> Self {
        Self { base: Some(base), ..self }
    }

    /// In another unit.
    pub(crate) const fn in_unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// With a target.
    pub(crate) const fn wanted(self, target: Target) -> Self {
        Self { target, ..self }
    }

    /// With these settings.
    pub(crate) const fn with(self, environment: &'static [(&'static str, &'static str)]) -> Self {
        Self { environment, ..self }
    }
}

/// The number, or why there is none.
pub(crate) type Measured = Result<f64, String>;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// CPU time of the calling thread.
    Ns,
    /// Memory.
    Bytes,
    /// Memory, more of it.
    KiB,
    /// Of one core, or more than before.
    Percent,
    /// A ratio that was taken within one process.
    Times,
    /// Of things that should not be there.
    Count,
}

impl Unit {
    /// A number with its unit.
    pub(crate) fn show(self, number: f64) -> String {
        // Not "-0.0".
        let number = if number.abs() < 5e-4 { 0.0 } else { number };
        let digits = usize::from(number.abs() < 99.95);
        match self {
            Self::Ns => format!("{number:.digits$} ns"),
            Self::Bytes => format!("{number:.digits$} B"),
            Self::KiB => format!("{number:.0} KiB"),
            Self::Percent => format!("{number:.2} %"),
            Self::Times => format!("{number:.3}×"),
            Self::Count => format!("{}", (number * 1000.0).round() / 1000.0),
        }
    }
}

/// What a line may cost, in the unit of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Target {
    /// At most this, by itself.
    pub(crate) itself: Option<f64>,
    /// At most this more than the base.
    pub(crate) over: Option<f64>,
    /// At most this many times the base.
    pub(crate) times: Option<f64>,
}

impl Target {
    /// Measured for comparison only.
    pub(crate) const NONE: Self = Self { itself: None, over: None, times: None };

    /// At most `limit`.
    pub(crate) const fn itself(limit: f64) -> Self {
        Self { itself: Some(limit), ..Self::NONE }
    }

    /// At most `limit` more than the base.
    pub(crate) const fn over(limit: f64) -> Self {
        Self { over: Some(limit), ..Self::NONE }
    }

    /// And at most `limit` times the base.
    pub(crate) const fn and_times(self, limit: f64) -> Self {
        Self { times: Some(limit), ..self }
    }

    /// Whether it is met; `None` when there is nothing to meet or something was not measured.
    pub(crate) fn met(&self, itself: f64, over: Option<f64>, times: Option<f64>) -> Option<bool> {
        let checks = [(self.itself, Some(itself)), (self.over, over), (self.times, times)];
        let wanted = checks.iter().filter(|(limit, _)| limit.is_some()).count();
        let judged: Vec<bool> = checks.iter().filter_map(|(limit, seen)| Some((*seen)? <= (*limit)?)).collect();
        (wanted > 0 && judged.len() == wanted).then(|| judged.iter().all(|met| *met))
    }
}

/// The lines with one of these words in their names, and the lines that those are compared with. All without words.
pub(crate) fn select<'a>(lines: &[&'a Line], words: &[String]) -> Vec<&'a Line> {
    let named = |line: &Line| words.is_empty() || words.iter().any(|word| line.name.contains(word.as_str()));
    let bases: Vec<_> = lines.iter().filter(|line| named(line)).filter_map(|line| line.base).collect();
    lines.iter().copied().filter(|line| named(line) || bases.contains(&line.name)).collect()
}
