//! All that is known of one row, in lines: what Enter opens.

use hangdog_schemas::fact::ThreadFact;
use hangdog_schemas::{Edge, Finding, Observed, Pid, RunNs, ThreadId};
use hangdog_timeline::Phase;
use ratatui::style::Style;
use ratatui::text::Line;

use super::descriptors::{access, comm, more};
use super::draw::piece;
use super::{descriptors, lanes, locks, mounts, sockets, tasks};
use crate::call;
use crate::lane::LaneKind;
use crate::model::Model;
use crate::state::Row;
use crate::text::{actor, clean, clock, lasting, wrap};
use crate::theme::{DIM, HANG, HEADING, PLAIN, STRONG};

/// Columns of the names on the left.
const NAMES: usize = 14;

pub(super) struct Sheet {
    lines: Vec<Line<'static>>,
    columns: usize,
}

impl Sheet {
    /// `name   value`, wrapped. Nothing when the value is empty.
    pub(super) fn fact(&mut self, name: &str, value: &str) {
        self.styled(name, value, PLAIN);
    }

    pub(super) fn styled(&mut self, name: &str, value: &str, style: Style) {
        if value.is_empty() {
            return;
        }
        for (n, line) in wrap(value, self.columns.saturating_sub(NAMES + 4)).into_iter().enumerate() {
            let name = if n == 0 { name } else { "" };
            self.lines.push(Line::from(vec![piece(format!("  {name:<NAMES$} "), DIM), piece(line, style)]));
        }
    }

    fn observed<T>(&mut self, name: &str, value: &Observed<T>, words: impl Fn(&T) -> String) {
        match value {
            Observed::NotAsked => {}
            Observed::Seen(value) => self.fact(name, &words(value)),
            other => self.styled(name, &other.why_not().unwrap_or_default(), DIM),
        }
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.lines.push(Line::default());
        self.lines.push(Line::from(piece(format!(" {text}"), HEADING)));
    }

    pub(super) fn edge(&mut self, edge: &Edge) {
        let resolver = edge.resolver.as_ref().map_or("nobody".to_owned(), actor);
        self.styled("who waits", &actor(&edge.waiter), STRONG);
        self.fact("in phase", &edge.waiter.phase.as_deref().map(|p| clean(p).into_owned()).unwrap_or_default());
        self.fact("in", &edge.resource.call.as_deref().map(|call| clean(call).into_owned()).unwrap_or_default());
        self.fact("waits for", &format!("{} ({})", clean(&edge.resource.name), clean(&edge.resource.kind)));
        self.styled("could end it", &resolver, if edge.resolver.is_some() { STRONG } else { HANG });
        self.fact("sure", edge.confidence.word());
        for evidence in &edge.evidence {
            let facts: Vec<_> = evidence.facts.iter().map(|fact| clean(&fact.0)).collect();
            let facts = if facts.is_empty() { String::new() } else { format!("  [{}]", facts.join(" ")) };
            self.fact("evidence", &format!("{}{facts}", clean(&evidence.text)));
        }
    }
}

/// Title and lines of a row at a time.
pub(super) fn of(model: &Model, t: RunNs, row: Row, columns: u16) -> (String, Vec<Line<'static>>) {
    let mut sheet = Sheet { lines: vec![Line::default()], columns: usize::from(columns) };
    let title = describe(model, t, row, &mut sheet).unwrap_or_else(|| {
        sheet.fact("", "It was not there at this time.");
        "Not there".to_owned()
    });
    (title, sheet.lines)
}

