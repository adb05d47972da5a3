//! Text for cells: made harmless, cut to a width, wrapped; times in words.

use std::borrow::Cow;

use hangdog_schemas::{Actor, RunNs};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A string of another program, safe to print. The one door for such strings.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    hangdog_report::escape::terminal(text)
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Cut at the end to `columns`.
pub(crate) fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else { return Cow::Borrowed("") };
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= room
    });
    Cow::Owned(kept.chain(['…']).collect())
}

/// Cut at the front to `columns`: of a path, the end says most.
pub(crate) fn fit_tail(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else { return Cow::Borrowed("") };
    let mut used = 0;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        from = at;
    }
    Cow::Owned(format!("…{}", &text[from..]))
}

/// Cut in the middle to `columns`: of who did what to which path, both ends say something.
pub(crate) fn fit_middle(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let first = columns / 2;
    Cow::Owned(format!(
        "{}{}",
        fit(text, first).trim_end_matches('…'),
        fit_tail(text, (columns - first + 1).min(columns))
    ))
}

/// Lines of at most `columns`, broken at spaces; a word that is longer than a line is broken anywhere.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + c.width().unwrap_or(0) > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// A moment: `1:02.345`, `1:00:02.345` from an hour on.
pub(crate) fn clock(t: RunNs) -> String {
    let ms = t.0 / 1_000_000;
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, rest) = (ms / 1000 % 60, ms % 1000);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{rest:03}")
    } else {
        format!("{minutes}:{seconds:02}.{rest:03}")
    }
}

/// A length of time in few letters: `3 µs`, `120 ms`, `4.2 s`, `3m 05s`, `2h 10m`.
pub(crate) fn lasting(ns: u64) -> String {
    match ns {
        0 => "0 s".to_owned(),
        1..1_000_000 => format!("{} µs", ns / 1000),
        1_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        1_000_000_000..60_000_000_000 => format!("{}.{} s", ns / 1_000_000_000, ns / 100_000_000 % 10),
        60_000_000_000..3_600_000_000_000 => {
            format!("{}m {:02}s", ns / 60_000_000_000, ns / 1_000_000_000 % 60)
        }
        _ => format!("{}h {:02}m", ns / 3_600_000_000_000, ns / 60_000_000_000 % 60),
    }
}

/// `comm[pid]`, or `comm[pid/tid]` for another thread than the first.
pub(crate) fn actor(actor: &Actor) -> String {
    let comm = clean(&actor.comm);
    if actor.tid.0 == actor.pid.0 {
        format!("{comm}[{}]", actor.pid)
    } else {
        format!("{comm}[{}/{}]", actor.pid, actor.tid)
    }
}

/// Whether every word of a filter stands somewhere in `text`. The words are lowercase.
#[expect(clippy::needless_pass_by_value, reason = "an iterator that is cloned for each word")]
pub(crate) fn matches<'a>(words: &str, texts: impl Iterator<Item = &'a str> + Clone) -> bool {
    words.split_whitespace().all(|word| texts.clone().any(|text| contains(text, word)))
}

fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() {
        text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    } else {
        text.to_lowercase().contains(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_it_says_least() {
        for (columns, end, tail) in
            [(20, "/mnt/x/é/file", "/mnt/x/é/file"), (8, "/mnt/x/…", "…/é/file"), (1, "…", "…"), (0, "", "")]
        {
            assert_eq!(fit("/mnt/x/é/file", columns), end);
            assert_eq!(fit_tail("/mnt/x/é/file", columns), tail);
        }
        assert_eq!(fit("日本語", 4), "日…");
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("who waits on what", 10), ["who waits", "on what"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }

    #[test]
    fn times_are_short() {
        assert_eq!(clock(RunNs(62_345_000_000)), "1:02.345");
        assert_eq!(clock(RunNs(3_600_000_000_000)), "1:00:00.000");
        for (ns, words) in [
            (0, "0 s"),
            (4_200, "4 µs"),
            (120_000_000, "120 ms"),
            (4_250_000_000, "4.2 s"),
            (185_000_000_000, "3m 05s"),
            (7_800_000_000_000, "2h 10m"),
        ] {
            assert_eq!(lasting(ns), words);
        }
    }

    #[test]
    fn a_filter_asks_for_all_its_words() {
        let texts = ["indexd", "/mnt/Über", "4412"];
        for (filter, expected) in
            [("index", true), ("44 dexd", true), ("44 nginx", false), ("über", true), ("zz", false), ("", true)]
        {
            assert_eq!(matches(filter, texts.iter().copied()), expected, "{filter:?}");
        }
    }
}
