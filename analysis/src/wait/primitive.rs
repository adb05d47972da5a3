//! What the traced locks and channels of a program say of themselves: who waits, who holds, who serves. The rules
//! are those of [`Primitive`].
//!
//! A traced primitive writes these phases itself, so all who hold or serve a resource of a process are on record, as
//! long as its recorder lost nothing. What stays unseen:
//!
//! - a guard of an async lock, a permit or an end of a channel may have been handed to another task since. So nobody
//!   is said to wait for what he himself took while somebody else in the process could go on;
//! - a sending end is shared by reference: whoever used it last need not be the one who uses it next.
//!
//! Guards of blocking locks cannot leave their thread, which is why those alone are certain.

use hangdog_schemas::record::Primitive;
use hangdog_schemas::{Confidence, FactRef, Pid, ResourceKey, RunNs};
use hangdog_timeline::Phase;

use super::{Class, Resolver, Wait, task};
use crate::key::Key;
use crate::view::View;

/// Holders that are looked at. The first ones are enough where all have to let go; where one is enough, those who
/// wait further behind live by those before them.
const HOLDERS: usize = 64;
/// When more may be the first of a queue, since their times are not exact enough, nobody is said to be.
const AHEAD: usize = 8;

/// What came of a phase that waits at a traced primitive.
pub(super) enum Traced {
    /// It waits for this.
    Waits(Wait),
    /// Nothing is in its way: it was granted, or everybody at the other end has gone.
    Ready(String),
    /// The phases do not say who could end it.
    Unclear,
}

/// A wait that is being judged.
struct Asked<'v, 'a> {
    view: &'v View<'a>,
    waiter: Key,
    phase: &'v Phase,
    key: &'v ResourceKey,
    pid: Pid,
    primitive: Primitive,
}

/// Where in a queue somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    First,
    Later,
    Unclear,
}

/// Whether a permit was forgotten: it is held, by nobody.
fn is_forgotten(phase: &Phase) -> bool {
    phase.fields.iter().any(|(name, value)| name == "forgotten" && value == "true")
}

/// Whether only the thread that took it can give it back. All else can be handed on.
fn is_bound_to_thread(phase: &Phase) -> bool {
    let primitive = phase.hang.primitive;
    matches!(primitive, Some(Primitive::Mutex | Primitive::RwLockRead | Primitive::RwLockWrite))
}

/// A phase opens a little after its task stands in the queue of the lock, and another thread may come in between.
const SLACK: u64 = 1_000_000;

/// When a wait began at the latest.
fn latest_begin(phase: &Phase) -> RunNs {
    phase.open.t.plus(phase.open.err).plus(SLACK)
}

/// What a phase of `waiter` waits for.
pub(super) fn wait(view: &View<'_>, waiter: Key, phase: &Phase) -> Traced {
    let (Some(key), Some(primitive)) = (&phase.hang.wait, phase.hang.primitive) else { return Traced::Unclear };
    let asked = Asked { view, waiter, phase, key, pid: phase.id.process.pid, primitive };
    let traced = match primitive {
        Primitive::Mutex | Primitive::RwLockRead | Primitive::RwLockWrite => asked.lock(),
        Primitive::AsyncMutex | Primitive::AsyncRwLockRead | Primitive::AsyncRwLockWrite => asked.fair_lock(),
        Primitive::Semaphore | Primitive::Pool => asked.pool(),
        Primitive::Channel => asked.channel(),
        Primitive::Condvar | Primitive::Notify => asked.notification(),
        _ => Traced::Unclear,
    };
    match (traced, view.losses(asked.pid)) {
        (Traced::Waits(wait), Some(lost)) => Traced::Waits(asked.open(wait).at_most(Confidence::Likely, lost)),
        (Traced::Ready(_), Some(_)) => Traced::Unclear,
        (traced, _) => traced,
    }
}

