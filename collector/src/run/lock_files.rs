//! Which files may be locks: what file events told of, by their names. Pure.
//!
//! Whoever makes a lock file makes an event; whoever fails to make it, since it is there, makes none. So this says
//! which locks there are and who made them, and not who waits for them.

use std::borrow::Cow;

use hangdog_schemas::Pid;
use hangdog_schemas::record::FileOp;
use serde::Deserialize;

use crate::observe::{LockCandidate, is_lock_or_pid_name};

/// The newest are kept.
const MOST: usize = 32;

/// Files that were made and not removed.
#[derive(Debug, Default)]
pub(super) struct LockFiles(Vec<LockCandidate>);

/// A file event, as far as it matters here.
#[derive(Deserialize)]
struct Told<'a> {
    kind: &'a str,
    op: FileOp,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow, default)]
    to: Option<Cow<'a, str>>,
    #[serde(default)]
    pid: Option<Pid>,
    #[serde(borrow, default)]
    comm: Option<Cow<'a, str>>,
}

impl LockFiles {
    /// Takes in records as they came, oldest first. All but file events are passed over.
    pub(super) fn hear(&mut self, records: &[Vec<u8>]) {
        for record in records {
            // Other records have other fields.
            let Ok(told) = serde_json::from_slice::<Told<'_>>(record) else { continue };
            if told.kind == "file_event" {
                self.learn(told);
            }
        }
    }

    fn learn(&mut self, told: Told<'_>) {
        match told.op {
            FileOp::Create => {
                let maker = told.pid.map(|pid| (pid, told.comm.map(Cow::into_owned)));
                self.add(LockCandidate { path: told.path.into_owned(), maker });
            }
            FileOp::Open | FileOp::CloseWrite if !self.knows(&told.path) => {
                self.add(LockCandidate { path: told.path.into_owned(), maker: None });
            }
            FileOp::Open | FileOp::CloseWrite => {}
            FileOp::Rename => {
                let maker = self.remove(&told.path).and_then(|was| was.maker);
                if let Some(to) = told.to {
                    self.remove(&to);
                    self.add(LockCandidate { path: to.into_owned(), maker });
                }
            }
            FileOp::Unlink => {
                self.remove(&told.path);
            }
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<LockCandidate> {
        self.0.clone()
    }

    fn knows(&self, path: &str) -> bool {
        self.0.iter().any(|known| known.path == path)
    }

    fn add(&mut self, candidate: LockCandidate) {
        if !is_lock_or_pid_name(&candidate.path) {
            return;
        }
        self.remove(&candidate.path);
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(candidate);
    }

    fn remove(&mut self, path: &str) -> Option<LockCandidate> {
        let at = self.0.iter().position(|known| known.path == path)?;
        Some(self.0.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events as `op path [to] [pid]`.
    #[track_caller]
    fn check(events: &[&str], expected: &[&str]) {
        let record = |event: &&str| {
            let words: Vec<&str> = event.split(' ').collect();
            let mut line =
                serde_json::json!({"kind": "file_event", "t": 1, "err": 0, "op": words[0], "path": words[1]});
            for word in &words[2..] {
                match word.parse::<u32>() {
                    Ok(pid) => line["pid"] = pid.into(),
                    Err(_) => line["to"] = (*word).into(),
                }
            }
            serde_json::to_vec(&line).unwrap()
        };
        let mut files = LockFiles::default();
        files.hear(&events.iter().map(record).collect::<Vec<_>>());
        let text = |file: LockCandidate| match file.maker {
            Some((pid, _)) => format!("{} by {pid}", file.path),
            None => file.path,
        };
        assert_eq!(files.all().into_iter().map(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_was_made_and_is_still_there_is_kept() {
        check(&["create /w/a.lock 7"], &["/w/a.lock by 7"]);
        check(&["create /w/a.lock 7", "unlink /w/a.lock 7"], &[]);
        check(&["create /w/a.lock 7", "open /w/a.lock 8"], &["/w/a.lock by 7"]);
        check(&["open /w/a.lock 8"], &["/w/a.lock"]);
        check(&["create /w/a.pid 7", "create /w/result 7"], &["/w/a.pid by 7"]);
        check(&["create /w/tmp.lock 7", "rename /w/tmp.lock /w/lock 7"], &["/w/lock by 7"]);
        check(&["create /w/lock 7", "rename /w/lock /w/x 7"], &[]);
        let many: Vec<String> = (0..40).map(|n| format!("create /w/{n}.lock {n}")).collect();
        let events: Vec<&str> = many.iter().map(String::as_str).collect();
        let kept: Vec<String> = (8..40).map(|n| format!("/w/{n}.lock by {n}")).collect();
        check(&events, &kept.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
