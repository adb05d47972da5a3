//! What async tasks wait for that no thread is polling: their innermost open phases say it.
//!
//! A task is woken by some thread of its process, whatever it waits for: a timer or a socket means that a thread sits
//! in the runtime's poll. So a task whose phases do not say what it waits for is as alive as the threads of its
//! process, and makes nothing dead that they do not.

use hangdog_schemas::{Confidence, FactRef, Pid, ResourceKey};
use hangdog_timeline::Phase;

use super::phase::{self, is_parked, names};
use super::primitive::{self, Traced};
use super::{Class, Resolver, Rest, Task, Wait};
use crate::key::Key;
use crate::phases::AsyncTask;
use crate::view::View;

/// All async tasks that no thread is polling.
pub(super) fn all<'v>(view: &'v View<'_>) -> impl Iterator<Item = Task> + 'v {
    view.phases.tasks().map(|(key, task)| {
        let rest = match task.same {
            Some(false) => Rest::Acts,
            _ => Rest::Waits(waits(view, key, task)),
        };
        Task { key, rest, call: None, seen_twice: task.same == Some(true) }
    })
}

fn waits(view: &View<'_>, key: Key, task: &AsyncTask<'_>) -> Vec<Wait> {
    if !task.is_seen {
        return vec![unsaid(view, key, None)];
    }
    let (mut waits, mut granted) = (Vec::new(), Vec::new());
    for phase in &task.innermost {
        match primitive::wait(view, key, phase) {
            Traced::Waits(wait) => waits.push(wait),
            Traced::Ready(why) => granted.push(ready(view, key, phase, &why)),
            Traced::Unclear => {
                waits.push(phase::by_hand(view, phase).unwrap_or_else(|| unsaid(view, key, Some(phase))));
            }
        }
    }
    let is_kept_waiting = granted.iter().any(|wait| wait.resolvers.iter().any(|other| other.who.thread().is_some()));
    if waits.is_empty() || is_kept_waiting {
        waits.extend(granted);
    }
    let sure = |wait: Wait| match wait.class {
        Class::Poll => wait,
        _ => wait.at_most(
            Confidence::Likely,
            "whether a time limit or another branch (select!) ends the wait: only the program knows",
        ),
    };
    waits.into_iter().map(sure).collect()
}

fn poll_key(key: Key) -> ResourceKey {
    ResourceKey::new("poll", format_args!("{key:?}"))
}

/// A task that waits for something its phases do not name.
fn unsaid(view: &View<'_>, key: Key, phase: Option<&Phase>) -> Wait {
    let facts: Vec<FactRef> = phase.map(|phase| FactRef::phase(phase.id)).into_iter().collect();
    let text = match phase {
        Some(phase) => format!("phase {:?} is open, and no thread is inside it", phase.name),
        None => "where it is was not recorded".to_owned(),
    };
    let any = Resolver::new(Key::Any(key.pid()), "could wake it", facts.clone());
    Wait::new(Class::Poll, poll_key(key), "a wake-up")
        .because(text, facts)
        .resolved(vec![any])
        .at_most(Confidence::Likely, format!("what {} waits for", view.name(key)))
}

/// Threads that are not parked: one of them may keep a woken task from being polled.
pub(super) fn busy_threads(view: &View<'_>, pid: Pid, phase: &Phase) -> Vec<Resolver> {
    let all = view.all_threads(pid, "may keep it from being polled", &[FactRef::phase(phase.id)]);
    all.into_iter().filter(|resolver| !is_parked(view, resolver.who)).collect()
}

/// A task one of whose futures could go on, and nobody polls it. Its runtime would have done so by now, but for a thread
/// that is busy with something else and keeps it in its own queue (a worker's next task cannot be stolen from it). So
/// the task waits elsewhere: at another of its phases, or at something that its phases do not name.
fn ready(view: &View<'_>, key: Key, phase: &Phase, why: &str) -> Wait {
    let path = names(&view.timeline.phase_path(phase));
    let any = Resolver::new(Key::Any(key.pid()), "could wake it", Vec::new()).untold();
    Wait::new(Class::Poll, poll_key(key), "to be polled")
        .because(format!("{why}, and phase {path:?} is still open"), vec![FactRef::phase(phase.id)])
        .resolved(busy_threads(view, key.pid(), phase))
        .resolved(vec![any])
        .at_most(Confidence::Likely, "whether its runtime has yet to poll it")
}
