//! From a cause to a finding: edges with evidence, culprits, advice, what frees it, what was not visible.

use std::collections::BTreeSet;

use hangdog_schemas::{Actor, Confidence, Edge, Evidence, Finding, FindingKind, FuseConnection, Pid, Resource};

use crate::cause::Cause;
use crate::detect::Story;
use crate::graph::{Graph, Link};
use crate::key::Key;
use crate::liveness::Liveness;
use crate::runtime::{self, Runtime};
use crate::signature;
use crate::view::View;
use crate::wait::{Class, Wait};
use crate::words;

/// Other resolvers of a wait on the way that are shown beside the one it goes through.
const BESIDE: usize = 2;
/// Async tasks listed beside a runtime at rest.
const UNSAID: usize = 3;
/// Threads parked beside it that are shown as those who could wake it.
const TOGETHER: usize = 3;
/// Other tasks shown that wait for the cause.
const BEHIND: usize = 6;

/// The finding that tells of a cause.
pub(crate) fn finding(view: &View<'_>, graph: &Graph, cause: &Cause<'_>) -> Finding {
    let story = Story { view, graph, cause };
    let told = story.tell();
    let edges = edges(&story);
    let mut culprits: Vec<Actor> = cause.blame.iter().map(|task| view.actor(graph.tasks[*task].key)).collect();
    culprits.dedup();
    Finding {
        kind: cause.kind,
        confidence: cause.confidence,
        sentence: words::sentence(&told.sentence),
        culprits,
        signature: signature::of(cause.kind, &edges),
        edges,
        advice: told.advice.into_iter().chain(from_inside(&story)).collect(),
        rescue: rescue(&story),
        unknown: unseen(&story),
        id: String::new(),
    }
}

/// How to see more where a process waits for itself, or for want of work: which part of it for which is in no fact.
fn from_inside(story: &Story<'_>) -> Option<String> {
    let Story { view, graph, cause } = story;
    let at_futex = |wait: &Wait| matches!(wait.class, Class::Event | Class::SharedEvent);
    let is_alone = cause.kind == FindingKind::SelfDeadlock && cause.wait.is_none();
    let task = match cause.cycle.iter().find(|link| at_futex(link.wait)) {
        Some(link) => link.waiter,
        None if is_alone || cause.wait.is_some_and(|wait| wait.class.is_waiting_for_work() || at_futex(wait)) => {
            cause.at
        }
        None => return None,
    };
    let pid = graph.tasks[task].key.pid();
    let is_plain = Runtime::of(view, pid) == Runtime::Native && !graph.waits(task).iter().any(at_futex);
    (view.is_of_run(pid) && !is_plain).then(|| runtime::advice(view, pid))
}

fn edges(story: &Story<'_>) -> Vec<Edge> {
    let Story { view, graph, cause } = story;
    let mut drawn: BTreeSet<(usize, Option<usize>)> = BTreeSet::new();
    let mut edges = Vec::new();
    let mut draw = |link: &Link<'_>| {
        if drawn.insert((link.waiter, Some(link.to))) {
            edges.push(words::edge(view, graph, link.waiter, link.wait, Some(link)));
        }
    };
    // That a thread waits for each of the tasks of its process says no more than that it waits for one.
    let adds = |link: &Link<'_>| !graph.tasks[link.to].key.is_async() || link.wait.class != Class::Event;
    let main: Vec<Link<'_>> = story.links().copied().collect();
    for link in &main {
        draw(link);
    }
    for link in &main {
        // The others who could end the same wait cannot either.
        for beside in graph.links(link.waiter).filter(|other| other.to != link.to && adds(other)).take(BESIDE) {
            draw(&beside);
        }
    }
    let told: BTreeSet<usize> = main.iter().flat_map(|link| [link.waiter, link.to]).chain([cause.at]).collect();
    behind(story, &told).iter().for_each(&mut draw);
    for task in &told {
        if *task != cause.at {
            for link in graph.links(*task).filter(|link| told.contains(&link.to) && adds(link)).take(BESIDE) {
                draw(&link);
            }
        }
    }
    if let Some(wait) = cause.wait {
        match parked_together(story) {
            links if links.is_empty() => edges.push(words::edge(view, graph, cause.at, wait, None)),
            links => {
                edges.extend(links.iter().map(|link| words::edge(view, graph, link.waiter, link.wait, Some(link))));
            }
        }
    }
    edges.extend(foreground(story));
    edges
}

