//! The first screen: the sentence, the chain of waits drawn, the evidence, what to do.
//!
//! ```text
//!   fuse.test[4390]                        who waits, in which phase
//!   │ in close(7): reply of FUSE …         in which call, for what, how sure
//! ┌▸fuse.test[4390/4391]                   who could end that
//! │ │ in recvfrom(9): …
//! │ indexd[4412/4414]
//! │ │ in openat("/mnt/x"): …
//! └─┘ waits for fuse.test[4390/4391]: the loop closes
//! ```

use hangdog_schemas::{Actor, Edge, Finding};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::areas;
use super::draw::{piece, put, put_line};
use crate::event;
use crate::load::Extent;
use crate::model::Model;
use crate::state::{Evidence, Row, State};
use crate::text::{actor, clean, clock, fit, lasting, width, wrap};
use crate::theme::{DIM, HANG, HEADING, PLAIN, STRONG, WELL, confidence};

/// A line and the row that it belongs to.
struct Entry {
    row: Row,
    line: Line<'static>,
}

/// Collects lines; each paragraph is a row.
struct Page {
    entries: Vec<Entry>,
    paragraph: usize,
    columns: usize,
}

impl Page {
    fn line(&mut self, row: Row, spans: Vec<Span<'static>>) {
        self.entries.push(Entry { row, line: Line::from(spans) });
    }

    /// An own row of one or more lines, wrapped, with what comes before the first and before the others.
    fn paragraph(&mut self, first: &str, rest: &str, text: &str, style: Style) {
        let row = Row::Paragraph(self.paragraph);
        self.paragraph += 1;
        let room = self.columns.saturating_sub(width(first) + 1);
        for (n, line) in wrap(text, room).into_iter().enumerate() {
            let before = if n == 0 { first } else { rest };
            self.line(row, vec![piece(before, DIM), piece(line, style)]);
        }
    }

    /// An empty line, part of the row above it.
    fn gap(&mut self) {
        let row = self.entries.last().map_or(Row::Paragraph(0), |entry| entry.row);
        self.line(row, Vec::new());
    }

    /// A heading, part of the row below it.
    fn heading(&mut self, text: &str, row: Row) {
        self.gap();
        self.line(row, vec![piece(format!(" {text}"), HEADING)]);
    }

    fn list(&mut self, title: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.heading(title, Row::Paragraph(self.paragraph));
        for item in items {
            self.paragraph(" • ", "   ", &clean(item), PLAIN);
        }
    }
}

fn entries(model: &Model, state: &State, columns: u16, evidence: bool) -> Vec<Entry> {
    let mut page = Page { entries: Vec::new(), paragraph: 0, columns: usize::from(columns) };
    match &model.report.verdict {
        Some(verdict) => {
            page.line(
                Row::Paragraph(0),
                vec![
                    piece(format!(" {}", verdict.kind.name()), HANG),
                    piece(format!(", {}", verdict.confidence.word()), confidence(verdict.confidence)),
                    piece(quiet(model), DIM),
                ],
            );
            page.paragraph(" ", " ", &clean(&verdict.sentence), STRONG);
            chain(&mut page, verdict, evidence, state.selected());
            page.list("What to do", &verdict.advice);
            page.list("What frees it", &verdict.rescue);
            page.list("Not seen", &verdict.unknown);
        }
        None => nothing_wrong(&mut page, model),
    }
    page.list("What hangdog did", &model.report.run.actions);
    page.list("Missing from the capture", &model.report.run.missing);
    let others =
        &model.report.findings[usize::from(model.report.verdict.is_some()).min(model.report.findings.len())..];
    if !others.is_empty() {
        page.heading("Other findings (f)", Row::Paragraph(page.paragraph));
        for finding in others {
            let text = format!("{}: {}", finding.kind.name(), clean(&finding.sentence));
            page.paragraph(" • ", "   ", &text, PLAIN);
        }
    }
    page.entries
}

/// How long nothing had moved, in words, when the report says.
fn quiet(model: &Model) -> String {
    let run = &model.report.run;
    let Some(progress) = run.last_progress else { return String::new() };
    let after = run.progress.as_deref().map(|what| format!(" ({})", clean(what))).unwrap_or_default();
    format!("; no progress for {} since {}{after}", lasting(run.at.0.saturating_sub(progress.0)), clock(progress))
}