fn describe(model: &Model, t: RunNs, row: Row, sheet: &mut Sheet) -> Option<String> {
    match row {
        Row::Edge(i) => {
            let edge = model.verdict_edges().get(i)?;
            sheet.edge(edge);
            Some(format!("Wait {} of {}", i + 1, model.verdict_edges().len()))
        }
        Row::Lane(i) => lane(model, t, i, sheet),
        Row::Thread(id) => thread(model, t, id, sheet),
        Row::Task(process, task) => {
            phases(model, t, model.task_lane(process, task)?, sheet);
            Some(format!("Task {task} of {}[{}]", model.comm(process.pid, t), process.pid))
        }
        Row::Process(pid) => process(model, t, pid, sheet),
        Row::Descriptor(pid, fd) | Row::HeldLock(pid, fd, _) => {
            let snapshot = model.snapshot(t)?;
            let fact = snapshot.fd(pid, fd)?;
            sheet.fact("of", &format!("{}[{pid}]", comm(snapshot, pid)));
            sheet.fact("target", &clean(&fact.target));
            sheet.fact("for", access(fact.access));
            sheet.fact("flags", &fact.flags.map(|flags| format!("{flags:#o}")).unwrap_or_default());
            sheet.fact("position", &fact.position.map(|position| position.to_string()).unwrap_or_default());
            sheet.fact("more", &more(snapshot, fact));
            let holders = fact.pipe().map(|inode| snapshot.pipe_holders(inode).collect::<Vec<_>>());
            for other in holders.into_iter().flatten() {
                let who = comm(snapshot, other.process.pid);
                sheet.fact(
                    "an end of it",
                    &format!("{who}[{}] fd {} {}", other.process.pid, other.fd, access(other.access)),
                );
            }
            Some(format!("Descriptor {fd} of {pid}"))
        }
        Row::Mount(i) => {
            let snapshot = model.snapshot(t)?;
            let mount = snapshot.mounts.get(i)?;
            sheet.fact("mounted at", &clean(&mount.mount_point));
            sheet.fact("type", &clean(&mount.fs_type));
            sheet.fact("source", &clean(&mount.source));
            sheet.fact("device", &mount.device.to_string());
            sheet.fact("root", &clean(&mount.root));
            sheet.fact(
                "number",
                &format!("{} on {} in mount namespace {}", mount.mount, mount.parent, mount.namespace),
            );
            sheet.fact("made by", if mount.made_by_run { "the run" } else { "" });
            if let Some(connection) = mount.fuse() {
                connection_facts(model, t, connection, sheet);
            }
            Some("Mount".to_owned())
        }
        Row::Fuse(connection) => {
            connection_facts(model, t, connection, sheet);
            Some(format!("FUSE connection {connection}"))
        }
        Row::Lock(i) => {
            let snapshot = model.snapshot(t)?;
            let lock = snapshot.locks.get(i)?;
            sheet.fact("file", &locks::file(snapshot, lock.device, lock.inode));
            sheet.fact("inode", &format!("{}:{}", lock.device, lock.inode));
            sheet.fact("kind", &locks::lock_words(lock.class, lock.mode));
            sheet.fact("asked for by", &lock.pid.to_string());
            sheet.fact("held by", if lock.waits { String::new() } else { locks::holders(snapshot, lock) }.as_str());
            Some(if lock.waits { "Wait for a file lock".to_owned() } else { "File lock".to_owned() })
        }
        Row::Socket(i) => {
            let snapshot = model.snapshot(t)?;
            let socket = snapshot.sockets.get(i)?;
            sheet.fact("socket", &sockets::words(socket));
            sheet.fact("inode", &socket.inode.to_string());
            sheet.fact("net", &socket.netns.to_string());
            sheet.fact("held by", &sockets::owners(snapshot, socket));
            sheet.fact("retransmits", &socket.retransmits.map(|n| n.to_string()).unwrap_or_default());
            Some("Socket".to_owned())
        }
        Row::Finding(i) => {
            let finding = model.report.findings.get(i)?;
            self::finding(finding, sheet);
            Some(finding.kind.name())
        }
        Row::Event(i) => {
            let event = model.events.get(i)?;
            sheet.fact(event.kind().word(), &model.events.text(&model.timeline, event));
            Some(clock(event.t))
        }
        Row::Hop(hop) => super::graph::details(model, t, hop, sheet),
        Row::Paragraph(_) => None,
    }
}

fn finding(finding: &Finding, sheet: &mut Sheet) {
    sheet.styled("finding", &clean(&finding.sentence), STRONG);
    sheet.fact("sure", finding.confidence.word());
    sheet.fact("signature", &clean(&finding.signature));
    for culprit in &finding.culprits {
        sheet.fact("to blame", &actor(culprit));
    }
    for (name, list) in
        [("what to do", &finding.advice), ("what frees it", &finding.rescue), ("not seen", &finding.unknown)]
    {
        for item in list {
            sheet.fact(name, &clean(item));
        }
    }
    for (i, edge) in finding.edges.iter().enumerate() {
        sheet.heading(&format!("Wait {} of {}", i + 1, finding.edges.len()));
        sheet.edge(edge);
    }
}

