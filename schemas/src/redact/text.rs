//! Secrets in free text, found word by word in one pass.

use super::{REMOVED, Redacted, secret};

/// Schemes of an `Authorization` header.
const SCHEMES: &[&str] = &["basic", "bearer", "digest", "negotiate", "token"];

/// Headers whose value goes to the end of the line.
const HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// A byte of a word: of a name, a flag, a token.
fn in_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+')
}

/// Whether a text is one word.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(in_word)
}

/// Whether a word is the scheme of an `Authorization` header.
pub(super) fn is_scheme(word: &str) -> bool {
    SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether a token follows this word.
pub(super) fn is_bearer(word: &str) -> bool {
    word.eq_ignore_ascii_case("bearer")
}

struct Pass<'a> {
    text: &'a str,
    at: usize,
    kept: String,
    removed: Vec<String>,
}

/// Removes secrets from free text.
pub(super) fn redact(text: &str) -> Redacted<String> {
    let mut pass = Pass { text, at: 0, kept: String::with_capacity(text.len()), removed: Vec::new() };
    while pass.at < text.len() {
        pass.step();
    }
    Redacted { value: pass.kept, removed: pass.removed }
}

impl<'a> Pass<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes on over `bytes` that are kept.
    fn keep(&mut self, bytes: usize) {
        self.kept.push_str(&self.rest()[..bytes]);
        self.at += bytes;
    }

    /// Goes on over `bytes` that are not.
    fn remove(&mut self, bytes: usize, what: &str) {
        if bytes > 0 {
            self.kept.push_str(REMOVED);
            self.removed.push(what.to_owned());
            self.at += bytes;
        }
    }

    fn step(&mut self) {
        let rest = self.rest();
        if rest.starts_with("-----BEGIN ") {
            let line = rest.lines().next().unwrap_or(rest);
            if line.contains("PRIVATE KEY") {
                let end = rest.find("-----END ").map_or(rest.len(), |end| end + line_len(&rest[end..]));
                return self.remove(end, "a private key");
            }
        }
        if rest.starts_with("://") {
            self.keep(3);
            return self.authority();
        }
        let word = &rest[..rest.bytes().position(|b| !in_word(b)).unwrap_or(rest.len())];
        if word.is_empty() {
            return self.keep(rest.chars().next().map_or(1, char::len_utf8));
        }
        self.word(word);
    }

    fn word(&mut self, word: &'a str) {
        if let Some(what) = secret::shape(word) {
            return self.remove(word.len() + padding(&self.rest()[word.len()..]), what);
        }
        // A folder may be called `keys`.
        let in_path = self.text[..self.at].ends_with('/');
        self.keep(word.len());
        if is_bearer(word) {
            return self.next_word(word);
        }
        if in_path || !secret::is_name(word) {
            return;
        }
        let Some(separator) = separator(word, self.rest()) else {
            if word.starts_with('-') {
                self.next_word(word);
            }
            return;
        };
        self.keep(separator);
        if HEADERS.iter().any(|header| word.eq_ignore_ascii_case(header)) {
            self.header(word);
        } else {
            self.remove(value_len(self.rest()), word);
        }
    }

    /// The word after a flag or a scheme.
    fn next_word(&mut self, name: &str) {
        let blanks = blanks(self.rest());
        if blanks > 0 && !self.rest()[blanks..].starts_with("--") {
            self.keep(blanks);
            self.remove(value_len(self.rest()), name);
        }
    }

    /// The value of a header, up to the end of the line or of the quotes around it.
    fn header(&mut self, name: &str) {
        let rest = self.rest();
        let value = &rest[..rest.find(['\n', '\r', '"', '\'']).unwrap_or(rest.len())];
        let first = value.split(' ').next().unwrap_or_default();
        if is_scheme(first) && first.len() < value.len() {
            self.keep(first.len() + 1);
            self.remove(value.len() - first.len() - 1, name);
        } else {
            self.remove(value.len(), name);
        }
    }

    /// The authority of a URL: `user:password@host`.
    fn authority(&mut self) {
        let rest = self.rest();
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '`'));
        let Some(at) = rest[..end.unwrap_or(rest.len())].rfind('@') else { return };
        match rest[..at].find(':') {
            Some(colon) => {
                self.keep(colon + 1);
                self.remove(at - colon - 1, "the password of a URL");
            }
            // A token alone, or the name of a user as in `ssh://git@host`.
            None if at >= 20 => self.remove(at, "the user of a URL"),
            None => self.keep(at),
        }
    }
}

/// How long the sign between a name and its value is; `None` when there is none.
fn separator(name: &str, rest: &str) -> Option<usize> {
    let quote = usize::from(rest.starts_with(['"', '\'']));
    let after = &rest[quote..];
    if after.starts_with('=') {
        return Some(quote + 1);
    }
    // A colon alone is too common in prose ("unexpected token: …").
    let name = name.to_ascii_lowercase();
    let meant = quote > 0
        || name.contains('-')
        || HEADERS.contains(&name.as_str())
        || ["pass", "secret", "credential", "api_key", "apikey"].iter().any(|part| name.contains(part));
    (meant && after.starts_with(':')).then(|| quote + 1 + blanks(&after[1..]))
}

/// How long a value is: to the closing quote, or to the next blank or end of a list.
fn value_len(rest: &str) -> usize {
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let ends = |c: char| c.is_whitespace() || matches!(c, '&' | ';' | ',' | '"' | '\'' | '`' | ')' | '}' | ']');
        return rest.find(ends).unwrap_or(rest.len());
    };
    rest[1..].find(quote).map_or(rest.len(), |end| end + 2)
}

fn blanks(text: &str) -> usize {
    text.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

fn padding(text: &str) -> usize {
    text.bytes().take_while(|b| *b == b'=').count()
}

fn line_len(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}
