//! A page of lines: paragraphs wrapped to a width, with a prefix before the first line and another before the rest.

use unicode_width::UnicodeWidthStr;

use crate::escape;
use crate::style::{Glyphs, Ink, Style};

/// Lines of text in the making. All that goes through [`para`](Self::para) is escaped; prefixes are our own.
pub(crate) struct Page<'a> {
    style: &'a Style,
    out: String,
}

impl<'a> Page<'a> {
    pub(crate) fn new(style: &'a Style) -> Self {
        Self { style, out: String::new() }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    pub(crate) fn blank(&mut self) {
        self.out.push('\n');
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.blank();
        self.out.push_str(&self.style.paint(Ink::Strong, text));
        self.out.push('\n');
    }

    /// A paragraph: `first` before its first line, as many blanks before the others.
    pub(crate) fn para(&mut self, first: &str, ink: Ink, text: &str) {
        let rest = " ".repeat(first.width());
        for (i, line) in wrap(&safe(text, self.style), self.style.width.saturating_sub(rest.len())).iter().enumerate()
        {
            let prefix = if i == 0 { first } else { &rest };
            self.raw(prefix, ink, line);
        }
    }

    /// One item of a list.
    pub(crate) fn item(&mut self, ink: Ink, text: &str) {
        self.para("  - ", ink, text);
    }

    /// A line that must stay one line, so that it can be copied: a command, a path.
    pub(crate) fn whole(&mut self, prefix: &str, ink: Ink, text: &str) {
        let text = safe(text, self.style);
        self.raw(prefix, ink, &text);
    }

    /// A line that is escaped and wrapped already.
    pub(crate) fn raw(&mut self, prefix: &str, ink: Ink, text: &str) {
        let line = escape::not_a_command(format!("{prefix}{text}"));
        // The prefix is never changed by the line above: only text after it can begin with colons.
        let (prefix, text) = line.split_at(prefix.len().min(line.len()));
        if text.is_empty() {
            self.out.push_str(prefix.trim_end());
        } else {
            self.out.push_str(prefix);
            self.out.push_str(&self.style.paint(ink, text));
        }
        self.out.push('\n');
    }
}

/// Escapes for the terminal that the style describes.
pub(crate) fn safe(text: &str, style: &Style) -> String {
    match style.glyphs {
        Glyphs::Unicode => escape::terminal(text).into_owned(),
        Glyphs::Ascii => escape::ascii(text),
    }
}

/// Breaks at blanks. A word that is longer than a line stays whole: paths must be copied.
/// A word of more than four lines (somebody else's name for something) is broken all the same.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(16);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').flat_map(|word| pieces(word, width * 4)) {
        let columns = word.width();
        if used > 0 && used + 1 + columns > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 || (lines.is_empty() && !line.is_empty()) {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += columns;
    }
    lines.push(line);
    lines
}

fn pieces(word: &str, longest: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while rest.chars().count() > longest {
        let at = rest.char_indices().nth(longest).map_or(rest.len(), |(at, _)| at);
        pieces.push(&rest[..at]);
        rest = &rest[at..];
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn words_stay_whole_and_lines_short() {
        assert_eq!(wrap("one two three four five", 16), ["one two three", "four five"]);
        assert_eq!(
            wrap("see /a/very/long/path/that/runs/over here", 16),
            ["see", "/a/very/long/path/that/runs/over", "here"]
        );
        assert_eq!(wrap("漢字漢字 漢字漢字 漢字", 16), ["漢字漢字", "漢字漢字 漢字"]);
        assert_eq!(wrap("", 16), [""]);
        assert_eq!(wrap(&"x".repeat(200), 20).len(), 3);
    }
}
