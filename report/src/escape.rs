//! Strings of other programs made harmless for the place where they are shown.
//!
//! A process can be called `\x1b]0;pwned\x07`, a file `<script>`, a phase `::error::`, a directory can hold a
//! right-to-left override. Such characters are made visible, never dropped: a name that was cleaned silently
//! could not be found again. A backslash stays itself, so what is shown can be read but not parsed back.
//!
//! | function | place |
//! | --- | --- |
//! | [`terminal`], [`ascii`] | a terminal or a log |
//! | [`html`] | HTML text and quoted attributes |
//! | [`xml`] | XML 1.0 text and quoted attributes |
//! | [`markdown`], [`markdown_code`] | GitHub flavoured Markdown |
//! | [`workflow_command`], [`workflow_property`] | `::error title=…::…` of GitHub Actions |

use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters that are not shown as themselves: control characters (C0, DEL, C1), line separators, and
/// format characters that reorder or hide text (Unicode category Cf).
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
            | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn show(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if u32::from(c) < 0x80 => _ = write!(out, "\\x{:02x}", u32::from(c)),
        c => _ = write!(out, "\\u{{{:x}}}", u32::from(c)),
    }
}

/// For a terminal or a log: nothing in it moves the cursor, changes colours, reorders text or starts a new line.
/// `##[`, which old GitHub runners take for a command anywhere in a line, is broken up too.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_deceptive) && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_deceptive(c) {
            show(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out.replace("##[", "#\\x23["))
}

/// For a terminal that knows ASCII only.
pub fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            c if c.is_ascii() => out.push(c),
            '…' => out.push_str("..."),
            '·' => out.push('-'),
            '→' => out.push_str("->"),
            c => show(&mut out, c),
        }
    }
    out
}

/// For HTML text and for attributes in double or single quotes.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_deceptive(c) => show(&mut out, c),
            // `##[` as in `terminal`: pages are printed into logs too.
            '#' if out.ends_with('#') => out.push_str("&#35;"),
            c => out.push(c),
        }
    }
    out
}

/// For XML 1.0 text and quoted attributes. The entities are those of HTML; characters that XML cannot hold
/// even as a reference (most of C0, U+FFFE, U+FFFF) are made visible like all the others.
pub fn xml(text: &str) -> String {
    html(text).replace('\u{fffe}', "\\u{fffe}").replace('\u{ffff}', "\\u{ffff}")
}

/// XML text of several lines: as [`xml`], but line ends stay.
pub fn xml_lines(text: &str) -> String {
    text.lines().map(xml).collect::<Vec<_>>().join("\n")
}

/// For running text in Markdown: no markup, no HTML, no mention, no link.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // An empty comment ends what GitHub would turn into a mention or a link.
            '@' => out.push_str("@<!-- -->"),
            ':' if rest.starts_with("://") => out.push_str(":<!-- -->"),
            '.' if out.ends_with("www") => out.push_str("<!-- -->."),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '-' | '!' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // `1.` at the start of a line would be a list.
            '.' if out.chars().all(|c| c.is_ascii_digit()) => out.push_str("\\."),
            // A backslash in Markdown escapes the next character, so the visible form needs two.
            c if is_deceptive(c) => {
                let mut shown = String::new();
                show(&mut shown, c);
                out.push_str(&shown.replace('\\', "\\\\").replace('{', "\\{").replace('}', "\\}"));
            }
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// As a code span in Markdown, in as many backticks as it takes.
pub fn markdown_code(text: &str) -> String {
    let shown = terminal(text);
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if shown.is_empty() {
        "` `".to_owned()
    } else if shown.starts_with('`') || shown.ends_with('`') || shown.starts_with(' ') {
        format!("{fence} {shown} {fence}")
    } else {
        format!("{fence}{shown}{fence}")
    }
}

/// For the message of a GitHub workflow command.
pub fn workflow_command(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// For a property of a GitHub workflow command, such as `title=`.
pub fn workflow_property(text: &str) -> String {
    workflow_command(text).replace(':', "%3A").replace(',', "%2C")
}

/// Keeps a line of a log from being taken for a GitHub workflow command, which may stand after blanks:
/// `  ::stop-commands::x`.
pub(crate) fn not_a_command(line: String) -> String {
    let text = line.trim_start();
    if text.starts_with("::") {
        let blanks = line.len() - text.len();
        format!("{}\\x3a{}", &line[..blanks], &text[1..])
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(by: impl Fn(&str) -> String, rows: &[(&str, &str)]) {
        for (text, expected) in rows {
            assert_eq!(by(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_reaches_a_terminal_that_it_would_obey() {
        check(
            |text| terminal(text).into_owned(),
            &[
                ("plain ünïcode 漢字", "plain ünïcode 漢字"),
                ("a\nb\r\tc", "a\\nb\\r\\tc"),
                ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
                ("\x7f\u{9b}2J", "\\x7f\\u{9b}2J"),
                ("evil\u{202e}txt.exe\u{2066}", "evil\\u{202e}txt.exe\\u{2066}"),
                ("zero\u{200b}width\u{feff}\u{e0041}", "zero\\u{200b}width\\u{feff}\\u{e0041}"),
                ("line\u{2028}sep\u{85}", "line\\u{2028}sep\\u{85}"),
                ("##[error]x", "#\\x23[error]x"),
                ("C:\\n stays", "C:\\n stays"),
            ],
        );
    }

    #[test]
    fn an_ascii_terminal_gets_ascii() {
        check(ascii, &[("…/a → b", ".../a -> b"), ("é", "\\u{e9}")]);
    }

    #[test]
    fn html_and_xml_hold_no_markup() {
        check(
            html,
            &[
                ("<script>alert('1\"')&", "&lt;script&gt;alert(&#39;1&quot;&#39;)&amp;"),
                ("\u{202e}", "\\u{202e}"),
                ("a\nb", "a\\nb"),
            ],
        );
        check(xml, &[("]]>\0\u{ffff}", "]]&gt;\\x00\\u{ffff}"), ("\x1b&", "\\x1b&amp;")]);
        check(xml_lines, &[("a<\nb\x0b", "a&lt;\nb\\x0b")]);
    }

    #[test]
    fn markdown_holds_no_markup_no_mention_and_no_link() {
        check(
            markdown,
            &[
                ("*a* _b_ `c` [d](e)", "\\*a\\* \\_b\\_ \\`c\\` \\[d\\]\\(e\\)"),
                ("@team", "@<!-- -->team"),
                ("https://x", "https:<!-- -->//x"),
                ("www.x.y", "www<!-- -->.x.y"),
                ("<b>|", "&lt;b&gt;\\|"),
                ("1. list", "1\\. list"),
                ("a\nb", "a\\\\nb"),
                ("\u{202e}", "\\\\u\\{202e\\}"),
            ],
        );
        check(markdown_code, &[("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("", "` `"), ("a\nb", "`a\\nb`")]);
    }

    #[test]
    fn workflow_commands_stay_one_command() {
        check(workflow_command, &[("50%\r\n::error::x", "50%25%0D%0A::error::x")]);
        check(workflow_property, &[("a:b,c%", "a%3Ab%2Cc%25")]);
        check(
            |text| not_a_command(text.to_owned()),
            &[("  ::error::x", "  \\x3a:error::x"), ("a::b", "a::b"), ("::", "\\x3a:")],
        );
    }
}
