//! `zombie`: a process has ended, its parent waits for something else, and somebody asks again and again. Whoever asks whether
//! the process still exists is told that it does, until it is reaped. At most possible: what is asked is in no fact.

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::{Confidence, Edge, Evidence, Finding, FindingKind, Pid, Resource};
use hangdog_timeline::Snapshot;

use super::polling::pollers;
use crate::graph::{Graph, Link};
use crate::key::Key;
use crate::signature;
use crate::view::View;
use crate::wait::Class;
use crate::words;

/// The first zombie of the run that nobody is about to reap, while something of the run polls.
pub(crate) fn zombie(view: &View<'_>, graph: &Graph, before: &Snapshot) -> Option<Finding> {
    let poller = pollers(view, graph, before).first()?.key;
    let is_zombie = |snapshot: &Snapshot, pid: Pid| {
        let mut threads = snapshot.threads_of(pid).peekable();
        threads.peek().is_some() && threads.all(|thread| matches!(thread.state, TaskState::Z | TaskState::X))
    };
    let zombie = view.snapshot.processes.values().find(|process| {
        let (pid, earlier) = (process.process.pid, before.processes.get(&process.process.pid));
        earlier.is_some_and(|earlier| earlier.process == process.process)
            && view.is_of_run(pid)
            && view.is_of_run(process.parent)
            && is_zombie(view.snapshot, pid)
            && is_zombie(before, pid)
            && does_not_reap(view, graph, process.parent)
    })?;
    let (pid, parent) = (zombie.process.pid, zombie.parent);
    let at = graph.find(Key::main_of(parent))?;
    let waits = graph.waits(at).first().map(|wait| match wait.class {
        Class::ChildExit => format!("waits for the exit of {} only", wait.name),
        _ => words::phrase(graph, at, wait, "nobody"),
    });
    let sentence = format!(
        "{} has ended and is a zombie: its parent {} does not reap it, and {}; {} polls, and who asks for a zombie is told \
         that it exists",
        view.name(Key::main_of(pid)),
        view.name(Key::main_of(parent)),
        waits.unwrap_or_else(|| "waits for something else".to_owned()),
        view.name(poller),
    );
    let edges = edges(view, graph, poller, pid, parent);
    Some(Finding {
        kind: FindingKind::Zombie,
        confidence: Confidence::Possible,
        sentence: words::sentence(&sentence),
        culprits: vec![view.actor(Key::main_of(parent))],
        signature: signature::of(FindingKind::Zombie, &edges),
        edges,
        advice: vec![
            "let the parent reap every child that ends; as the first process of a container use one that does (tini, \
             docker run --init)"
                .to_owned(),
        ],
        rescue: Vec::new(),
        unknown: vec![
            "what the polling asks for each time: only a trace of its system calls would show it".to_owned(),
        ],
        id: String::new(),
    })
}

/// All threads of a process wait, and none of them for this child: else it would have been reaped.
fn does_not_reap(view: &View<'_>, graph: &Graph, parent: Pid) -> bool {
    let mut threads = view.snapshot.threads_of(parent).peekable();
    threads.peek().is_some()
        && threads.all(|thread| {
            graph.find(Key::Thread(parent, thread.thread.tid)).is_some_and(|task| !graph.waits(task).is_empty())
        })
}

/// Who asks for the zombie, who should reap it, what that one waits for, and who waits for that one.
fn edges(view: &View<'_>, graph: &Graph, poller: Key, zombie: Pid, parent: Pid) -> Vec<Edge> {
    let (dead, owner) = (Key::main_of(zombie), Key::main_of(parent));
    let edge = |waiter: Key, to: Key, kind: &str, name: String, confidence, text: String| Edge {
        waiter: view.actor(waiter),
        resource: Resource { kind: kind.to_owned(), name, call: None },
        resolver: Some(view.actor(to)),
        confidence,
        evidence: vec![Evidence {
            text,
            facts: view.thread_ref(waiter).into_iter().chain(view.thread_ref(to)).collect(),
        }],
    };
    let polled = format!("the end of {}, if that is what it asks for", view.name(dead));
    let again = format!("{} woke and slept again", view.name(poller));
    let reaped = format!("{} is its parent, and waits for something else", view.name(owner));
    let mut edges = vec![
        edge(poller, dead, "polled", polled, Confidence::Possible, again),
        edge(dead, owner, "reaping", "to be reaped".to_owned(), Confidence::Certain, reaped),
    ];
    for waiter in (0..graph.tasks.len()).filter(|task| view.is_of_run(graph.tasks[*task].key.pid())) {
        for wait in graph.waits(waiter).iter().filter(|wait| wait.class == Class::ChildExit) {
            let ends = wait.resolvers.iter().filter_map(|resolver| Some((resolver, graph.find(resolver.who)?)));
            let near = ends.filter(|(resolver, _)| resolver.who == owner || graph.tasks[waiter].key == owner);
            for (resolver, to) in near.take(1) {
                edges.push(words::edge(view, graph, waiter, wait, Some(&Link { waiter, wait, resolver, to })));
            }
        }
    }
    edges
}