impl<'a> Asked<'_, 'a> {
    fn named(&self, class: Class) -> Wait {
        let name = self.key.to_string();
        let name = name.strip_suffix("/item").or(name.strip_suffix("/space")).unwrap_or(&name);
        Wait::new(class, self.key.clone(), name)
            .because(format!("phase {:?} waits for {name}", self.phase.name), vec![FactRef::phase(self.phase.id)])
    }

    fn is_shared(primitive: Option<Primitive>) -> bool {
        matches!(primitive, Some(Primitive::RwLockRead | Primitive::AsyncRwLockRead))
    }

    /// Those who hold what stands in the way: readers do not hinder readers.
    fn holders(&self) -> Vec<&'a Phase> {
        let wants_to_share = Self::is_shared(Some(self.primitive));
        let hinders = |hold: &&&Phase| !(wants_to_share && Self::is_shared(hold.hang.primitive));
        self.view.phases.holding(self.pid, self.key).iter().filter(hinders).take(HOLDERS).copied().collect()
    }

    /// The one that came just before this, and all that may have.
    fn previous(&self) -> Vec<&'a Phase> {
        let waiting = self.view.phases.waiting_for(self.pid, self.key);
        let place = (self.phase.open.t, self.phase.id);
        let own = waiting.partition_point(|phase| (phase.open.t, phase.id) < place);
        let unclear =
            |other: &&Phase| other.open.t <= latest_begin(self.phase) && latest_begin(other) >= self.phase.open.t;
        let near = waiting[..own].iter().rev().skip(1).take_while(|other| unclear(other));
        let after = waiting[own..].iter().skip(1).take_while(|other| unclear(other));
        waiting[..own].last().into_iter().chain(near.take(HOLDERS)).chain(after.take(HOLDERS)).copied().collect()
    }

    /// Those whom a phase speaks of, all in one group.
    fn whose(&self, phase: &Phase, how: &str, group: u64) -> Vec<Resolver> {
        let mut whose = self.view.phases.whose(self.view.timeline, phase);
        if is_forgotten(phase) {
            // Its permit is gone for good; anybody may add others.
            whose.clear();
        }
        let is_one = whose.len() == 1;
        let facts = || vec![FactRef::phase(phase.id)];
        let resolver = |who: Key| {
            let here = match who.thread() {
                Some((pid, tid)) if self.view.thread(who).is_none() => match self.view.hidden_threads(pid) {
                    Some(_) => Key::Hidden(pid),
                    None if is_bound_to_thread(phase) => Key::Gone(pid, tid),
                    None => Key::Any(pid),
                },
                _ => who,
            };
            let resolver = Resolver::new(here, how, facts()).in_group(group);
            let resolver = Resolver { holds: phase.hang.hold.is_some(), ..resolver };
            if is_one { resolver.exact() } else { resolver }
        };
        if whose.is_empty() {
            return vec![Resolver::new(Key::Any(self.pid), how, facts()).in_group(group)];
        }
        whose.into_iter().map(resolver).collect()
    }

    /// Anybody of the process may be among those who could end the wait.
    fn open(&self, mut wait: Wait) -> Wait {
        let mut groups: Vec<u64> = wait.resolvers.iter().map(|resolver| resolver.group).collect();
        groups.dedup();
        let any = |group| Resolver::new(Key::Any(self.pid), "", Vec::new()).in_group(group).untold();
        wait.resolvers.extend(groups.into_iter().map(any));
        wait
    }

    /// All who hold it have to let go.
    fn held(&self, holders: &[&Phase]) -> Wait {
        let mut wait = self.named(Class::Lock);
        let how = format!("holds {}", wait.name);
        for (group, hold) in (0..).zip(holders) {
            wait = wait
                .because(format!("phase {:?} is open: the lock is held", hold.name), vec![FactRef::phase(hold.id)]);
            wait = wait.resolved(self.whose(hold, &how, group));
        }
        wait
    }

    /// A lock of threads, which is nobody's while nobody holds it.
    fn lock(&self) -> Traced {
        let holders = self.holders();
        if !holders.is_empty() {
            return Traced::Waits(self.held(&holders));
        }
        if self.primitive != Primitive::RwLockRead {
            return Traced::Unclear; // It is about to take it.
        }
        // Only readers hold it, or nobody: then it stands behind a writer that waits (std, parking_lot).
        let waiting = self.view.phases.waiting_for(self.pid, self.key);
        let writers = waiting.iter().filter(|phase| phase.hang.primitive == Some(Primitive::RwLockWrite));
        let ahead: Vec<Resolver> = writers
            .take(HOLDERS)
            .flat_map(|writer| self.whose(writer, "waits to write, and readers queue behind it", 0))
            .collect();
        let wait = self.named(Class::LockTurn).resolved(ahead);
        if wait.resolvers.is_empty() {
            return Traced::Unclear;
        }
        Traced::Waits(wait.at_most(Confidence::Likely, "whether the lock lets waiting writers go first"))
    }

    /// A lock of async tasks: while nobody holds it, it is reserved for whoever has waited longest.
    fn fair_lock(&self) -> Traced {
        let holders = self.holders();
        if !holders.is_empty() {
            return Traced::Waits(self.unless_handed_on(self.held(&holders)));
        }
        let readers_hold = !self.view.phases.holding(self.pid, self.key).is_empty();
        let how = if readers_hold { "waits to write and came first" } else { "came first and was granted it" };
        let ahead = self.ahead();
        let mut wait = self.named(Class::LockTurn);
        if ahead.len() > AHEAD {
            return Traced::Unclear;
        }
        for first in &ahead {
            let text = format!("phase {:?} has waited longer: it is the next", first.name);
            wait = wait.because(text, vec![FactRef::phase(first.id)]).resolved(self.whose(first, how, 0));
        }
        match self.turn() {
            Turn::First => Traced::Ready(format!("{} was granted to it", self.key)),
            Turn::Later => Traced::Waits(wait),
            Turn::Unclear => {
                // It may itself be the one that was granted it and only has to be polled.
                let sure = if ahead.iter().all(|first| self.is_own(first)) {
                    Confidence::Likely
                } else {
                    Confidence::Possible
                };
                let wait = wait.resolved(task::busy_threads(self.view, self.pid, self.phase));
                Traced::Waits(wait.at_most(sure, "which of them came first: their times are not exact enough"))
            }
        }
    }

    fn is_own(&self, phase: &Phase) -> bool {
        self.view.phases.whose(self.view.timeline, phase) == [self.waiter]
    }

    /// When the first of the rivals had begun at the latest. They come by their begin, so the first few decide.
    fn earliest(&self) -> Option<RunNs> {
        let mut earliest: Option<RunNs> = None;
        for rival in self.rivals().take(HOLDERS) {
            if earliest.is_some_and(|earliest| rival.open.t > earliest) {
                break;
            }
            earliest = earliest.min(Some(latest_begin(rival))).or(Some(latest_begin(rival)));
        }
        earliest
    }

    /// Others who wait and would be hindered by this one or hinder it.
    fn rivals(&self) -> impl Iterator<Item = &'a Phase> {
        let wants_to_share = Self::is_shared(Some(self.primitive));
        let own = self.phase.id;
        let waiting = self.view.phases.waiting_for(self.pid, self.key);
        let hinders = move |phase: &Phase| !(wants_to_share && Self::is_shared(phase.hang.primitive));
        waiting.iter().copied().filter(move |phase| phase.id != own && hinders(phase))
    }

    /// Whether this one is the next. Times say it only where they do not overlap.
    fn turn(&self) -> Turn {
        let Some(earliest) = self.earliest() else { return Turn::First };
        if self.phase.open.t > earliest {
            Turn::Later
        } else if self.rivals().next().is_none_or(|rival| rival.open.t > latest_begin(self.phase)) {
            Turn::First
        } else {
            Turn::Unclear
        }
    }

    /// Those of the rivals who may be the next.
    fn ahead(&self) -> Vec<&'a Phase> {
        let Some(earliest) = self.earliest() else { return Vec::new() };
        self.rivals().take_while(|rival| rival.open.t <= earliest).take(HOLDERS).collect()
    }

    /// A guard of an async lock can be handed to another task. That is told of nobody but the one who would have
    /// to wait for himself, since there it is what programs do: take the next permit, spawn a task with it.
    fn unless_handed_on(&self, wait: Wait) -> Wait {
        if wait.resolvers.iter().any(|resolver| resolver.who == self.waiter) { self.handed_on(wait) } else { wait }
    }

    fn handed_on(&self, wait: Wait) -> Wait {
        // Who was given it was most likely begun for it.
        let around = self.view.timeline.phase_path(self.phase);
        let taken = self.view.phases.holding(self.pid, self.key).iter().map(|hold| hold.open.t).min();
        let others = self.view.phases.tasks().any(|(key, task)| {
            let wants_it = |phase: &&Phase| phase.hang.wait.as_ref() == Some(self.key);
            let is_later = task.begin().is_none_or(|begin| {
                taken.is_none_or(|taken| latest_begin(begin) >= taken)
                    && !around.iter().any(|outer| outer.id == begin.id)
            });
            key.pid() == self.pid && key != self.waiter && is_later && !task.innermost.iter().any(wants_it)
        });
        let sure = if others { Confidence::Possible } else { Confidence::Likely };
        self.open(wait).at_most(sure, format!("whether what is held of {} was handed to another task", self.key))
    }

    /// Any who hold of it can give back; what is left is for whoever has waited longest.
    fn pool(&self) -> Traced {
        let holders = self.holders();
        let mut wait = self.named(Class::Pool);
        let name = wait.name.clone();
        // One of many waiters lives by the one before it, which stands for those before and for the holders.
        let previous = self.previous();
        let shown = if holders.len() == HOLDERS && !previous.is_empty() { &[][..] } else { &holders[..] };
        for hold in shown {
            let text = if is_forgotten(hold) {
                format!("a permit of {name} was forgotten")
            } else {
                format!("phase {:?} is open", hold.name)
            };
            wait = wait.because(text, vec![FactRef::phase(hold.id)]);
            wait = wait.resolved(self.whose(hold, &format!("holds a part of {name}"), 0));
        }
        for previous in previous {
            let how = format!("waits for {name} too");
            wait = wait.resolved(self.whose(previous, &how, 0));
        }
        if wait.resolvers.is_empty() {
            // Nobody holds of it: permits can be added by anybody, a connection may be on its way.
            let any = Resolver::new(Key::Any(self.pid), "could give to it", Vec::new());
            let wait = wait.resolved(vec![any]);
            return Traced::Waits(wait.at_most(Confidence::Likely, format!("where what {name} had has gone to")));
        }
        Traced::Waits(self.handed_on(wait))
    }

    /// Whoever serves the other side, as long as anybody does.
    fn channel(&self) -> Traced {
        let ends = self.view.phases.serving(self.pid, self.key);
        let is_full = self.key.authority().ends_with("/space");
        if ends.is_empty() {
            let whom = if is_full { "receivers" } else { "senders" };
            return Traced::Ready(format!("all {whom} of {} have gone", self.named(Class::ChannelItem).name));
        }
        let mut wait = self.named(if is_full { Class::ChannelSpace } else { Class::ChannelItem });
        let how = if is_full { "receives from it" } else { "can send to it" };
        for end in ends.iter().take(HOLDERS) {
            wait = wait.because(format!("phase {:?} is open", end.name), vec![FactRef::phase(end.id)]);
            wait = wait.resolved(self.whose(end, how, 0));
        }
        if ends.len() > HOLDERS {
            wait = wait.resolved(vec![Resolver::new(Key::Any(self.pid), how, Vec::new())]);
        }
        if is_full {
            return Traced::Waits(wait.at_most(Confidence::Likely, "whether the receiving end was handed on"));
        }
        Traced::Waits(self.open(wait).at_most(Confidence::Likely, "who shares the sending end with its last user"))
    }

    /// Anybody else of the process.
    fn notification(&self) -> Traced {
        let wait = self.named(Class::Notification);
        let any = Resolver::new(Key::Any(self.pid), "could notify it", Vec::new());
        let mut wait = wait.resolved(vec![any]).at_most(Confidence::Likely, "who was to notify it");
        if let Some(notified) = self.view.phases.notified_before(self.phase) {
            let text = format!("phase {:?} notified it before it began to wait, when nobody waited", notified.name);
            wait = wait.because(text, vec![FactRef::phase(notified.id)]);
            wait.came_before = true;
        }
        Traced::Waits(wait)
    }
}
