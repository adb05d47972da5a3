//! What the test sees while hangdog looks: the victim's state, the server's requests, and hangdog's readers.
//!
//! All by `status` and `children`, which never block; and the log of the server.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use hangdog_tests::{Group, until};

use crate::situations::Situation;
use crate::staged::Staged;

/// Looks with the same result after which the victim counts as stuck.
const STILL: u32 = 20;

/// What was seen so far.
pub(crate) struct Watched {
    roles: PathBuf,
    requests: PathBuf,
    hangdog: u32,
    letter: char,
    /// Thread and its process, once it is there.
    pub(crate) victim: Option<u32>,
    still: u32,
    last: Option<Status>,
    /// How it stood once it was stuck, and the requests until then.
    stuck: Option<(Status, usize)>,
    /// Hangdog ends the run: what comes now is its doing.
    is_over: bool,
    changed: Vec<String>,
    /// Looks at the stuck victim.
    looks: u32,
    readers: BTreeSet<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Status {
    letter: char,
    /// Signals that wait: hangdog's own end of the run shows here first.
    pending: String,
    switches: String,
}

fn status(pid: u32) -> Option<Status> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
    let pending = format!("{} {}", field("SigPnd:"), field("ShdPnd:"));
    let switches = field("voluntary_ctxt_switches:").to_owned();
    Some(Status { letter: field("State:").chars().next()?, pending, switches })
}

impl Watched {
    pub(crate) fn new(staged: &Staged, situation: &Situation, hangdog: u32) -> Self {
        Self {
            roles: staged.bench.path("roles"),
            requests: staged.requests(),
            hangdog,
            letter: situation.letter,
            victim: None,
            still: 0,
            last: None,
            stuck: None,
            is_over: false,
            changed: Vec::new(),
            looks: 0,
            readers: BTreeSet::new(),
        }
    }

    /// Requests that the server has read.
    fn count(&self) -> usize {
        fs::read_to_string(&self.requests).unwrap_or_default().lines().count()
    }

    fn find_victim(&mut self) -> Option<u32> {
        let roles = fs::read_to_string(&self.roles).ok()?;
        let of = |role: &str| roles.lines().find_map(|line| line.strip_prefix(role)?.strip_prefix(' ')?.parse().ok());
        // Where it is a thread, it comes after its process.
        self.victim = of("victim-thread").or_else(|| of("victim"));
        self.victim
    }

    /// Readers are hangdog's children of that name.
    fn find_readers(&mut self) {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.hangdog)).unwrap_or_default();
        let is_reader =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "hangdog-reader\n");
        self.readers.extend(children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(is_reader));
    }

    /// It was stuck, was looked at, and nothing changed.
    #[track_caller]
    pub(crate) fn check(&self, situation: &Situation, told: &str) {
        assert!(self.stuck.is_some(), "it never got stuck in {}, but: {:?}\n{told}", situation.letter, self.last);
        assert!(self.looks > 0, "it was not looked at while it was stuck: {told}");
        assert_eq!(self.changed, Vec::<String>::new(), "{told}");
        assert!(!self.readers.is_empty(), "no reader was seen: {told}");
    }

    /// None of them outlives what they were stuck in.
    #[track_caller]
    pub(crate) fn check_readers_are_gone(&self) {
        until("the end of all readers", || {
            let is_there = |pid: &&u32| {
                fs::read_to_string(format!("/proc/{pid}/status"))
                    .is_ok_and(|text| text.starts_with("Name:\thangdog-reader\n") && !text.contains("State:\tZ"))
            };
            (!self.readers.iter().any(|pid| is_there(&pid))).then_some(())
        });
    }
}

/// Looks once.
pub(crate) fn watch(watched: &mut Watched, group: Option<&Group>) {
    watched.find_readers();
    if watched.stuck.is_none() {
        watched.find_victim();
    }
    let Some(now) = watched.victim.and_then(status) else { return };
    let Some((before, requests)) = &watched.stuck else {
        let is_same = watched.last.as_ref() == Some(&now) && now.letter == watched.letter;
        watched.still = if is_same { watched.still + 1 } else { 0 };
        if watched.still >= STILL {
            watched.stuck = Some((now.clone(), watched.count()));
        }
        watched.last = Some(now);
        return;
    };
    // From its first signal on, or when it is thawed, hangdog is ending the run; who is let go is running, or gone.
    let is_thawed = group.is_some_and(|group| !group.is_frozen());
    let is_continued = watched.letter == 'T' && now.letter != 'T';
    watched.is_over |= now.pending != before.pending || is_thawed || is_continued || "RZX".contains(now.letter);
    if watched.is_over {
        return;
    }
    watched.looks += 1;
    if now != *before {
        watched.changed.push(format!("{before:?} became {now:?}"));
    }
    let count = watched.count();
    if count != *requests {
        let signalled = watched.victim.and_then(status).is_none_or(|again| again.pending != before.pending);
        if !signalled {
            watched.changed.push(format!("{requests} requests became {count}"));
        }
    }
}