fn nothing_wrong(page: &mut Page, model: &Model) {
    if model.extent == Extent::Part {
        page.line(Row::Paragraph(0), vec![piece(" no verdict yet", STRONG)]);
        page.paragraph(" ", " ", "The capture is still being read. What is shown is a part of it.", PLAIN);
        return;
    }
    page.line(Row::Paragraph(0), vec![piece(" no hang", WELL)]);
    let end = match model.timeline.run_end() {
        Some(end) => {
            let how = end.how.map_or("was not waited for".to_owned(), |how| format!("ended: {}", event::exit(how)));
            format!("The report has no verdict. The command {how}, after {}.", lasting(end.when.t.0))
        }
        None => {
            format!("The report has no verdict. The capture ends at {}, before the command did.", clock(model.end()))
        }
    };
    page.paragraph(" ", " ", &end, PLAIN);
}

/// Draws the edges one below the other; a rail on the left leads back to where the loop closes.
fn chain(page: &mut Page, verdict: &Finding, evidence: bool, selected: Option<Row>) {
    let edges = &verdict.edges;
    if edges.is_empty() {
        return;
    }
    page.heading("Who waits for whom", Row::Edge(0));
    let target = loop_target(edges);
    let mut before: Option<&Actor> = None;
    for (i, edge) in edges.iter().enumerate() {
        let row = Row::Edge(i);
        let in_loop = target.is_some_and(|(from, to)| (from..=to).contains(&i));
        let opens = target.is_some_and(|(from, _)| from == i);
        if i > 0 && before.is_none_or(|resolver| !resolver.is(&edge.waiter)) {
            page.gap();
        }
        let marked = selected == Some(row);
        let rail = match (opens, in_loop) {
            (true, _) => "┌▸",
            (false, true) => "│ ",
            (false, false) => "  ",
        };
        node(page, row, rail, &edge.waiter, marked);
        wait(page, row, if in_loop { "│ " } else { "  " }, edge, evidence, marked);
        let last_of_segment = edges.get(i + 1).zip(edge.resolver.as_ref()).is_none_or(|(n, r)| !n.waiter.is(r));
        if last_of_segment {
            end(page, row, edge, target.is_some_and(|(_, to)| to == i));
        }
        before = edge.resolver.as_ref();
    }
}

/// The edges between which the loop runs: from the one whose waiter the last one's resolver is, to that last one.
fn loop_target(edges: &[Edge]) -> Option<(usize, usize)> {
    edges.iter().enumerate().find_map(|(to, edge)| {
        let resolver = edge.resolver.as_ref()?;
        edges[..=to].iter().position(|earlier| earlier.waiter.is(resolver)).map(|from| (from, to))
    })
}

fn node(page: &mut Page, row: Row, rail: &str, who: &Actor, marked: bool) {
    let name = actor(who);
    let phase = who.phase.as_deref().map(|phase| clean(phase).into_owned()).unwrap_or_default();
    let room = page.columns.saturating_sub(width(&name) + 6);
    let mut spans = vec![
        piece(if marked { "▸" } else { " " }, STRONG),
        piece(rail, HANG),
        piece(name, if marked { HANG } else { STRONG }),
    ];
    if !phase.is_empty() {
        spans.push(piece(format!("  {}", fit(&phase, room)), DIM));
    }
    page.line(row, spans);
}

