//! The wait graph, drawn as a tree: who waits, for what, who could end that, until a loop closes.
//!
//! ```text
//!  sh[10]  in wait4                                        cannot go on
//!  └─ the exit of make[11]                                      certain
//!     make[11]  in read(3)                                 cannot go on
//!     └─ data or the end of pipe 7                               likely
//!        × nobody can end this wait
//! ```

mod facts;

use std::sync::Arc;

use hangdog_analysis::{Otherwise, Prospect, Way};
use hangdog_schemas::RunNs;
use hangdog_schemas::fact::Belonging;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::details::Sheet;
use super::draw::{put, put_right};
use crate::call;
use crate::graph::{At, Graph, Node};
use crate::model::Model;
use crate::state::{Hop, Row, State};
use crate::text::{actor, clean, fit, lasting, matches, width};
use crate::theme::{DIM, HANG, PLAIN, SELECTED, STRONG, WELL, confidence};
use facts::Facts;

/// Lines above the tree.
pub(super) const HEAD: u16 = 1;

/// Columns of the word at the right.
const WORD: usize = 30;

fn graph(model: &Model, state: &State) -> Arc<Graph> {
    model.graphs.at(&model.timeline, state.cursor)
}

pub(crate) fn rows(model: &Model, state: &State) -> Vec<Row> {
    let graph = graph(model, state);
    let filtered = !state.filter.trim().is_empty();
    let shown = |node: &&Node| !filtered || matches(&state.filter, std::iter::once(words(&graph, node).as_str()));
    graph.nodes.iter().filter(shown).map(|node| Row::Hop(node.hop)).collect()
}

/// What a node says, for searching and filtering.
fn words(graph: &Graph, node: &Node) -> String {
    let way = graph.way(node).map(|way| {
        let call = way.edge.resource.call.as_deref().unwrap_or_default();
        format!("{} {} {call} ", way.edge.resource.kind, way.edge.resource.name)
    });
    format!("{}{}", clean(&way.unwrap_or_default()), name(graph, node).0)
}

pub(super) fn text(model: &Model, state: &State, row: Row) -> String {
    let graph = graph(model, state);
    let Row::Hop(hop) = row else { return String::new() };
    graph.node(hop).map(|node| words(&graph, node)).unwrap_or_default()
}

/// Who a node is, and in which phase or call.
fn name(graph: &Graph, node: &Node) -> (String, String) {
    let own = node.task.map(|task| &graph.waiting[task]);
    let way = graph.way(node);
    let who = match (own, way) {
        (Some(own), _) => Some(&own.who),
        (None, Some(way)) => way.edge.resolver.as_ref(),
        (None, None) => None,
    };
    let Some(who) = who else { return ("nobody".to_owned(), String::new()) };
    let call = own.and_then(|own| own.waits.first()?.edge.resource.call.as_deref());
    let call = call.map(|call| format!("in {}", clean(call)));
    let phase = who.phase.as_deref().map(|phase| clean(phase).into_owned());
    (actor(who), [call, phase].into_iter().flatten().collect::<Vec<_>>().join("  "))
}

fn prospect(prospect: Prospect) -> (&'static str, Style) {
    match prospect {
        Prospect::Dead => ("cannot go on", HANG),
        Prospect::Idle => ("waits for outside", PLAIN),
        Prospect::Live => ("can go on", WELL),
        Prospect::Unknown => ("as its phase says", DIM),
    }
}

/// Who could end a wait where the edge names nobody.
fn otherwise(way: &Way, dead: bool) -> (String, Style) {
    match way.otherwise {
        Otherwise::Nobody if dead => ("× nobody can end this wait".to_owned(), HANG),
        Otherwise::Nobody => ("× nobody else can end this wait".to_owned(), PLAIN),
        Otherwise::AnyThread => ("any thread of its process".to_owned(), PLAIN),
        Otherwise::Outside(whom) => (format!("outside: {whom}"), PLAIN),
        Otherwise::More(more) => (format!("and {more} more like these"), DIM),
        Otherwise::Unknown => ("no open phase says that it could end this".to_owned(), DIM),
    }
}

