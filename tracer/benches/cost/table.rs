//! The Markdown table.

use std::fmt::Write as _;

use crate::clock::{median, spread};
use crate::line::{Line, Target};
use crate::lines;
use crate::rounds::Row;

/// The rows under the headings of their groups.
pub(crate) fn markdown(rows: &[Row<'_>]) -> String {
    let mut text = String::from(
        "| what | measured | ± | over its base | × base | target | |\n| --- | --: | --: | --: | --: | --- | --- |\n",
    );
    for (heading, group) in lines::GROUPS {
        let mut of_group = rows.iter().filter(|row| group.iter().any(|line| line.name == row.line.name)).peekable();
        if of_group.peek().is_some() {
            let _ = writeln!(text, "| **{heading}** | | | | | | |");
        }
        for row in of_group {
            let base = row.line.base.and_then(|base| rows.iter().find(|row| row.line.name == base));
            let _ = writeln!(text, "{}", shown(row, base));
        }
    }
    text
}

fn shown(row: &Row<'_>, base: Option<&Row<'_>>) -> String {
    let Line { name, unit, target, .. } = row.line;
    let numbers: Vec<f64> = row.rounds.iter().filter_map(|round| round.as_ref().ok()).copied().collect();
    if numbers.is_empty() {
        let why = row.rounds.iter().find_map(|round| round.as_ref().err()).map_or("no round", String::as_str);
        return format!("| {name} | not measured: {} | | | | {} | |", why.replace('|', "/"), wanted(row.line));
    }
    // Taken within a round, so that what slows both does not count.
    let both = |how: fn(f64, f64) -> f64| -> Option<Vec<f64>> {
        let together = row.rounds.iter().zip(&base?.rounds);
        let taken: Vec<f64> =
            together.filter_map(|(it, base)| Some(how(*it.as_ref().ok()?, *base.as_ref().ok()?))).collect();
        (!taken.is_empty()).then_some(taken)
    };
    let (over, times) = (both(|it, base| it - base), both(|it, base| it / base));
    let apart = spread(over.as_ref().unwrap_or(&numbers).iter().copied());
    let (itself, over, times) = (median(numbers), over.map(median), times.map(median));
    let verdict = match target.met(itself, over, times) {
        None if *target == Target::NONE => "",
        None => "not known",
        Some(true) => "met",
        Some(false) => "**not met**",
    };
    format!(
        "| {name} | {} | {} | {} | {} | {} | {verdict} |",
        unit.show(itself),
        unit.show(apart),
        over.map_or(String::new(), |over| format!("{}{}", if over < 0.0 { "" } else { "+" }, unit.show(over))),
        times.map_or(String::new(), |times| format!("{:.2}×", times.max(0.0))),
        wanted(row.line),
    )
}

/// The target in words.
fn wanted(line: &Line) -> String {
    let Target { itself, over, times } = line.target;
    let parts = [
        itself.map(|limit| format!("≤ {}", line.unit.show(limit))),
        over.map(|limit| format!("≤ +{}", line.unit.show(limit))),
        times.map(|limit| format!("≤ {limit:.2}×")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
