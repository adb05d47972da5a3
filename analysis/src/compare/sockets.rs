//! Connections and requests: which are open at once, which are the same, which are refused.
//!
//! A port that the kernel chose is another one in every run: it is called by the order in which ports were listened on.

use std::collections::BTreeMap;

use hangdog_schemas::fact::SocketState;
use hangdog_schemas::record::KernelDeed;
use hangdog_schemas::{Actor, RunNs, Tid};
use hangdog_timeline::{CallDone, Timeline};

use super::sketch::{Sketch, Tier};
use super::who::Who;
use super::{errno, name};

/// From here on ports are mostly chosen by the kernel or by a program, and not by a person.
const CHOSEN: u16 = 10_000;
/// `EINPROGRESS`: the connection is being made, and nobody waits for it.
const IN_PROGRESS: i32 = 115;
/// What asks for the name of a user or host: always the same, and no part of the program.
const NAME_SERVICE: &str = "unix:/var/run/nscd/socket";

/// A connection from its caller's side.
struct Connection<'t> {
    tid: Tid,
    to: String,
    begin: RunNs,
    end: RunNs,
    request: Option<&'t str>,
}

/// Notes what was connected and asked.
pub(super) fn note(timeline: &Timeline, who: &Who, sketch: &mut Sketch) {
    let listeners = listeners(timeline, who, sketch);
    for done in timeline.calls() {
        let Some(address) = done.call.address.as_deref().filter(|address| *address != NAME_SERVICE) else { continue };
        let role = who.role(done.call.tid, done.call.when.t);
        let object = label(address, &listeners, who);
        let verb = if done.call.name == "bind" { "binds" } else { "connects to" };
        let (text, tier) = match done.errno().filter(|errno| *errno != IN_PROGRESS) {
            Some(errno) => {
                (format!("{}({object}) by {role} fails with {}", done.call.name, errno::name(errno)), Tier::Error)
            }
            None => (format!("{role} {verb} {object}"), Tier::Deed),
        };
        if done.errno().is_none() {
            let who = who.one(done.call.tid, done.call.when.t);
            sketch.mark(&format!("{who} {verb} {object}"), done.done_at());
        }
        sketch.note(tier, text, done.done_at(), Some(who.actor(done.call.tid, done.call.when.t)));
    }
    at_once(&connections(timeline, &listeners, who), who, sketch);
}

/// Addresses that were listened on, by port, as they are called.
fn listeners(timeline: &Timeline, who: &Who, sketch: &mut Sketch) -> BTreeMap<u16, String> {
    let mut found: BTreeMap<u16, String> = BTreeMap::new();
    for event in timeline.kernel_events() {
        let KernelDeed::SocketState { local, to: SocketState::Listen, .. } = &event.what else { continue };
        let Some(port) = port(local) else { continue };
        let number = found.len() + 1;
        let role = who.role(event.tid, event.when.t);
        let one = who.one(event.tid, event.when.t);
        let text = if port >= CHOSEN { format!("port #{number} (of {role})") } else { format!("port {port}") };
        sketch.mark(&format!("{one} listens on {text}"), event.when.t);
        found.entry(port).or_insert(text);
    }
    found
}

fn port(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}

fn label(address: &str, listeners: &BTreeMap<u16, String>, who: &Who) -> String {
    if let Some(path) = address.strip_prefix("unix:") {
        return if path.starts_with('@') { name::word(path, &who.pids) } else { name::path(path, &who.pids) };
    }
    match port(address) {
        Some(port) if listeners.contains_key(&port) => listeners[&port].clone(),
        Some(port) if port >= CHOSEN => "a port on which nobody of the run listens".to_owned(),
        _ => address.to_owned(),
    }
}

/// Connections of the run, from the kernel's events of their callers' side.
fn connections<'t>(timeline: &'t Timeline, listeners: &BTreeMap<u16, String>, who: &Who) -> Vec<Connection<'t>> {
    let requests: Vec<&CallDone> = timeline.calls().iter().filter(|done| done.call.request.is_some()).collect();
    let mut open: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut all: Vec<Connection<'t>> = Vec::new();
    for event in timeline.kernel_events() {
        let KernelDeed::SocketState { local, remote, from, to } = &event.what else { continue };
        match (from, to) {
            (SocketState::SynSent, SocketState::Established) => {
                open.insert((local, remote), all.len());
                let to = label(remote, listeners, who);
                all.push(Connection { tid: event.tid, to, begin: event.when.t, end: timeline.end(), request: None });
            }
            (SocketState::Established, _) => {
                if let Some(n) = open.remove(&(local.as_str(), remote.as_str())) {
                    all[n].end = event.when.t;
                }
            }
            _ => {}
        }
    }
    for done in requests {
        let sent = done.call.when.t;
        // The newest of this thread that has none yet: the descriptor alone does not name it.
        let its = all
            .iter_mut()
            .rev()
            .find(|connection| connection.tid == done.call.tid && connection.begin <= sent && sent <= connection.end);
        if let Some(connection) = its.filter(|connection| connection.request.is_none()) {
            connection.request = done.call.request.as_deref();
        }
    }
    all
}

fn at_once(connections: &[Connection<'_>], who: &Who, sketch: &mut Sketch) {
    let mut groups: BTreeMap<(Tier, String), Vec<&Connection<'_>>> = BTreeMap::new();
    for connection in connections {
        // How many clients a server has at once is a matter of load; that they ask the same is not.
        let key = match connection.request {
            Some(request) => {
                let request = name::word(request, &who.pids);
                (Tier::Race, format!("identical requests {request} over connections to {}", connection.to))
            }
            None => (Tier::Deed, format!("connections to {}", connection.to)),
        };
        groups.entry(key).or_default().push(connection);
    }
    for ((tier, text), group) in groups {
        let (many, since) = overlap(group.iter().map(|connection| (connection.begin, connection.end)));
        let actors: Vec<Actor> = group
            .iter()
            .filter(|connection| connection.begin <= since && since < connection.end)
            .take(4)
            .map(|connection| who.actor(connection.tid, connection.begin))
            .collect();
        sketch.at_once(tier, text, many, since, actors);
    }
}

/// How many of some intervals hold at most, and when that many first do.
pub(super) fn overlap(intervals: impl Iterator<Item = (RunNs, RunNs)>) -> (u32, RunNs) {
    // At the same moment an end comes before a begin: touching is no overlap.
    let mut steps: Vec<(RunNs, i32)> = intervals.flat_map(|(begin, end)| [(begin, 1), (end, -1)]).collect();
    steps.sort_unstable();
    let (mut now, mut most, mut since) = (0, 0, RunNs(0));
    for (t, step) in steps {
        now += step;
        if now > most {
            (most, since) = (now, t);
        }
    }
    (u32::try_from(most).unwrap_or(0), since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(intervals: &[(u64, u64)], expected: (u32, u64)) {
        let (most, since) = overlap(intervals.iter().map(|(begin, end)| (RunNs(*begin), RunNs(*end))));
        assert_eq!((most, since.0), expected);
    }

    #[test]
    fn most_at_once() {
        check(&[], (0, 0));
        //     |--------|
        //        |--|
        //           |-----|
        check(&[(0, 9), (3, 6), (6, 12)], (2, 3));
        check(&[(0, 5), (5, 9)], (1, 0));
        check(&[(0, 9), (1, 9), (2, 9)], (3, 2));
    }
}
