//! Waits as fragments of a sentence. Every kind of resource has one phrase with the resolver's name in it.

use hangdog_schemas::{Edge, Resource};

use crate::graph::{Graph, Link};
use crate::key::Key;
use crate::view::View;
use crate::wait::{Class, Wait};

/// The longest sentence of a report, in characters (DESIGN §8).
pub(crate) const SENTENCE_LIMIT: usize = 400;
const NAME_LIMIT: usize = 90;

/// `is in openat("/mnt/x") on a mount served by fuse.test[4390]`.
pub(crate) fn phrase(graph: &Graph, task: usize, wait: &Wait, resolver: &str) -> String {
    let name = short(&wait.name);
    // What the words for a resolver would go round.
    let stands_alone = matches!(
        wait.class,
        Class::FifoPeer | Class::Continue | Class::Thaw | Class::TerminalInput | Class::Notification | Class::Poll
    );
    if resolver.is_empty() && !stands_alone {
        return format!("waits for {}", short(&wanted(wait)));
    }
    let call = graph.tasks[task].call.as_deref().map_or_else(|| "a system call".to_owned(), short);
    let holds = matches!(
        wait.class,
        Class::TcpRoom | Class::UnixData | Class::UnixRoom | Class::PipeData | Class::PipeRoom | Class::TerminalRoom
    );
    if holds && resolver.is_empty() {
        return format!("waits for {}", short(&wanted(wait)));
    }
    match wait.class {
        Class::FuseReply => format!("is in {call} on a FUSE mount served by {resolver}"),
        Class::TcpReply => {
            if name.starts_with("the reply") {
                format!("waits for {name} from {resolver}")
            } else {
                format!("waits for an answer over {name} from {resolver}")
            }
        }
        Class::TcpAccept | Class::UnixAccept => {
            format!("waits on {name}, a connection that has not been accepted by {resolver}")
        }
        Class::TcpRoom => format!("waits to send over {name}, which is not read by {resolver}"),
        Class::UdpReply => format!("waits for {name}, which is the socket of {resolver}"),
        Class::UnixData => format!("waits for data on {name} from {resolver}"),
        Class::UnixRoom => format!("waits to send on {name}, which is not read by {resolver}"),
        Class::PipeData => format!("waits for data or the end of {name}, whose write end is held by {resolver}"),
        Class::PipeRoom => format!("waits for room in the full {name}, which is not read by {resolver}"),
        Class::ChildExit => format!("waits for the exit of {resolver}"),
        Class::ThreadExit => format!("waits for the end of thread {resolver}"),
        Class::Page => format!("waits for {name}, to be filled by {resolver}"),
        Class::Mutex | Class::MemoryLock | Class::Named | Class::FileLock | Class::Lock | Class::Pool => {
            format!("waits for {name}, held by {resolver}")
        }
        Class::LockTurn => format!("waits for {name} behind {resolver}"),
        Class::ChannelItem => format!("waits for something from {name}, whose sending end is held by {resolver}"),
        Class::ChannelSpace => {
            format!("waits for room in the full {name}, whose receiving end is held by {resolver}")
        }
        Class::Notification if resolver.is_empty() => format!("waits to be notified at {name}"),
        Class::Notification => format!("waits to be notified at {name} by {resolver}"),
        Class::Poll if resolver.is_empty() => "waits to be polled".to_owned(),
        Class::Poll => format!("waits to be woken or polled by {resolver}"),
        Class::TerminalInput => format!("reads {name}"),
        Class::TerminalOutput => format!("waits for output on {name} from {resolver}"),
        Class::TerminalRoom => format!("waits to write to {name}, which is not read by {resolver}"),
        Class::Tracer => format!("is stopped by its tracer {resolver}"),
        Class::FifoPeer => format!("is in {call} and waits for {name}"),
        Class::Continue => "is stopped".to_owned(),
        Class::Thaw => format!("is frozen with {name}"),
        Class::RemoteReply | Class::Signal | Class::NewClient | Class::FuseRequest | Class::Timer => {
            format!("waits for {name}")
        }
        Class::Semaphore => format!("waits for {name}, which was changed last by {resolver}"),
        Class::Event | Class::SharedEvent => format!("waits for {name} from {resolver}"),
    }
}

/// Whether names carry the operations that their threads are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phases {
    Named,
    LeftOut,
}