fn connection_facts(model: &Model, t: RunNs, connection: hangdog_schemas::FuseConnection, sheet: &mut Sheet) {
    let Some(snapshot) = model.snapshot(t) else { return };
    sheet.fact("connection", &connection.to_string());
    if let Some(fact) = snapshot.fuse.get(&connection) {
        sheet.observed("waiting", &fact.waiting, |n| format!("{n} requests without an answer"));
    }
    sheet.fact("served by", &mounts::servers(snapshot, connection));
}

fn lane(model: &Model, t: RunNs, index: usize, sheet: &mut Sheet) -> Option<String> {
    let lane = model.lanes.get(index)?;
    match &lane.kind {
        LaneKind::Process(id) => process(model, t, id.pid, sheet),
        LaneKind::Thread(id) => thread(model, t, *id, sheet),
        LaneKind::Task(process, task) => describe(model, t, Row::Task(*process, *task), sheet),
        LaneKind::Phases(row) => {
            let all = model.timeline.phases();
            let begun = row.partition_point(|p| all[*p as usize].open.t <= t);
            let phase = &all[row[begun.checked_sub(1)?] as usize];
            for (name, value) in phase_facts(phase, t) {
                sheet.fact(name, &value);
            }
            Some(format!("Phase {}", clean(&phase.name)))
        }
    }
}

fn thread(model: &Model, t: RunNs, id: ThreadId, sheet: &mut Sheet) -> Option<String> {
    let (pid, tid) = (id.process.pid, id.tid);
    let sampled = model.timeline.thread_at(id, t);
    let snapshot = model.snapshot(t);
    let fact = snapshot.and_then(|snapshot| Some((snapshot, snapshot.threads.get(&(pid, tid))?)));
    if sampled.is_none() && fact.is_none() {
        return None;
    }
    if let Some(at) = sampled {
        let state = lanes::state_words(at.state);
        sheet.styled("state", &format!("{state}, unchanged for {}", lasting(t.0 - at.since.0)), STRONG);
        sheet.fact("switches", &format!("{} voluntary, {} involuntary", at.vol, at.invol));
        sheet.fact("cpu", &lasting(at.cpu_ns));
    }
    if let Some((snapshot, fact)) = fact {
        seen_in(snapshot.id.0, fact, &call::words(snapshot, fact), sheet);
    }
    if let Some(lane) = model.lane_of(id) {
        phases(model, t, lane, sheet);
    }
    if let Some(edge) = model.wait_of(pid, tid) {
        sheet.heading("Its wait, as the report has it (w goes on)");
        sheet.edge(edge);
    }
    Some(format!("Thread {} {tid} of {}[{pid}]", tasks::name(model, t, id), model.comm(pid, t)))
}

fn seen_in(snapshot: u32, fact: &ThreadFact, call: &str, sheet: &mut Sheet) {
    sheet.heading(&format!("In snapshot {snapshot}, at {}", clock(fact.when.t)));
    sheet.fact("in", call);
    if let Some(why) = fact.syscall.why_not().filter(|_| !fact.syscall.is_not_asked()) {
        sheet.styled("system call", &why, DIM);
    }
    sheet.observed("wchan", &fact.wchan, |wchan| clean(wchan).into_owned());
    sheet.observed("kernel stack", &fact.stack, |stack| clean(&stack.join(" < ")).into_owned());
    if !fact.children.is_empty() {
        let children: Vec<String> = fact.children.iter().map(ToString::to_string).collect();
        sheet.fact("children", &children.join(" "));
    }
}

