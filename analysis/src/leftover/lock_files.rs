//! `lock-stolen-twice` and `stale-lock`: files by which programs keep each other out, by who made and removed them.
//!
//! ```text
//! A:  finds the dead one's ── removes it ── makes its own ───────────── at work ──────────── gives it back
//! B:  finds the dead one's ─────────────────────────── removes A's ── makes its own ── at work      two hold it
//!
//! C:  makes it ── ends                                                it is nobody's, and nobody takes it away
//! D:               finds it there ── finds it there ── gives up
//! ```
//!
//! A file that is made by a call which fails where it is there keeps others out; when nobody was ever kept out by it,
//! it has to be called a lock. What a relative of the maker does, it may do for the maker.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::{Confidence, FindingKind, Pid, RunNs, Tid};

use super::Draft;
use super::touch::{Deed, Touch};
use crate::compare::{Who, common_path, when};
use crate::words;

/// A process that made a file, did nothing else that has a name, ended well and sooner than this made it for another:
/// `mkdir`, `ln`, a subshell. ns.
const HELD: u64 = 500_000_000;
/// So often somebody asks for a file that was there before the run, before that is told.
const OFTEN: u32 = 3;

/// Who made the file that is there.
#[derive(Clone, Copy, Debug)]
struct Maker {
    pid: Pid,
    tid: Tid,
    t: RunNs,
}

/// It was removed while its maker lived.
#[derive(Clone, Copy, Debug)]
struct Theft {
    from: Maker,
    by: Tid,
    t: RunNs,
}

/// And another made it again.
#[derive(Clone, Copy, Debug)]
struct Twice {
    theft: Theft,
    second: Maker,
    /// When the first one gave back what it no longer had.
    given_back: Option<RunNs>,
}

/// Who was kept out.
#[derive(Clone, Copy, Debug)]
struct Asks {
    tid: Tid,
    pid: Pid,
    times: u32,
    first: RunNs,
    last: RunNs,
}

/// What is known of one name.
#[derive(Debug, Default)]
struct Lock {
    maker: Option<Maker>,
    theft: Option<Theft>,
    twice: Option<Twice>,
    is_ever_made: bool,
    has_refused: bool,
    is_directory: bool,
    /// Who asked since the last maker ended, or since the run began.
    asks: Vec<Asks>,
}

