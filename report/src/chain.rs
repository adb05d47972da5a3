//! The chain of waits as a drawing, evidence under each edge.
//!
//! ```text
//!     ╭─▶ indexd[4412]  POST /api/conversations/new > walk /tmp/x
//!     │     │ is in openat("/tmp/x/mount/conversation")
//!     │     │ waits for fuse-reply /tmp/x/mount (certain)
//!     │     │   - the mount is FUSE connection 41, which has 1 request waiting
//!     │     ▼
//!     │   fuse.test[4390]  flush send
//!     │     │ …
//!     │     ▼
//!     ╰── indexd[4412] (above)
//! ```
//!
//! Edges come in the order of the chain. One that closes on somebody already drawn gets a rail on the
//! left; at most [`RAILS`] of them, further ones are told in words alone.

use hangdog_schemas::{Actor, Edge, Finding};

use crate::page::{safe, wrap};
use crate::style::{Ink, Style};
use crate::words;

const RAILS: usize = 3;

/// A line of the drawing, escaped.
pub(crate) struct Row {
    pub(crate) prefix: String,
    pub(crate) ink: Ink,
    pub(crate) text: String,
}

struct Rail {
    top: usize,
    bottom: usize,
}

struct Drawing<'a> {
    style: &'a Style,
    rows: Vec<Row>,
    nodes: Vec<(Actor, usize)>,
    rails: Vec<Rail>,
    width: usize,
    /// Whether the last row is a task that may wait for something itself.
    open: bool,
}

/// Draws the edges of a finding; no rows when it has none.
pub(crate) fn draw(finding: &Finding, style: &Style) -> Vec<Row> {
    let rails = RAILS.min(finding.edges.len());
    let width = style.width.saturating_sub(2 + 2 * rails);
    let mut drawing = Drawing { style, rows: Vec::new(), nodes: Vec::new(), rails: Vec::new(), width, open: false };
    for (i, edge) in finding.edges.iter().enumerate() {
        drawing.edge(finding, edge, finding.edges.get(i + 1));
    }
    drawing.lay_rails();
    drawing.rows
}

/// Whether one may be the thread that is meant where only its process is known. Async tasks are always known.
fn is_thread_of(one: &Actor, process: &Actor) -> bool {
    one.pid == process.pid && one.task.is_none() && process.task.is_none()
}

impl Drawing<'_> {
    fn edge(&mut self, finding: &Finding, edge: &Edge, next: Option<&Edge>) {
        let goes_on = self.open && self.nodes.last().is_some_and(|(node, _)| node.is(&edge.waiter));
        if !goes_on {
            if !self.rows.is_empty() {
                self.row("", Ink::Plain, "");
            }
            self.node(&edge.waiter);
        }
        let bar = self.style.glyph("  │ ", "  | ");
        if let Some(call) = &edge.resource.call {
            self.text(bar, bar, Ink::Plain, &format!("is in {call}"));
        }
        let wait = format!("waits for {} ({})", edge.resource.name, edge.confidence.word());
        self.text(bar, bar, Ink::Plain, &wait);
        let (first, rest) = (self.style.glyph("  │   - ", "  |   - "), self.style.glyph("  │     ", "  |     "));
        for evidence in &edge.evidence {
            self.text(first, rest, Ink::Plain, &evidence.text);
            let facts = evidence.facts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            if !facts.is_empty() {
                self.text(rest, rest, Ink::Faint, &facts);
            }
        }
        self.row(self.style.glyph("  ▼", "  v"), Ink::Plain, "");
        self.resolver(finding, edge, next);
    }

    fn resolver(&mut self, finding: &Finding, edge: &Edge, next: Option<&Edge>) {
        self.open = false;
        let Some(resolver) = &edge.resolver else {
            let cross = self.style.glyph("✗ ", "X ");
            self.text(cross, "  ", Ink::Bad, words::nobody(finding.kind));
            return;
        };
        if let Some((_, top)) = self.nodes.iter().find(|(node, _)| node.is(resolver)) {
            let top = *top;
            let bottom = self.rows.len();
            self.text("", "  ", Ink::Strong, &format!("{} (above)", words::actor(resolver)));
            if self.rails.len() < RAILS {
                self.rails.push(Rail { top, bottom });
            }
        } else if let Some(thread) = next.map(|next| &next.waiter).filter(|waiter| is_thread_of(waiter, resolver)) {
            // The process is known as the resolver, and the next edge says which of its threads.
            self.node(thread);
        } else {
            self.node(resolver);
        }
    }

    fn node(&mut self, actor: &Actor) {
        self.open = true;
        self.nodes.push((actor.clone(), self.rows.len()));
        let name = words::actor(actor);
        let label = match &actor.phase {
            Some(phase) => format!("{name}  {phase}"),
            None => name,
        };
        self.text("", "  ", Ink::Strong, &label);
    }

    fn text(&mut self, first: &str, rest: &str, ink: Ink, text: &str) {
        let room = self.width.saturating_sub(rest.chars().count());
        for (i, line) in wrap(&safe(text, self.style), room).iter().enumerate() {
            self.row(if i == 0 { first } else { rest }, ink, line);
        }
    }

    fn row(&mut self, prefix: &str, ink: Ink, text: &str) {
        self.rows.push(Row { prefix: prefix.to_owned(), ink, text: text.to_owned() });
    }

    fn lay_rails(&mut self) {
        // The longest rail is outermost, so that rails cross as little as they can.
        self.rails.sort_by_key(|rail| std::cmp::Reverse(rail.bottom - rail.top));
        let room = if self.rails.is_empty() { 0 } else { 2 + 2 * self.rails.len() };
        for (i, row) in self.rows.iter_mut().enumerate() {
            let gutter = gutter(&self.rails, i, room, self.style);
            row.prefix.insert_str(0, &format!("  {gutter}"));
        }
    }
}

/// The rails in one row.
fn gutter(rails: &[Rail], row: usize, room: usize, style: &Style) -> String {
    let (bar, dash, arrow) = (style.glyph("│", "|"), style.glyph("─", "-"), style.glyph("▶", ">"));
    let mut gutter = vec![" "; room];
    for (rail, column) in rails.iter().zip((0..).step_by(2)) {
        if row > rail.top && row < rail.bottom {
            gutter[column] = bar;
        } else if row == rail.top || row == rail.bottom {
            // A rail further out may pass here already.
            let joins = gutter[column] == dash;
            gutter[column..room - 1].fill(dash);
            gutter[column] = match (row == rail.top, joins) {
                (true, false) => style.glyph("╭", "+"),
                (true, true) => style.glyph("┬", "+"),
                (false, false) => style.glyph("╰", "+"),
                (false, true) => style.glyph("┴", "+"),
            };
            if row == rail.top {
                gutter[room - 2] = arrow;
            }
        }
    }
    gutter.concat()
}