fn process(model: &Model, t: RunNs, pid: Pid, sheet: &mut Sheet) -> Option<String> {
    let life = model
        .timeline
        .processes()
        .find(|process| process.id.pid == pid && process.start.t <= t && process.end.is_none_or(|end| end.t > t));
    let life = life.or_else(|| model.timeline.processes().filter(|process| process.id.pid == pid).last());
    let snapshot = model.snapshot(t);
    let fact = snapshot.and_then(|snapshot| snapshot.processes.get(&pid));
    if let Some(life) = life {
        sheet.fact("began", &format!("{}, child of {}", clock(life.start.t), life.parent));
        if let Some(end) = life.end {
            let how = life.how.map(crate::event::exit).unwrap_or_default();
            sheet.fact("ended", &format!("{} {how}", clock(end.t)));
        }
    }
    if let (Some(snapshot), Some(fact)) = (snapshot, fact) {
        sheet.observed("command", &fact.cmdline, |arguments| clean(&arguments.join(" ")).into_owned());
        sheet.observed("program", &fact.exe, |exe| clean(exe).into_owned());
        sheet.observed("directory", &fact.cwd, |cwd| clean(cwd).into_owned());
        sheet.observed("frozen", &fact.frozen, ToString::to_string);
        sheet.fact("belongs", &format!("{:?}", fact.belongs).to_lowercase());
        sheet.fact("user", &fact.uid.map(|uid| uid.to_string()).unwrap_or_default());
        sheet.fact("traced by", &fact.tracer.map(|pid| pid.to_string()).unwrap_or_default());
        if let Some(fds) = snapshot.fds.get(&pid) {
            sheet.heading(&format!("Descriptors in snapshot {}", snapshot.id));
            for fact in fds.values() {
                let more = descriptors::more(snapshot, fact);
                let name = format!("{} {}", fact.fd, access(fact.access));
                sheet.fact(&name, format!("{}  {more}", clean(&fact.target)).trim_end());
            }
        }
    } else if life.is_none() {
        return None;
    }
    Some(format!("Process {}[{pid}]", model.comm(pid, t)))
}

/// The open phases of a thread or task, outermost first.
fn phases(model: &Model, t: RunNs, lane: usize, sheet: &mut Sheet) {
    let Some(innermost) = model.innermost_phase(lane, t) else { return };
    for phase in model.timeline.phase_path(innermost).into_iter().filter(|phase| phase.is_open_at(t)) {
        sheet.heading(&format!("Phase {}", clean(&phase.name)));
        for (name, value) in phase_facts(phase, t) {
            sheet.fact(name, &value);
        }
    }
}

fn phase_facts(phase: &Phase, t: RunNs) -> Vec<(&'static str, String)> {
    let mut facts = vec![("open", phase_words(phase, t))];
    let key = |key: &Option<hangdog_schemas::ResourceKey>| {
        key.as_ref().map(|key| clean(&key.to_string()).into_owned()).unwrap_or_default()
    };
    let text = |text: &Option<String>| text.as_deref().map(|text| clean(text).into_owned()).unwrap_or_default();
    facts.push(("waits for", key(&phase.hang.wait)));
    facts.push(("holds", key(&phase.hang.hold)));
    facts.push(("serves", key(&phase.hang.serve)));
    facts.push(("operation", text(&phase.hang.op)));
    facts.push(("entity", text(&phase.hang.entity)));
    facts.push(("link", text(&phase.hang.link)));
    facts.push(("outcome", text(&phase.outcome)));
    let fields: Vec<String> =
        phase.fields.iter().map(|(name, value)| format!("{}={}", clean(name), clean(value))).collect();
    facts.push(("fields", fields.join(" ")));
    facts
}

/// A phase at a time, in words.
pub(super) fn phase_words(phase: &Phase, t: RunNs) -> String {
    let name = clean(&phase.name);
    match phase.close {
        Some(close) if close.t <= t => {
            format!("{name}: ended at {} after {}", clock(close.t), lasting(close.t.0.saturating_sub(phase.open.t.0)))
        }
        Some(_) | None => {
            format!("{name}: open for {} since {}", lasting(t.0.saturating_sub(phase.open.t.0)), clock(phase.open.t))
        }
    }
}

/// What a phase says of itself, in one line.
pub(super) fn field_words(phase: &Phase) -> String {
    let facts = phase_facts(phase, phase.open.t);
    let said = facts.into_iter().skip(1).filter(|(_, value)| !value.is_empty());
    said.map(|(name, value)| if name == "fields" { value } else { format!("{name} {value}") })
        .collect::<Vec<_>>()
        .join(", ")
}
