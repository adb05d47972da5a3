//! What of a stream's text goes into the capture: whole lines as they come, without secrets, while the
//! budget lasts; and at a trigger all of the end that there is. Pure.
//!
//! ```text
//! stream:  |hello\n|tok|en=x\n|aaaa…(much)…|aaaa…|      trigger
//! capture:  hello   ·  token=[removed]  ·      ·     the last 64 KiB
//! ```
//!
//! A secret must not get through in two halves. So a line is given when it is complete (or has stood for a
//! whole look); what was given of an unfinished line, or of a private key, is remembered, and the rest is
//! redacted together with it.

use std::fmt::Write as _;

use hangdog_schemas::{RunNs, redact};

/// What may be given at once after a quiet time.
const BURST: u64 = 64 << 10;
/// What a second adds to it.
const A_SECOND: u64 = 4 << 10;
/// A line that is longer is given in pieces.
const LONGEST_LINE: usize = 16 << 10;

/// No private key is longer.
const LONGEST_KEY: usize = 16 << 10;

/// How much is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whole lines, within the budget.
    Lines,
    /// Everything, but for a line that is just being written.
    Quiet,
    /// Everything: nothing more will come.
    Rest,
}

/// Follows the text of one stream.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// How much of the stream was given or lost.
    at: u64,
    /// What was given and may be the first half of a secret.
    before: Vec<u8>,
    /// Bytes of the private key that `before` begins.
    in_key: usize,
    budget: u64,
    refilled: Option<RunNs>,
    lost: u64,
}

impl Text {
    /// Where the next text begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether it is worth fetching what lies between here and `end`.
    pub(super) fn wants(&mut self, now: RunNs, end: u64, wanted: Wanted) -> bool {
        let since = self.refilled.replace(now).map_or(u64::MAX, |then| now.0.saturating_sub(then.0));
        let added = u128::from(since) * u128::from(A_SECOND) / 1_000_000_000;
        // Less than a byte is not forgotten over many looks: a look comes four times a second at most.
        self.budget = BURST.min(self.budget.saturating_add(u64::try_from(added).unwrap_or(BURST)));
        end > self.at && (wanted != Wanted::Lines || end - self.at <= self.budget)
    }

    /// The text of `bytes`, which lie at `from` in the stream, as far as it is to be given now.
    pub(super) fn take(&mut self, from: u64, bytes: &[u8], wanted: Wanted) -> Option<String> {
        let mut bytes = bytes;
        if from > self.at {
            let cut = after_line_end(bytes);
            self.lost += from - self.at + cut as u64;
            self.at = from + cut as u64;
            bytes = &bytes[cut..];
            self.before.clear();
        }
        let last_line = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = match wanted {
            Wanted::Rest => bytes.len(),
            _ if bytes.len() - last_line > LONGEST_LINE => bytes.len(),
            Wanted::Lines | Wanted::Quiet => last_line,
        };
        if end == 0 {
            return None;
        }
        let given = &bytes[..end];
        self.at += end as u64;
        self.budget = self.budget.saturating_sub(end as u64);
        let text = redacted(&self.before, given);
        self.before = may_go_on(&[&self.before, given].concat());
        // A line that only looks like the begin of a key has no end; it must not hide all that follows.
        self.in_key = if open_key(&self.before).is_some() { self.in_key + end } else { 0 };
        if self.in_key > LONGEST_KEY {
            self.before.clear();
        }
        (!text.is_empty()).then_some(text)
    }

