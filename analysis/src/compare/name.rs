//! Names that are alike in all runs: without process numbers, temporary names and ids. Pure.

use std::collections::BTreeSet;

/// Parts of a path that are shown and compared: deeper ones say enough, and fresh directories stand above.
const PARTS: usize = 4;

/// What the directory of a run of `flake` is called, below which its TMPDIR lies: `hangdog-flake-4412-0/00007/tmp`.
const ROOM: &str = "/hangdog-flake-";

/// A path as it is called in every run, cut to its last parts.
pub(crate) fn path(path: &str, pids: &BTreeSet<u32>) -> String {
    if let Some((_, own)) = path.split_once(ROOM)
        && let Some(rest) = own.splitn(4, '/').nth(3).filter(|_| own.split('/').nth(2) == Some("tmp"))
    {
        return format!("$TMPDIR{}", self::path(&format!("/{rest}"), pids).trim_start_matches('…'));
    }
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(|part| word(part, pids)).collect();
    if parts.len() <= PARTS {
        return format!("/{}", parts.join("/"));
    }
    format!("…/{}", parts[parts.len() - PARTS..].join("/"))
}

/// A word with `#` for a number that is somebody's pid or long, and `*` for what looks made up by chance.
pub(super) fn word(text: &str, pids: &BTreeSet<u32>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            let number = &rest[..digits];
            let is_pid = number.parse().is_ok_and(|number: u32| number > 1 && pids.contains(&number));
            out.push_str(if digits >= 4 || is_pid { "#" } else { number });
            rest = &rest[digits..];
            continue;
        }
        let length = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    // Compared are whole words, since a made-up one is letters and digits in turn.
    let words: Vec<&str> = text.split(['.', '-']).collect();
    if !(0..words.len()).any(|n| is_made_up(&words, n)) {
        return out;
    }
    let mut out = String::new();
    let mut at = 0;
    for (n, own) in words.iter().enumerate() {
        out.push_str(&if is_made_up(&words, n) { "*".to_owned() } else { word(own, pids) });
        at += own.len();
        // What divided the words stands between them.
        out.push_str(text.get(at..=at).unwrap_or_default());
        at += 1;
    }
    out
}

/// `tmpab12cd_x`, `tmp.aBcDeF`, `3f2a9c01e4`, `Xk29aB`: what `mktemp` and its like make.
fn is_made_up(words: &[&str], n: usize) -> bool {
    let word = words[n];
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric());
    if let Some(rest) = word.strip_prefix("tmp") {
        return rest.len() >= 6 && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    }
    if word.len() < 6 || !is_plain {
        return false;
    }
    if n > 0 && words[n - 1] == "tmp" {
        return true;
    }
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let small = word.chars().filter(char::is_ascii_lowercase).count();
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    // `Worker12` is a name with a number behind it.
    let letters_after = word.trim_end_matches(|c: char| c.is_ascii_digit()).chars().any(|c| c.is_ascii_digit());
    let is_hex = word.len() >= 8 && digits >= 2 && small > 0 && word.chars().all(|c| c.is_ascii_hexdigit());
    is_hex || digits > 0 && small > 0 && capitals > 0 && letters_after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(path(text, &BTreeSet::from([77, 4412])), expected);
    }

    #[test]
    fn what_differs_from_run_to_run_is_left_out() {
        check("/tmp/x/app.lock", "/tmp/x/app.lock");
        check("/tmp/00012/tmp/out-4412.log", "/tmp/#/tmp/out-#.log");
        check("/a/b/c/d/e", "…/b/c/d/e");
        check("/tmp/hangdog-flake-4412-0/00007/tmp/leader", "$TMPDIR/leader");
        check("/tmp/hangdog-flake-4412-0/00007/own-0/leader", "…/hangdog-flake-#-0/#/own-0/leader");
        check("/s/store-7f-2/worker-77", "/s/store-7f-2/worker-#");
        check("/t/tmpab12cd_x/f", "/t/*/f");
        check("/t/tmp.Xk29aBcd/f", "/t/tmp.*/f");
        check("/t/deadbeef42/f", "/t/*/f");
        check("/t/result.json", "/t/result.json");
        check("/t/Makefile", "/t/Makefile");
        check("/t/Worker12/MyFooBar", "/t/Worker12/MyFooBar");
        check("/t/libfoo.so.1", "/t/libfoo.so.1");
    }
}
