//! What the program itself says: phases that serve, hold and wait (the `hang.*` fields).

use std::collections::BTreeSet;

use hangdog_schemas::fact::SocketFact;
use hangdog_schemas::fact::ThreadFact;
use hangdog_schemas::{Confidence, FactRef, Pid, ResourceKey};
use hangdog_timeline::Phase;

use super::primitive::Traced;
use super::{Class, Resolver, Rest, Wait, futex, primitive};
use crate::key::Key;
use crate::view::View;

/// Whether a thread is in a phase that serves a resource.
pub(super) fn serves(view: &View<'_>, key: Key, resource: &str) -> bool {
    view.phase_of(key).is_some_and(|phase| {
        view.timeline
            .phase_path(phase)
            .iter()
            .any(|phase| phase.hang.serve.as_ref().is_some_and(|serve| serve.to_string() == resource))
    })
}

/// The open phases of `holders` that serve the connection whose server end is `peer`: first those that name this
/// very connection (`hang.link`), else those that serve its address.
pub(super) fn serving_phases<'a>(
    view: &View<'a>,
    holders: &BTreeSet<Pid>,
    connection: &ResourceKey,
    peer: &SocketFact,
) -> Vec<&'a Phase> {
    let open = || holders.iter().flat_map(|pid| view.phases.of(*pid).iter().copied());
    let linked: Vec<&Phase> = open().filter(|phase| is_linked(phase, connection)).collect();
    if !linked.is_empty() {
        return linked;
    }
    open()
        .filter(|phase| {
            phase.hang.link.is_none()
                && phase
                    .hang
                    .serve
                    .as_ref()
                    .is_some_and(|serve| matches!(serve.kind(), "http" | "tcp") && serve.authority() == peer.local)
        })
        .collect()
}

fn is_linked(phase: &Phase, connection: &ResourceKey) -> bool {
    phase
        .hang
        .link
        .as_deref()
        .and_then(|link| link.split_once('>'))
        .is_some_and(|(client, server)| ResourceKey::tcp(client.trim(), server.trim()) == *connection)
}

/// Who works for the phases which serve a connection: of their innermost open phases the threads that are not
/// parked, and the async tasks that say what they wait for. An async task that does not say gives none: it may
/// wait for one of the others.
pub(super) fn serving(
    view: &View<'_>,
    holders: &BTreeSet<Pid>,
    connection: &ResourceKey,
    peer: &SocketFact,
) -> Vec<Resolver> {
    let mut resolvers: Vec<Resolver> = Vec::new();
    for phase in serving_phases(view, holders, connection, peer) {
        let pid = phase.id.process.pid;
        for inner in view.phases.of(pid) {
            let path = view.timeline.phase_path(inner);
            if !path.iter().any(|outer| outer.id == phase.id) {
                continue;
            }
            for who in view.phases.whose(view.timeline, inner) {
                let says_its_wait = || inner.hang.wait.is_some();
                let works = if who.is_async() { says_its_wait() } else { !is_parked(view, who) };
                let is_in_it = view.phases.is_innermost(who, inner);
                if works && is_in_it && resolvers.iter().all(|resolver| resolver.who != who) {
                    let how = format!("serves it in phase {:?}", names(&path));
                    let facts = vec![FactRef::phase(inner.id), FactRef::phase(phase.id)];
                    resolvers.push(Resolver::new(who, how, facts).exact());
                }
            }
        }
    }
    resolvers
}

/// The name of the operation that a connection carries, when exactly one open phase serves it.
pub(super) fn operation<'a>(
    view: &View<'a>,
    holders: &BTreeSet<Pid>,
    connection: &ResourceKey,
    peer: &SocketFact,
) -> Option<&'a str> {
    match serving_phases(view, holders, connection, peer)[..] {
        [phase] => Some(&phase.name),
        _ => None,
    }
}

pub(super) fn names(path: &[&Phase]) -> String {
    path.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>().join(" > ")
}

/// Whether a thread waits the way the idle thread of a pool or a runtime does, with or without a time limit.
pub(super) fn is_parked(view: &View<'_>, key: Key) -> bool {
    let Some(syscall) = view.thread(key).and_then(|thread| thread.syscall.seen()) else { return false };
    futex::is_parked(syscall) || syscall.name().is_some_and(|name| name.starts_with("epoll_"))
}

/// Where the kernel shows only an ownerless futex, a phase may say what is waited for and another who holds it.
pub(super) fn refine(view: &View<'_>, thread: &ThreadFact, rest: Rest) -> Rest {
    let ownerless = match &rest {
        Rest::Opaque(_) => true,
        Rest::Waits(waits) => waits.iter().all(|wait| wait.class == Class::Event),
        _ => false,
    };
    let key = Key::from((thread.thread.process.pid, thread.thread.tid));
    let Some(phase) = view.phase_of(key).filter(|_| ownerless) else { return rest };
    let wait = if phase.hang.primitive.is_some() {
        let in_futex = thread.syscall.seen().is_some_and(futex::is_parked);
        match primitive::wait(view, key, phase) {
            Traced::Waits(wait) if in_futex => Some(wait),
            _ => None,
        }
    } else {
        by_hand(view, phase)
    };
    match wait {
        Some(wait) => Rest::Waits(vec![wait]),
        None => rest,
    }
}

/// What a phase waits for that was written by hand, when another one says that it holds it.
pub(super) fn by_hand(view: &View<'_>, phase: &Phase) -> Option<Wait> {
    let wanted = phase.hang.wait.clone()?;
    let mut holders: Vec<Resolver> = Vec::new();
    for other in view.phases.holding(phase.id.process.pid, &wanted) {
        let how = format!("holds {wanted} in phase {:?}", names(&view.timeline.phase_path(other)));
        for who in view.phases.whose(view.timeline, other) {
            holders.push(Resolver::new(who, &how, vec![FactRef::phase(other.id)]).exact());
        }
    }
    let wait = Wait::new(Class::Named, wanted.clone(), wanted.to_string())
        .because(format!("phase {:?} says that it waits for {wanted}", phase.name), vec![FactRef::phase(phase.id)])
        .at_most(Confidence::Likely, "whether the phases say all about who holds and who waits");
    (!holders.is_empty()).then(|| wait.resolved(holders))
}