/// All of a run: of each kind at most one a name.
pub(super) fn drafts(who: &Who, touches: &[Touch<'_>]) -> Vec<Draft> {
    let mut locks: BTreeMap<&str, Lock> = BTreeMap::new();
    let mut busy: BTreeSet<(Pid, &str)> = BTreeSet::new();
    let mut last: BTreeMap<Pid, RunNs> = BTreeMap::new();
    for touch in touches {
        locks.entry(touch.path).or_default().takes(who, touch);
        busy.insert((touch.pid, touch.path));
        last.insert(touch.pid, touch.t);
    }
    let mut drafts = Vec::new();
    for (path, lock) in &locks {
        let is_lock = is_called_lock(path) || lock.has_refused;
        drafts.extend(lock.twice.filter(|_| is_lock).map(|twice| stolen(who, path, twice)));
        drafts.extend(stale(who, path, lock, &last).filter(|_| is_called_lock(path) || !lock.is_directory));
    }
    drafts
}

fn is_called_lock(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    name.contains("lock") || name.contains("lck")
}

impl Lock {
    fn takes(&mut self, who: &Who, touch: &Touch<'_>) {
        let own = Maker { pid: touch.pid, tid: touch.tid, t: touch.t };
        let lives = |maker: &Maker| who.ended(maker.pid, maker.t).is_none_or(|end| end.0 > touch.t.0 + touch.err);
        match touch.deed {
            Deed::Made | Deed::MadeDirectory => {
                if let Some(theft) = self.theft.filter(|theft| lives(&theft.from))
                    && !who.is_kin(theft.from.pid, touch.pid)
                    && self.twice.is_none()
                {
                    self.twice = Some(Twice { theft, second: own, given_back: None });
                }
                self.is_directory = touch.deed == Deed::MadeDirectory;
                (self.maker, self.theft, self.is_ever_made) = (Some(own), None, true);
                self.asks.clear();
            }
            Deed::Removed => {
                if let Some(twice) = &mut self.twice
                    && twice.theft.from.pid == touch.pid
                {
                    twice.given_back = twice.given_back.or(Some(touch.t));
                }
                let maker = self.maker.take();
                let is_theft = |maker: &Maker| !who.is_kin(maker.pid, touch.pid) && lives(maker);
                self.theft = maker.filter(is_theft).map(|from| Theft { from, by: touch.tid, t: touch.t });
                // Whoever was kept out has helped itself.
                self.asks.retain(|asks| asks.pid != touch.pid);
            }
            Deed::Refused | Deed::RefusedDirectory => {
                self.has_refused |= touch.deed == Deed::Refused && self.maker.is_none_or(|own| own.pid != touch.pid);
                self.is_directory |= touch.deed == Deed::RefusedDirectory;
                self.asks(who, touch);
            }
            Deed::Renamed => (self.maker, self.theft) = (None, None),
            Deed::Replaced | Deed::Written | Deed::Read => {}
        }
    }

    /// Counts only who asks when nobody is left who would give it back.
    fn asks(&mut self, who: &Who, touch: &Touch<'_>) {
        let is_ownerless = match &self.maker {
            Some(maker) => who.ended(maker.pid, maker.t).is_some_and(|end| end < touch.t),
            None => !self.is_ever_made,
        };
        if !is_ownerless {
            return;
        }
        match self.asks.iter_mut().find(|asks| asks.tid == touch.tid) {
            Some(asks) => (asks.times, asks.last) = (asks.times + 1, touch.t),
            None => self.asks.push(Asks { tid: touch.tid, pid: touch.pid, times: 1, first: touch.t, last: touch.t }),
        }
    }
}

fn stolen(who: &Who, path: &str, twice: Twice) -> Draft {
    let Theft { from, by, t } = twice.theft;
    let name = |tid: Tid, t: RunNs| format!("{}[{tid}]", who.name(tid, t));
    let (first, thief, second) = (name(from.tid, from.t), name(by, t), name(twice.second.tid, twice.second.t));
    let is_thief = by == twice.second.tid;
    let again = if is_thief { "and made it again".to_owned() } else { format!("and {second} made it again") };
    let sure = twice.given_back.is_some();
    Draft {
        kind: FindingKind::LockStolenTwice,
        confidence: if sure { Confidence::Likely } else { Confidence::Possible },
        at: twice.second.t,
        clause: format!(
            "two hold {} at once: {} removes it while {}, who has made it, lives, and makes it anew",
            common_path(path, &who.pids),
            who.role(by, t),
            who.role(from.tid, from.t)
        ),
        sentence: format!(
            "two hold the lock file {path} at once: {first} made it {}, {thief} removed it {} while {first} was at work, {again} {}",
            when(from.t),
            when(t),
            when(twice.second.t)
        ),
        culprits: vec![who.actor(by, t)],
        advice: "take a stale lock by renaming it away, which one alone can do, and look once more whose it is after that; \
                 or use flock on a file that stays",
        rescue: None,
        unknown: (!sure).then(|| format!("whether {first} still needed it: it never gave it back")),
    }
}

fn stale(who: &Who, path: &str, lock: &Lock, last: &BTreeMap<Pid, RunNs>) -> Option<Draft> {
    // Who is kept out for longest tells most.
    let asks = lock.asks.iter().max_by_key(|asks| (asks.times, asks.last))?;
    let waiter = format!("{}[{}]", who.name(asks.tid, asks.first), asks.tid);
    let times = if asks.times == 1 { "once".to_owned() } else { format!("{} times", asks.times) };
    let rescue = Some(format!("mv -n -- {0} {0}.stale    # when nobody who uses it is at work", words::quoted(path)));
    let advice = "use a lock that the kernel gives back when its holder dies (flock), or let whoever finds the file check \
                  that its owner lives, and began before the file was written";
    let common = common_path(path, &who.pids);
    let Some(maker) = lock.maker else {
        let is_told = is_called_lock(path) && asks.times >= OFTEN;
        return is_told.then(|| Draft {
            kind: FindingKind::StaleLock,
            confidence: Confidence::Possible,
            at: asks.first,
            clause: format!("{} finds {common} there, which nobody of the run has made", who.role(asks.tid, asks.first)),
            sentence: format!(
                "{path} was there before the run began, and nobody took it away: {waiter} found it there {times}, last {}",
                when(asks.last)
            ),
            culprits: Vec::new(),
            advice,
            rescue,
            unknown: Some(format!("whose it is: its text may name the process (`cat {}`)", words::quoted(path))),
        });
    };
    let end = who.ended(maker.pid, maker.t)?;
    let was_at_work = last.get(&maker.pid).is_some_and(|t| *t > maker.t)
        || end.0.saturating_sub(maker.t.0) >= HELD
        || who.ended_badly(maker.pid, end);
    if !was_at_work || who.has_heirs(maker.pid, asks.first) {
        return None;
    }
    let owner = format!("{}[{}]", who.name(maker.tid, maker.t), maker.tid);
    let again = who.given_again(maker.pid, end, asks.last).map(|(t, other)| {
        let (number, other) = (who.own_number(maker.pid), Tid(other.0));
        format!(
            ", and its number, {number}, was given out again {}: to {}[{other}]",
            when(t),
            who.name(other, asks.last)
        )
    });
    let clause = format!(
        "{} ends without removing {common}{}, and {} finds it there",
        who.role(maker.tid, maker.t),
        if again.is_some() { ", its number is given out again" } else { "" },
        who.role(asks.tid, asks.first)
    );
    Some(Draft {
        kind: FindingKind::StaleLock,
        confidence: Confidence::Likely,
        at: end,
        clause,
        sentence: format!(
            "the lock file {path} belongs to a dead process: {owner} made it {} and ended {} without removing it{}; {waiter} \
             found it there {times}, last {}",
            when(maker.t),
            when(end),
            again.unwrap_or_default(),
            when(asks.last)
        ),
        culprits: vec![who.actor(maker.tid, maker.t)],
        advice,
        rescue,
        unknown: None,
    })
}
