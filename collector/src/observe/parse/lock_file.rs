//! What may be a lock file, by its name, and which processes its text may name. Pure.

/// The largest process number (`PID_MAX_LIMIT` of include/linux/threads.h).
const LARGEST: u32 = 4 << 20;
/// Numbers that are taken from one file.
const MOST: usize = 4;
/// A longer line is no name of an owner.
const LONGEST_NAME: usize = 200;

/// Whether the last name of a path says that it keeps others out.
pub(crate) fn is_lock_name(path: &str) -> bool {
    let name = last_name(path).to_ascii_lowercase();
    name.contains("lock") || name.contains("lck")
}

/// The same, or that it tells who is at work. Such files are often left behind and seldom waited for.
pub(crate) fn is_lock_or_pid_name(path: &str) -> bool {
    is_lock_name(path) || last_name(path).to_ascii_lowercase().contains("pid")
}

fn last_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Numbers of a lock file that may be processes: the first word, what stands behind `pid`, and the end of a name like
/// `host:4412`.
pub(crate) fn named(text: &str) -> Vec<u32> {
    let first = text.split_whitespace().next().unwrap_or_default();
    let mut found: Vec<u32> = number(first).into_iter().collect();
    let lower = text.to_ascii_lowercase();
    for (at, _) in lower.match_indices("pid") {
        let rest = lower[at + 3..].trim_start_matches(['"', '\'', ':', '=', ' ', '\t']);
        found.extend(number(&rest[..digits(rest)]));
    }
    let line = text.trim_end();
    if line.len() <= LONGEST_NAME && !line.contains(char::is_whitespace) {
        let end = line.trim_end_matches(|c: char| c.is_ascii_digit());
        if end.ends_with([':', '+', '-', '.', '@', '#']) {
            found.extend(number(&line[end.len()..]));
        }
    }
    let mut once: Vec<u32> = Vec::new();
    for pid in found {
        if !once.contains(&pid) && once.len() < MOST {
            once.push(pid);
        }
    }
    once
}

fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

fn number(word: &str) -> Option<u32> {
    let is_number = !word.is_empty() && digits(word) == word.len();
    word.parse().ok().filter(|pid| is_number && (1..=LARGEST).contains(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[u32]) {
        assert_eq!(named(text), expected, "{text:?}");
    }

    #[test]
    fn numbers_of_processes_are_found_where_programs_write_them() {
        check("4412\n", &[4412]);
        check("      4412\n", &[4412]);
        check("4412 build-7\n", &[4412]);
        check("build-7:4412", &[4412]);
        check("127.0.1.1:+4412", &[4412]);
        check("4412\n/var/lib/data\n1700000000\n5432\n", &[4412]);
        check("{\"port\": 80, \"pid\": 4412}", &[4412]);
        check("PID=4412 HOST=ci", &[4412]);
        check("pid 4412, ppid 4390", &[4412, 4390]);
        check("", &[]);
        check("0\n", &[]);
        check("99999999\n", &[]);
        check("# This file is generated\nversion = 4\n", &[]);
        check("{\"lockfileVersion\": 3}", &[]);
        check("1.5.2", &[2]);
    }

    #[test]
    fn names_say_that_others_are_kept_out() {
        for (path, is_lock, is_either) in [
            ("/run/x/publish.lock", true, true),
            ("/x/.git/index.lock", true, true),
            ("/x/LCK..ttyS0", true, true),
            ("/x/lock", true, true),
            ("/x/server.pid", false, true),
            ("/x/lock/data", false, false),
            ("/x/result.json", false, false),
        ] {
            assert_eq!((is_lock_name(path), is_lock_or_pid_name(path)), (is_lock, is_either), "{path}");
        }
    }
}