pub(super) fn draw(model: &Model, state: &State, area: Rect, buffer: &mut Buffer) {
    let graph = graph(model, state);
    head(model, state, &graph, area, buffer);
    let area = Rect { y: area.y + HEAD.min(area.height), height: area.height.saturating_sub(HEAD), ..area };
    if state.rows.len() == 0 {
        let words = if !state.filter.trim().is_empty() {
            "Nothing here matches the filter. Esc clears it."
        } else if model.snapshot(state.cursor).is_some() {
            "Nobody waits for anything that this snapshot shows."
        } else {
            "There was no snapshot yet at this time, and no open phase says what it waits for. } goes on to the next one."
        };
        for (y, line) in crate::text::wrap(words, usize::from(area.width).saturating_sub(2)).iter().enumerate() {
            put(buffer, area, 1, y as u16, line, DIM);
        }
        return;
    }
    let facts = Facts::of(model, state, &graph);
    let (mut line, top) = (0, state.list().top);
    for n in 0..state.rows.len() {
        let Some(Row::Hop(hop)) = state.rows.get(n) else { break };
        let Some(node) = graph.node(hop) else { break };
        if line >= top + usize::from(area.height) {
            break;
        }
        let height = facts.height(node);
        if line + height > top {
            let selected = n == state.list().index;
            draw_node(model, state, &facts, (&graph, node), selected, (line, top), area, buffer);
        }
        line += height;
    }
}

fn head(model: &Model, state: &State, graph: &Graph, area: Rect, buffer: &mut Buffer) {
    let seen = match model.snapshot(state.cursor) {
        Some(snapshot) => {
            let age = state.cursor.0.saturating_sub(snapshot.begin.0);
            let ago = if age == 0 { String::new() } else { format!(", {} ago", lasting(age)) };
            format!("Waits that snapshot {} saw{ago}", snapshot.id)
        }
        None => "Waits that open phases tell of".to_owned(),
    };
    let end = put(buffer, area, 1, 0, &seen, DIM);
    let dead = graph.waiting.iter().filter(|task| task.prospect == Prospect::Dead).count();
    let more = if graph.left_out { ", the rest left out" } else { "" };
    let count = format!("{} wait, {dead} cannot go on{more} ", graph.waiting.len());
    put_right(buffer, area, end + 2, 0, &count, DIM);
}

#[expect(clippy::too_many_arguments, reason = "where in the tree and where on the screen are two different places")]
fn draw_node(
    model: &Model,
    state: &State,
    facts: &Facts<'_>,
    (graph, node): (&Graph, &Node),
    selected: bool,
    (line, top): (usize, usize),
    area: Rect,
    buffer: &mut Buffer,
) {
    let indent = facts.indent(node);
    let mut lines = Vec::new();
    if let Some(way) = graph.way(node) {
        lines.push(way_line(way, area.width, indent.saturating_sub(3)));
    }
    let fact = |text| Pieces { from: indent, left: vec![(text, DIM)], right: (String::new(), PLAIN) };
    lines.extend(facts.lines(node).into_iter().map(fact));
    lines.push(who_line(model, state, graph, node, area.width, indent));
    let last = lines.len() - 1;
    for (n, pieces) in lines.into_iter().enumerate() {
        let Some(y) = (line + n).checked_sub(top).filter(|y| *y < usize::from(area.height)) else { continue };
        let mut x = pieces.from;
        for (text, style) in pieces.left {
            x = put(buffer, area, x, y as u16, &text, style);
        }
        put_right(buffer, area, x + 1, y as u16, &format!("{} ", pieces.right.0), pieces.right.1);
        if selected && n == last {
            let line = Rect { y: area.y + y as u16, height: 1, ..area };
            buffer.set_style(line, SELECTED.remove_modifier(ratatui::style::Modifier::DIM));
        }
    }
}

/// One line: pieces from a column on, and a word at the right.
struct Pieces {
    from: u16,
    left: Vec<(String, Style)>,
    right: (String, Style),
}

fn way_line(way: &Way, columns: u16, from: u16) -> Pieces {
    let sure = way.edge.confidence;
    let room = usize::from(columns).saturating_sub(usize::from(from) + 5 + width(sure.word()) + 2);
    let text = format!("waits for {}", clean(&way.edge.resource.name));
    Pieces {
        from,
        left: vec![("└─ ".to_owned(), DIM), (fit(&text, room).into_owned(), PLAIN)],
        right: (sure.word().to_owned(), confidence(sure)),
    }
}

