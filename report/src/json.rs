//! A report for programs: the shape of `hangdog-schemas`, `verdict` first.

use std::fmt::Write as _;

use hangdog_schemas::Report;

use crate::escape;

/// The report as indented JSON with a line end. `verdict` comes first and is `null` when nothing is wrong.
///
/// Characters that a terminal would obey are written as `\uXXXX`, so the text is safe to look at too and
/// means the same.
///
/// # Panics
/// Never: a report is made of strings, numbers, lists and structures, all of which JSON can hold.
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report holds nothing that JSON cannot");
    text.push('\n');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Outside of strings JSON is ASCII and its only control character is our line end.
        if c != '\n' && escape::is_deceptive(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}
