//! The palette: every command of the key table by name, found by some of its letters; and times to go to.

use hangdog_schemas::RunNs;

use crate::command::Binding;
use crate::keymap::Keymap;

/// A line of the palette.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    Command(&'static Binding),
    /// Go to this time.
    Time(RunNs),
}

/// What matches a text, the best first. A text that is a time comes first of all.
pub(crate) fn entries(keys: &Keymap, text: &str) -> Vec<Entry> {
    let mut found: Vec<(u32, &'static Binding)> =
        keys.rows().filter_map(|(binding, _)| Some((distance(binding, text.trim())?, binding))).collect();
    found.sort_by_key(|(distance, _)| *distance);
    let commands = found.into_iter().map(|(_, binding)| Entry::Command(binding));
    time(text.trim()).map(Entry::Time).into_iter().chain(commands).collect()
}

/// How far a command is from a text; `None` when it does not match at all. A name that begins so is nearest, then one
/// that holds the text, then one that holds its letters in this order, then a description that holds its words.
fn distance(binding: &Binding, text: &str) -> Option<u32> {
    if text.is_empty() || binding.name.starts_with(text) {
        return Some(0);
    }
    if let Some(at) = binding.name.find(text) {
        return Some(10 + at as u32);
    }
    let mut letters = binding.name.char_indices();
    let mut gaps = 0;
    let mut before = None;
    let in_order =
        text.chars().filter(|c| !c.is_whitespace()).all(|wanted| match letters.find(|(_, c)| *c == wanted) {
            Some((at, _)) => {
                gaps += before.map_or(at, |before| at - before - 1) as u32;
                before = Some(at);
                true
            }
            None => false,
        });
    if in_order {
        return Some(100 + gaps);
    }
    text.split_whitespace().all(|word| binding.help.contains(word)).then_some(1_000)
}

/// `12.5`, `12.5s`, `1:02.345`, `1:00:00`.
fn time(text: &str) -> Option<RunNs> {
    let text = text.strip_suffix('s').unwrap_or(text);
    let mut parts = text.rsplit(':');
    let (whole, rest) = parts.next()?.split_once('.').unwrap_or((text.rsplit(':').next()?, ""));
    if whole.is_empty() || rest.len() > 9 || !rest.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = |part: &str| if part.bytes().all(|b| b.is_ascii_digit()) { part.parse::<u64>().ok() } else { None };
    let mut ns = digits(&format!("{rest:0<9}"))?.checked_add(digits(whole)?.checked_mul(1_000_000_000)?)?;
    for (part, unit) in parts.zip([60_000_000_000, 3_600_000_000_000]) {
        ns = ns.checked_add(digits(part)?.checked_mul(unit)?)?;
    }
    Some(RunNs(ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, first: &str) {
        let name = match entries(&Keymap::default(), text).first() {
            Some(Entry::Command(binding)) => binding.name.to_owned(),
            Some(Entry::Time(t)) => crate::text::clock(*t),
            None => String::new(),
        };
        assert_eq!(name, first, "{text:?}");
    }

    #[test]
    fn a_command_is_found_by_some_of_its_letters() {
        check("quit", "quit");
        check("snap", "next-snapshot");
        check("nsnap", "next-snapshot");
        check("ttrig", "to-trigger");
        check("faster", "faster");
        check("wait graph", "graph");
        check("zzz", "");
    }

    #[test]
    fn a_time_is_a_place_to_go_to() {
        check("12.5", "0:12.500");
        check("1:02.345", "1:02.345");
        check("1:00:02s", "1:00:02.000");
        check("99999999999999999999", "");
        check("1.2.3", "");
    }
}