/// What is waited for, so that it reads well after "waits for".
fn wanted(wait: &Wait) -> String {
    let name = &wait.name;
    match wait.class {
        Class::FuseReply => format!("an answer of the FUSE server about {name}"),
        Class::TcpReply if name.starts_with("the reply") => name.clone(),
        Class::TcpReply => format!("an answer over {name}"),
        Class::TcpAccept | Class::UnixAccept => format!("{name} to be accepted"),
        Class::TcpRoom | Class::UnixRoom => format!("room to send over {name}"),
        Class::UnixData => format!("data on {name}"),
        Class::PipeData => format!("data or the end of {name}"),
        Class::PipeRoom | Class::ChannelSpace => format!("room in {name}"),
        Class::ChildExit => format!("the exit of {name}"),
        Class::ThreadExit => format!("the end of {name}"),
        Class::TerminalInput => format!("input from {name}"),
        Class::TerminalOutput => format!("output on {name}"),
        Class::TerminalRoom => format!("room to write to {name}"),
        Class::Continue => format!("SIGCONT for {name}"),
        Class::Thaw => format!("{name} to be thawed"),
        Class::Tracer => format!("its tracer {name}"),
        Class::ChannelItem => format!("something from {name}"),
        Class::Notification => format!("a notification at {name}"),
        _ => name.clone(),
    }
}

/// A chain of waits as one sentence part: `A waits for …B, which waits for …C`.
pub(crate) fn chain(view: &View<'_>, graph: &Graph, links: &[Link<'_>]) -> String {
    chain_with(view, graph, links, Phases::LeftOut)
}

/// The same, where each task is named with its phase the first time: `A (in POST /x > walk) waits for …`.
pub(crate) fn chain_with(view: &View<'_>, graph: &Graph, links: &[Link<'_>], phases: Phases) -> String {
    let mut told: Vec<usize> = Vec::new();
    let mut name = |task: usize| {
        let key = graph.tasks[task].key;
        let is_named = phases == Phases::Named || key.is_async();
        let phase = view.phase_names(key).filter(|_| is_named && !told.contains(&task));
        let name = match (key, told.last().map(|last| graph.tasks[*last].key.pid())) {
            // Of the process that was named just before.
            (Key::Task(pid, number), Some(before)) if pid == before => format!("task {number}"),
            _ => view.name(key),
        };
        told.push(task);
        phase.map_or_else(|| name.clone(), |phase| format!("{name} (in {})", short(&phase)))
    };
    let mut text = String::new();
    for (i, link) in links.iter().enumerate() {
        if i == 0 {
            text.push_str(&name(link.waiter));
            text.push(' ');
        } else {
            text.push_str(", which ");
        }
        let to = if link.to == link.waiter { "itself".to_owned() } else { name(link.to) };
        text.push_str(&phrase(graph, link.waiter, link.wait, &to));
    }
    text
}

/// Cuts a name in the middle, where paths are least telling.
pub(crate) fn short(name: &str) -> String {
    let count = name.chars().count();
    if count <= NAME_LIMIT {
        return name.to_owned();
    }
    let head: String = name.chars().take(NAME_LIMIT / 3).collect();
    let tail: String = name.chars().skip(count - (NAME_LIMIT - NAME_LIMIT / 3 - 1)).collect();
    format!("{head}…{tail}")
}

/// Cuts a sentence at its limit.
pub(crate) fn sentence(text: &str) -> String {
    if text.chars().count() <= SENTENCE_LIMIT {
        return text.to_owned();
    }
    let head: String = text.chars().take(SENTENCE_LIMIT - 1).collect();
    format!("{head}…")
}

/// An edge of a report. `to` is `None` when nobody can end the wait.
pub(crate) fn edge(view: &View<'_>, graph: &Graph, task: usize, wait: &Wait, to: Option<&Link<'_>>) -> Edge {
    let mut evidence = wait.evidence.clone();
    if let Some(link) = to {
        evidence.push(hangdog_schemas::Evidence {
            text: format!("{} {}", view.name(graph.tasks[link.to].key), link.resolver.how),
            facts: link.resolver.facts.clone(),
        });
    }
    if graph.tasks[task].seen_twice {
        let key = graph.tasks[task].key;
        evidence.push(hangdog_schemas::Evidence {
            text: "the same wait in two snapshots: system call, arguments and voluntary switches unchanged"
                .to_owned(),
            facts: view.thread_ref(key),
        });
    }
    Edge {
        waiter: view.actor(graph.tasks[task].key),
        resource: Resource {
            kind: wait.class.word().to_owned(),
            name: wanted(wait),
            call: graph.tasks[task].call.clone(),
        },
        resolver: to.map(|link| view.actor(graph.tasks[link.to].key)),
        confidence: wait.confidence,
        evidence,
    }
}

/// A word for a shell.
pub(crate) fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_for_a_shell() {
        for (path, expected) in
            [("/tmp/a.lock", "/tmp/a.lock"), ("/tmp/a b", "'/tmp/a b'"), ("/tmp/it's", "'/tmp/it'\\''s'")]
        {
            assert_eq!(quoted(path), expected);
        }
    }
}