    /// Bytes of text that were overwritten before they could be given, since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

/// After a loss the first line is the end of one, which may be the end of a secret.
fn after_line_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// What `new` adds to `before`, which was given already.
fn redacted(before: &[u8], new: &[u8]) -> String {
    let whole = redact::text(&readable(&[before, new].concat())).value;
    if before.is_empty() {
        return whole;
    }
    let known = redact::text(&readable(before)).value;
    let same: usize =
        known.chars().zip(whole.chars()).take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum();
    whole[same..].to_owned()
}

/// The end of what was given that the next text has to be seen together with.
fn may_go_on(given: &[u8]) -> Vec<u8> {
    if let Some(key) = open_key(given) {
        let line = key.iter().position(|byte| *byte == b'\n').map_or(key.len(), |at| at + 1);
        return key[..line].to_vec();
    }
    let line = given.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line = line.max(given.len().saturating_sub(LONGEST_LINE));
    given[line..].to_vec()
}

/// A private key that has begun and not ended.
fn open_key(text: &[u8]) -> Option<&[u8]> {
    let at = text.windows(KEY_BEGIN.len()).rposition(|window| window == KEY_BEGIN)?;
    let key = &text[at..];
    let line = key.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |part: &[u8], words: &[u8]| part.windows(words.len()).any(|window| window == words);
    (has(line, b"PRIVATE KEY") && !has(key, b"-----END ")).then_some(key)
}

const KEY_BEGIN: &[u8] = b"-----BEGIN ";

/// As UTF-8; a byte that is none stands as `\xNN`.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the pieces one after the other, each with a look; `!` before one stands for a trigger in a
    /// quiet moment. The texts are split at `|` in the result.
    #[track_caller]
    fn check(pieces: &[&str], expected: &str) {
        let mut text = Text::default();
        let mut stream = Vec::new();
        let mut given = Vec::new();
        for piece in pieces {
            let (wanted, piece) = match piece.strip_prefix('!') {
                Some(piece) => (Wanted::Rest, piece),
                None => (Wanted::Lines, *piece),
            };
            stream.extend(piece.as_bytes());
            let at = text.at();
            given.push(text.take(at, &stream[at as usize..], wanted).unwrap_or_default());
        }
        assert_eq!(given.join("|"), expected);
    }

    #[test]
    fn lines_are_given_when_they_are_complete() {
        check(&["one\ntwo\n", "thr", "ee\nfo", "!"], "one\ntwo\n||three\n|fo");
        check(&["", "\n", "!"], "|\n|");
        check(&["ä", "\n"], "|ä\n");
        let long = "x".repeat(20_000);
        check(&[&long, "\n"], &format!("{long}|\n"));
    }

    #[test]
    fn no_half_of_a_secret_gets_through() {
        check(&["token=", "abc\n"], "|token=[removed]\n");
        check(&["!password: ", "hunter2\nnext\n"], "password: |[removed]\nnext\n");
        check(&["!tok", "en=abc def\n"], "tok|en=[removed] def\n");
        let key =
            ["-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", "abcd\n", "!ef", "gh\n-----END RSA PRIVATE KEY-----\nok\n"];
        check(&key, "[removed]|||\nok\n");
        check(&["plain\n", "more\n"], "plain\n|more\n");
        let no_key = "is not -----BEGIN PRIVATE KEY-----\n";
        check(&[no_key, &"x y\n".repeat(5000), "after\n"], "is not [removed]||after\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_numbers() {
        assert_eq!(readable(b"a\xff\xfeb\xc3\xa4\xc3"), r"a\xff\xfebä\xc3");
    }

    #[test]
    fn what_was_overwritten_is_counted_and_its_last_line_left_out() {
        let mut text = Text::default();
        assert_eq!(text.take(0, b"one\n", Wanted::Lines).as_deref(), Some("one\n"));
        assert_eq!(text.take(100, b"end of a secret\nwhole\n", Wanted::Quiet).as_deref(), Some("whole\n"));
        assert_eq!((text.take_lost(), text.take_lost(), text.at()), (96 + 16, 0, 122));
    }

    #[test]
    fn much_text_waits_for_the_budget_and_a_trigger_does_not() {
        let second = 1_000_000_000;
        let mut text = Text::default();
        let mut wants = |t: u64, end: u64, wanted: Wanted| {
            let does = text.wants(RunNs(t * second), end, wanted);
            if does {
                let bytes = vec![b'\n'; (end - text.at()) as usize];
                let at = text.at();
                text.take(at, &bytes, wanted);
            }
            does
        };
        assert!(wants(1, BURST, Wanted::Lines));
        assert!(!wants(2, BURST + A_SECOND + 1, Wanted::Lines));
        assert!(wants(3, BURST + 2 * A_SECOND, Wanted::Lines));
        assert!(!wants(3, BURST + 2 * A_SECOND, Wanted::Quiet), "nothing is new");
        assert!(wants(3, 3 * BURST, Wanted::Quiet));
        assert!(wants(1000, 4 * BURST, Wanted::Lines));
    }
}