/// Others of the run that wait for the cause, and who waits for those.
fn behind<'s>(story: &Story<'s>, told: &BTreeSet<usize>) -> Vec<Link<'s>> {
    let Story { view, graph, cause } = story;
    let of_run: Vec<usize> =
        (0..graph.tasks.len()).filter(|task| view.is_of_run(graph.tasks[*task].key.pid())).collect();
    // Who could be woken by somebody else too, or is merely parked, is not behind it.
    let is_stuck = |task: usize| {
        let is_firm = |wait: &Wait| wait.outside.is_none() && !matches!(wait.class, Class::Event | Class::Poll);
        graph.alive(task) != Liveness::Live && graph.waits(task).iter().all(is_firm)
    };
    let mut links = Vec::new();
    let mut seen: BTreeSet<usize> = cause.blame.iter().copied().chain([cause.at]).collect();
    let mut nearest = seen.clone();
    let mut count = 0;
    while !nearest.is_empty() {
        let mut next = BTreeSet::new();
        for task in of_run.iter().copied().filter(|task| !seen.contains(task)) {
            let is_same = |link: &Link<'_>| graph.is_own_future(link.waiter, link.to);
            let onto = graph.links(task).find(|link| nearest.contains(&link.to) && !is_same(link) && is_stuck(task));
            if let Some(link) = onto.filter(|_| count < BEHIND) {
                links.push(link);
                if !told.contains(&task) {
                    count += 1;
                    next.insert(task);
                }
            }
        }
        seen.extend(&next);
        nearest = next;
    }
    links
}

/// Of a process that its terminal stopped: who would put it into the foreground.
fn foreground(story: &Story<'_>) -> Option<Edge> {
    let Story { view, graph, cause } = story;
    cause.wait.filter(|wait| wait.class == Class::Continue)?;
    let pid = graph.tasks[cause.at].key.pid();
    let process = view.process(pid)?;
    let (terminal, group) = (process.terminal.seen()?.as_ref()?, process.group.seen()?);
    if i64::from(terminal.foreground) == i64::from(group.0) {
        return None;
    }
    let index = terminal.device.minor;
    let master = view.snapshot.pty_masters(index).next()?;
    let holder = master.process.pid;
    let text = format!(
        "group {group} of {}[{pid}] is in the background of /dev/pts/{index}, whose master side {}[{holder}] holds as fd {}",
        view.comm(pid),
        view.comm(holder),
        master.fd
    );
    Some(Edge {
        waiter: view.actor(graph.tasks[cause.at].key),
        resource: Resource {
            kind: Class::Continue.word().to_owned(),
            name: format!("SIGCONT in the foreground of /dev/pts/{index}"),
            call: graph.tasks[cause.at].call.clone(),
        },
        resolver: Some(view.actor(Key::main_of(holder))),
        confidence: Confidence::Possible,
        evidence: vec![Evidence { text, facts: view.fd_ref(holder, master.fd) }],
    })
}

/// The threads of a process that are all parked, each with each, when they are few: which of them holds what another
/// one waits for is in no fact.
fn parked_together<'s>(story: &Story<'s>) -> Vec<Link<'s>> {
    let Story { graph, cause, .. } = story;
    let mut parked = graph.parked_beside(cause.at);
    if cause.wait.is_none_or(|wait| !matches!(wait.class, Class::Event | Class::SharedEvent))
        || parked.len() > TOGETHER
    {
        return Vec::new();
    }
    parked.push(cause.at);
    parked.sort_unstable();
    let pairs =
        parked.iter().flat_map(|waiter| parked.iter().filter(move |to| *to != waiter).map(|to| (*waiter, *to)));
    pairs
        .filter_map(|(waiter, to)| {
            let wait = graph.waits(waiter).first()?;
            Some(Link { waiter, wait, resolver: wait.resolvers.first()?, to })
        })
        .collect()
}

