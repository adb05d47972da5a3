//! The incidents that this tool was thought of for, each from real parts and failing by chance: named in the first
//! sentence, with a finding of its kind.
//!
//! | incident | program | real parts |
//! | --- | --- | --- |
//! | a walk into one's own mount | `hangdog demo` (`tests/demo.rs`) | FUSE, HTTP, processes |
//! | zombies, identical misses, dead mounts | `held_over_a_call`, `identical_misses`, `dead_mounts` | FUSE, HTTP, threads, SIGKILL |
//! | "succeeded", though it hung | `reused_id` | SQLite, a bind mount, `umount` |
//! | the straggler of the same wave | `flakes::ALL`; what is right: `neighbours` | threads |
//! | the lock file of the dead | `dead_holder`, `recycled`, `ten_take_it` | processes, a pid namespace |

use hangdog_schemas::{FindingKind, Report};

/// A program, and what must be said of it.
#[derive(Debug)]
pub(crate) struct Incident {
    pub(crate) name: &'static str,
    pub(crate) program: &'static [&'static str],
    /// What it is started by.
    pub(crate) within: &'static [&'static str],
    /// Parts of the first sentence.
    pub(crate) parts: &'static [&'static str],
    /// Of these one is told beside it, with these parts.
    pub(crate) finding: Option<(FindingKind, &'static [&'static str])>,
}

const NAMED: &str = include_str!("programs/named.py");
const FUSE: &str = include_str!("programs/fuse.py");
pub(crate) const NEIGHBOURS: &[&str] = &[NAMED, include_str!("programs/neighbours.py")];

pub(crate) const ALL: &[Incident] = &[
    Incident {
        name: "a lock held over an HTTP call while READDIRPLUS waits for it",
        program: &[NAMED, FUSE, include_str!("programs/held_over_a_call.py")],
        within: &[],
        parts: &["lock:conversations is held over a wait for new conversation while others queue"],
        finding: Some((FindingKind::HeldAcrossWait, &["http:POST /api/conversations/new", "flush"])),
    },
    Incident {
        name: "forty identical misses",
        program: &[NAMED, include_str!("programs/identical_misses.py")],
        within: &[],
        parts: &["identical requests GET /api/conversations", "(of server) are open at once"],
        finding: None,
    },
    Incident {
        name: "dead mounts and zombies that killed test runs leave in one temporary directory",
        program: &[NAMED, FUSE, include_str!("programs/dead_mounts.py")],
        within: &[],
        parts: &["is a dead mount, at which cleaner looks"],
        finding: Some((FindingKind::DeadMount, &["its server test[", "] ended at", "ENOTCONN"])),
    },
    Incident {
        name: "an id that SQLite gives out again, a bind mount that stays, and a late write",
        program: &[NAMED, include_str!("programs/reused_id.py")],
        within: &[],
        parts: &[
            "run 1 has two owners at once",
            "umount2(",
            "EBUSY",
            "kept busy by sh[",
            "result.json as it was written for an earlier owner of the same id",
        ],
        finding: Some((FindingKind::StaleState, &["result.json", "for run 1", "by sh["])),
    },
    Incident {
        name: "the lock file of a process that died with it",
        program: &[NAMED, include_str!("programs/dead_holder.py")],
        within: &[],
        parts: &["worker ends without removing $TMPDIR/app.lock", "leader finds it there"],
        finding: Some((FindingKind::StaleLock, &["belongs to a dead process: worker[", "leader[", "20 times"])),
    },
    Incident {
        name: "the lock file of a process whose number is somebody else's",
        program: &[NAMED, include_str!("programs/recycled.py")],
        within: &["unshare", "--pid", "--fork", "--mount-proc"],
        parts: &["worker ends without removing $TMPDIR/app.lock", "its number is given out again"],
        finding: Some((FindingKind::StaleLock, &["was given out again", "to other["])),
    },
    Incident {
        name: "ten that take the lock file of the dead, and two that hold it",
        program: &[NAMED, include_str!("programs/ten_take_it.py")],
        within: &[],
        parts: &["$TMPDIR/app.lock", "worker", "removes"],
        finding: Some((FindingKind::LockStolenTwice, &["two hold the lock file", "app.lock at once: worker["])),
    },
];

/// Whether the finding is told, with its parts.
#[track_caller]
pub(crate) fn check_finding(report: &Report, (kind, parts): (FindingKind, &[&str])) {
    let of_kind: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.kind == kind)
        .map(|finding| finding.sentence.as_str())
        .collect();
    let is_told = of_kind.iter().any(|sentence| parts.iter().all(|part| sentence.contains(part)));
    assert!(is_told, "{parts:?} of {}: {of_kind:#?}", kind.name());
}