fn who_line(model: &Model, state: &State, graph: &Graph, node: &Node, columns: u16, from: u16) -> Pieces {
    let own = node.task.map(|task| &graph.waiting[task]);
    let (word, style) = own.map_or(("", PLAIN), |own| prospect(own.prospect));
    let room = usize::from(columns).saturating_sub(usize::from(from) + 1);
    if node.at == At::Nobody {
        let waiter = node.via.map(|(task, _)| graph.waiting[task].prospect);
        let text = graph.way(node).map(|way| otherwise(way, waiter == Some(Prospect::Dead)));
        let (text, style) = text.unwrap_or_default();
        return Pieces { from, left: vec![(fit(&text, room).into_owned(), style)], right: (String::new(), PLAIN) };
    }
    let (mut name, mut doing) = name(graph, node);
    if let Some(snapshot) = model.snapshot(state.cursor) {
        if node.at == At::Leaf
            && let Some(thread) = snapshot.threads.get(&(node.hop.pid, node.hop.tid))
        {
            doing = [call::words(snapshot, thread), doing]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join("  ");
        }
        if snapshot.processes.get(&node.hop.pid).is_some_and(|fact| fact.belongs == Belonging::Outside) {
            name.push_str(" (outside)");
        }
    }
    let since = since(model, state, node.hop);
    let word = match node.at {
        At::LoopCloses => "↺ the loop closes".to_owned(),
        At::Above => "↑ see above".to_owned(),
        At::Leaf if since.is_none() => "waits for nobody known".to_owned(),
        _ => [Some(word).filter(|word| !word.is_empty()), since].into_iter().flatten().collect::<Vec<_>>().join(", "),
    };
    let style = match node.at {
        At::LoopCloses => HANG,
        At::Above | At::Leaf => DIM,
        _ => style,
    };
    let room = room.saturating_sub(width(&word).min(WORD) + 2);
    let name_style = if own.is_some_and(|own| own.prospect == Prospect::Dead) { HANG } else { STRONG };
    let doing = fit(&doing, room.saturating_sub(width(&name) + 2)).into_owned();
    let left = vec![(fit(&name, room).into_owned(), name_style), (format!("  {doing}"), DIM)];
    Pieces { from, left, right: (word, style) }
}

/// What a thread did between its snapshot and the cursor, so that its wait may be another now, or none.
fn since(model: &Model, state: &State, hop: Hop) -> Option<&'static str> {
    let snapshot = model.snapshot(state.cursor)?;
    let thread = model.thread(hop.pid, hop.tid)?;
    let end = model.timeline.process(thread.process).and_then(|process| process.end);
    let ended = end.is_some_and(|end| (snapshot.end..=state.cursor).contains(&end.t));
    // An async task goes from thread to thread: what a thread did says nothing of it.
    match model.timeline.thread_at(thread, state.cursor) {
        _ if ended => Some("ended since"),
        _ if hop.task.is_some() => None,
        Some(now) => (now.since > snapshot.end).then_some("moved since"),
        None => model.timeline.thread_at(thread, snapshot.begin).map(|_| "ended since"),
    }
}

/// First and last line of the selected node, and the number of all lines.
pub(super) fn lines_of_selection(model: &Model, state: &State) -> (usize, usize, usize) {
    let graph = graph(model, state);
    let facts = Facts::of(model, state, &graph);
    let (mut line, mut selected) = (0, (0, 0));
    for n in 0..state.rows.len() {
        let Some(Row::Hop(hop)) = state.rows.get(n) else { break };
        let Some(node) = graph.node(hop) else { break };
        let height = facts.height(node);
        if n == state.list().index {
            selected = (line, line + height - 1);
        }
        line += height;
    }
    (selected.0, selected.1, line)
}

pub(super) fn row_at(model: &Model, state: &State, y: u16) -> Option<Row> {
    let graph = graph(model, state);
    let facts = Facts::of(model, state, &graph);
    let mut line = 0;
    let wanted = state.list().top + usize::from(y);
    for n in 0..state.rows.len() {
        let row = state.rows.get(n)?;
        let Row::Hop(hop) = row else { return None };
        line += graph.node(hop).map_or(0, |node| facts.height(node));
        if line > wanted {
            return Some(row);
        }
    }
    None
}

/// The facts of a hop.
pub(super) fn details(model: &Model, t: RunNs, hop: Hop, sheet: &mut Sheet) -> Option<String> {
    let graph = model.graphs.at(&model.timeline, t);
    let node = graph.node(hop)?;
    if let Some(way) = graph.way(node) {
        sheet.heading("How one comes here");
        sheet.edge(&way.edge);
        if way.edge.resolver.is_none() {
            let (text, style) = otherwise(way, false);
            sheet.styled("", &text, style);
        }
    }
    if let Some(own) = node.task.map(|task| &graph.waiting[task]) {
        sheet.styled("prospect", prospect(own.prospect).0, prospect(own.prospect).1);
        for (n, way) in own.waits.iter().enumerate().filter(|_| node.at != At::Nobody) {
            sheet.heading(&format!("Way {} of {} in which its wait could end", n + 1, own.waits.len()));
            sheet.edge(&way.edge);
            if way.edge.resolver.is_none() {
                let (text, style) = otherwise(way, own.prospect == Prospect::Dead);
                sheet.styled("", &text, style);
            }
        }
    }
    Some(match node.at {
        At::Nobody => "The end of a way".to_owned(),
        _ => name(&graph, node).0,
    })
}
