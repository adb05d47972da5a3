//! What the program itself says: phases that serve, hold and wait (the `hang.*` fields).

use std::collections::BTreeSet;

use hangdog_schemas::fact::SocketFact;
use hangdog_schemas::fact::ThreadFact;
use hangdog_schemas::{Confidence, FactRef, Pid, ResourceKey};
use hangdog_timeline::Phase;

use super::{Class, Resolver, Rest, ThreadKey, Wait, futex};
use crate::view::View;

/// Whether a thread is in a phase that serves a resource.
pub(super) fn serves(view: &View<'_>, key: ThreadKey, resource: &str) -> bool {
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
    let open = || holders.iter().flat_map(|pid| view.phases_of(*pid).iter().copied());
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

/// The threads that work for the phases which serve a connection: those of their innermost open phases that are
/// not parked. An async phase that no thread is in gives none.
pub(super) fn serving(
    view: &View<'_>,
    holders: &BTreeSet<Pid>,
    connection: &ResourceKey,
    peer: &SocketFact,
) -> Vec<Resolver> {
    let mut resolvers: Vec<Resolver> = Vec::new();
    for phase in serving_phases(view, holders, connection, peer) {
        let pid = phase.id.process.pid;
        for inner in view.phases_of(pid) {
            let path = view.timeline.phase_path(inner);
            let is_inside = path.iter().any(|outer| outer.id == phase.id);
            let Some(key) = inner.tid.map(|tid| (pid, tid)).filter(|_| is_inside) else { continue };
            if view.phase_of(key).map(|p| p.id) != Some(inner.id) || is_parked(view, key) {
                continue;
            }
            if resolvers.iter().any(|resolver| resolver.thread == key) {
                continue;
            }
            resolvers.push(Resolver {
                thread: key,
                how: format!("serves it in phase {:?}", names(&path)),
                facts: vec![FactRef::phase(inner.id), FactRef::phase(phase.id)],
                exact: true,
                group: 0,
                set_aside: false,
            });
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

fn names(path: &[&Phase]) -> String {
    path.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>().join(" > ")
}

fn is_parked(view: &View<'_>, key: ThreadKey) -> bool {
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
    let key = (thread.thread.process.pid, thread.thread.tid);
    let Some(phase) = view.phase_of(key).filter(|_| ownerless) else { return rest };
    let Some(wanted) = phase.hang.wait.clone() else { return rest };
    let holders: Vec<Resolver> = view
        .phases_of(key.0)
        .iter()
        .filter(|other| other.hang.hold.as_ref() == Some(&wanted))
        .filter_map(|other| Some((other, (key.0, other.tid?))))
        .map(|(other, holder)| Resolver {
            thread: holder,
            how: format!("holds {wanted} in phase {:?}", names(&view.timeline.phase_path(other))),
            facts: vec![FactRef::phase(other.id)],
            exact: true,
            group: 0,
            set_aside: false,
        })
        .collect();
    if holders.is_empty() {
        return rest;
    }
    let mut wait = Wait::new(Class::Named, wanted.clone(), wanted.to_string())
        .because(format!("phase {:?} says that it waits for {wanted}", phase.name), vec![FactRef::phase(phase.id)])
        .at_most(Confidence::Likely, "whether the phases say all about who holds and who waits");
    wait.resolvers = holders;
    Rest::Waits(vec![wait])
}