/// Commands that free it now. hangdog does the same under `--on-hang rescue` to what is the run's.
fn rescue(story: &Story<'_>) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let connections: BTreeSet<&str> = story
        .links()
        .map(|link| link.wait)
        .chain(story.cause.wait)
        .filter(|wait| wait.class == Class::FuseReply)
        .map(|wait| wait.key.authority())
        .collect();
    for connection in connections.iter().filter_map(|text| text.parse().ok().map(FuseConnection)) {
        commands.push(format!(
            "echo 1 > /sys/fs/fuse/connections/{connection}/abort    # frees all who wait for this mount; SIGKILL does not"
        ));
    }
    let last = story.graph.tasks[story.cause.at].key.pid();
    match story.cause.kind {
        // A stopped or frozen process takes no other signal until it goes on.
        FindingKind::StoppedHolder => commands.push(format!("kill -CONT {last}")),
        FindingKind::Frozen => commands.extend(thaw(story.view, last)),
        _ => {}
    }
    if commands.is_empty() {
        let pids: BTreeSet<u32> = story.cause.blame.iter().map(|task| story.graph.tasks[*task].key.pid().0).collect();
        commands.extend(pids.first().map(|pid| format!("kill {pid}")));
    }
    commands
}

/// How to thaw the control group of a process, by the conventional place of the hierarchies.
fn thaw(view: &View<'_>, pid: Pid) -> Option<String> {
    let groups = view.process(pid)?.cgroups.seen()?;
    let path = |controller: &str| {
        groups.iter().find_map(|group| {
            let (controllers, path) = group.split_once(':')?;
            controllers.split(',').any(|c| c == controller).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let v1 = path("freezer").filter(|path| !path.is_empty());
    v1.map(|path| format!("echo THAWED > /sys/fs/cgroup/freezer/{path}/freezer.state")).or_else(|| {
        path("").map(|path| {
            format!("echo 0 > /sys/fs/cgroup/{path}/cgroup.freeze    # or that of the group above it that was frozen")
        })
    })
}

/// What was assumed, and what could not be read of those involved.
fn unseen(story: &Story<'_>) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for text in story.links().map(|link| link.wait).chain(story.cause.wait).flat_map(|wait| &wait.unseen) {
        if !list.contains(text) {
            list.push(text.clone());
        }
    }
    let involved: BTreeSet<u32> = story
        .links()
        .flat_map(|link| [link.waiter, link.to])
        .map(|task| story.graph.tasks[task].key.pid().0)
        .collect();
    list.extend(unsaid(story));
    for gap in &story.view.snapshot.gaps {
        if let Some(pid) = gap.pid.filter(|pid| involved.contains(&pid.0)) {
            list.push(format!("{} of {pid}: {}", gap.what, gap.why.why_not().unwrap_or_default()));
        }
    }
    if list.len() > 8 {
        let more = list.len() - 8;
        list.truncate(8);
        list.push(format!("and {more} more"));
    }
    list
}

/// Where a runtime waits for nothing more: its tasks that do not say what they wait for.
fn unsaid(story: &Story<'_>) -> Vec<String> {
    let Story { view, graph, cause } = story;
    let is_runtime = |wait: &Wait| wait.class == Class::Event;
    if !cause.cycle.iter().map(|link| link.wait).chain(cause.wait).any(is_runtime) {
        return Vec::new();
    }
    let pid = graph.tasks[cause.at].key.pid();
    let of_process = graph.tasks.iter().map(|task| task.key).filter(|key| key.is_async() && key.pid() == pid);
    let told = of_process.filter_map(|key| {
        let phase = view.phase_names(key)?;
        Some(format!("what {} (in {}) waits for", view.name(key), words::short(&phase)))
    });
    told.take(UNSAID).collect()
}

/// Gives the findings of a report their ids.
pub(crate) fn number(findings: &mut [Finding]) {
    let mut counts: std::collections::BTreeMap<FindingKind, usize> = std::collections::BTreeMap::new();
    for finding in findings {
        let count = counts.entry(finding.kind).or_default();
        *count += 1;
        finding.id = format!("{}-{count}", finding.kind.name());
    }
}