fn wait(page: &mut Page, row: Row, rail: &str, edge: &Edge, evidence: bool, marked: bool) {
    let sure = edge.confidence.word();
    let name = clean(&edge.resource.name);
    let text = match &edge.resource.call {
        Some(call) => format!("in {}, waits for {name}", clean(call)),
        None => format!("waits for {name}"),
    };
    // The word for how sure stands at the right of the last line.
    let room = page.columns.saturating_sub(6);
    let lines = wrap(&text, room.saturating_sub(width(sure) + 2));
    let count = lines.len();
    let bar = if marked { "▸" } else { " " };
    for (n, line) in lines.into_iter().enumerate() {
        let gap = room.saturating_sub(width(&line) + width(sure));
        let mut spans = vec![piece(bar, STRONG), piece(rail, HANG), piece("│ ", HANG), piece(line, PLAIN)];
        if n + 1 == count {
            spans.push(piece(" ".repeat(gap), PLAIN));
            spans.push(piece(sure, confidence(edge.confidence)));
        }
        page.line(row, spans);
    }
    if evidence {
        for fact in &edge.evidence {
            for (n, line) in wrap(&clean(&fact.text), room.saturating_sub(2)).into_iter().enumerate() {
                let bullet = if n == 0 { "· " } else { "  " };
                page.line(
                    row,
                    vec![
                        piece(bar, STRONG),
                        piece(rail, HANG),
                        piece("│ ", HANG),
                        piece(bullet, DIM),
                        piece(line, DIM),
                    ],
                );
            }
        }
    }
}

/// The last line of a segment: the loop closes, or who stands at its end, or that nobody does.
fn end(page: &mut Page, row: Row, edge: &Edge, closes: bool) {
    match (&edge.resolver, closes) {
        (Some(resolver), true) => page.line(
            row,
            vec![
                piece(" ", PLAIN),
                piece("└─┘ ", HANG),
                piece(format!("which is {}: ", actor(resolver)), PLAIN),
                piece("the loop closes", HANG),
            ],
        ),
        (Some(resolver), false) => node(page, row, "  ", resolver, false),
        (None, _) => page.line(row, vec![piece("   × ", HANG), piece("nobody can end this wait", HANG)]),
    }
}

/// Whether the evidence is unfolded: by the key, else when there is room for all.
pub(crate) fn evidence_is_shown(model: &Model, state: &State) -> bool {
    match state.evidence {
        Evidence::Shown => true,
        Evidence::Hidden => false,
        Evidence::Auto => {
            let body = areas(state.size).body;
            entries(model, state, body.width, true).len() <= usize::from(body.height)
        }
    }
}

fn shown(model: &Model, state: &State) -> Vec<Entry> {
    entries(model, state, areas(state.size).body.width, evidence_is_shown(model, state))
}

/// The rows in order. A filter does not apply: this is one text.
pub(crate) fn rows(model: &Model, state: &State) -> Vec<Row> {
    let mut rows: Vec<Row> = shown(model, state).iter().map(|entry| entry.row).collect();
    rows.dedup();
    rows
}

/// What a paragraph says, for searching.
pub(super) fn text(model: &Model, state: &State, row: Row) -> String {
    let entries = shown(model, state);
    let lines = entries.iter().filter(|entry| entry.row == row).map(|entry| entry.line.to_string().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

pub(super) fn lines_of_selection(model: &Model, state: &State) -> (usize, usize, usize) {
    let entries = shown(model, state);
    let selected = state.selected();
    let first = entries.iter().position(|entry| Some(entry.row) == selected).unwrap_or(0);
    let last = entries.iter().rposition(|entry| Some(entry.row) == selected).unwrap_or(first);
    (first, last, entries.len())
}

pub(super) fn row_at(model: &Model, state: &State, y: u16) -> Option<Row> {
    shown(model, state).get(state.list().top + usize::from(y)).map(|entry| entry.row)
}

pub(super) fn draw(model: &Model, state: &State, area: Rect, buffer: &mut Buffer) {
    let entries = shown(model, state);
    let top = state.list().top;
    for (y, entry) in entries.iter().skip(top).take(usize::from(area.height)).enumerate() {
        put_line(buffer, area, y as u16, &entry.line);
        if let (Row::Paragraph(n), true) = (entry.row, Some(entry.row) == state.selected()) {
            // The first paragraph is selected at the start: no mark that would only disturb.
            if n > 0 && !entry.line.spans.is_empty() && entry.line.spans.len() > 1 {
                put(buffer, area, 0, y as u16, "▸", STRONG);
            }
        }
    }
    let below = entries.len().saturating_sub(top + usize::from(area.height));
    if below > 0 && area.height > 1 {
        let words = if area.width >= 60 { format!(" ↓ {below} more lines ") } else { " ↓ ".to_owned() };
        let area = Rect { y: area.y + area.height - 1, height: 1, ..area };
        super::draw::put_right(buffer, area, 0, 0, &words, DIM);
    }
}
