//! The facts of a hop, below the wait that leads to it: of every hop where there is room, else of the selected one.
//!
//! ```text
//!  └─ waits for data or the end of pipe:[81234]             certain
//!     · sleep[12] holds the write end as fd 1
//!     · it runs: sleep 600
//!     · the one that started it has ended
//!     sleep[12]  in clock_nanosleep                waits for outside
//! ```

use hangdog_schemas::fact::Belonging;
use hangdog_schemas::{Pid, RunNs};

use crate::graph::{At, Graph, Node};
use crate::model::Model;
use crate::state::{Evidence, Hop, Row, State};
use crate::text::{clean, wrap};
use crate::view::areas;

/// With more tasks in the tree than this, only the selected one has its facts below it.
const MOST: usize = 300;

/// Columns of text at least, however far in.
const NARROWEST: usize = 16;

/// Which hops have their facts below them.
enum Extent {
    All,
    Selected(Option<Hop>),
    None,
}

/// The facts of a tree as it is shown.
pub(super) struct Facts<'a> {
    model: &'a Model,
    graph: &'a Graph,
    t: RunNs,
    columns: u16,
    extent: Extent,
}

impl<'a> Facts<'a> {
    pub(super) fn of(model: &'a Model, state: &State, graph: &'a Graph) -> Self {
        let body = areas(state.size).body;
        let room = usize::from(body.height.saturating_sub(super::HEAD));
        let mut facts = Self { model, graph, t: state.cursor, columns: body.width, extent: Extent::All };
        let rows = state.rows.len();
        let all = match state.evidence {
            Evidence::Hidden => false,
            Evidence::Shown => rows <= MOST,
            Evidence::Auto => rows <= room && facts.total(state) <= room,
        };
        if state.evidence == Evidence::Hidden {
            facts.extent = Extent::None;
        } else if !all {
            let selected = state.selected();
            facts.extent = Extent::Selected(if let Some(Row::Hop(hop)) = selected { Some(hop) } else { None });
        }
        facts
    }

    fn total(&self, state: &State) -> usize {
        let rows = (0..state.rows.len()).filter_map(|n| state.rows.get(n));
        let nodes = rows.filter_map(|row| if let Row::Hop(hop) = row { self.graph.node(hop) } else { None });
        nodes.map(|node| self.height(node)).sum()
    }

    /// Lines of a node: how one comes to it, the facts, and who it is.
    pub(super) fn height(&self, node: &Node) -> usize {
        1 + usize::from(node.via.is_some()) + self.lines(node).len()
    }

    /// First columns of the lines of a node. Far in, the indent stops growing: the text has to have room.
    pub(super) fn indent(&self, node: &Node) -> u16 {
        (1 + 3 * node.depth).min(usize::from(self.columns) / 3) as u16
    }

    /// The facts of a hop, wrapped.
    pub(super) fn lines(&self, node: &Node) -> Vec<String> {
        let shown = match self.extent {
            Extent::All => true,
            Extent::Selected(hop) => hop == Some(node.hop),
            Extent::None => false,
        };
        let Some(way) = self.graph.way(node).filter(|_| shown) else { return Vec::new() };
        let room = usize::from(self.columns.saturating_sub(self.indent(node) + 3)).max(NARROWEST);
        let mut texts: Vec<String> = way.edge.evidence.iter().map(|fact| clean(&fact.text).into_owned()).collect();
        if node.at != At::Nobody {
            texts.extend(self.who(node.hop.pid));
        }
        let mut lines = Vec::new();
        for text in texts {
            for (n, line) in wrap(&text, room).into_iter().enumerate() {
                lines.push(format!("{}{line}", if n == 0 { "· " } else { "  " }));
            }
        }
        lines
    }

    /// What is known of a process beyond its name.
    fn who(&self, pid: Pid) -> Vec<String> {
        let Some(fact) = self.model.snapshot(self.t).and_then(|snapshot| snapshot.processes.get(&pid)) else {
            return Vec::new();
        };
        let header = self.model.timeline.header();
        let mut texts = Vec::new();
        if let Some(arguments) = fact.cmdline.seen().filter(|arguments| arguments.len() > 1) {
            texts.push(format!("it runs: {}", clean(&arguments.join(" "))));
        }
        // Whoever loses its parent in a run is adopted by the one that watches it.
        if fact.belongs == Belonging::Run && fact.parent == header.observer.pid {
            texts.push("the one that started it has ended".to_owned());
        }
        if fact.belongs == Belonging::Outside {
            texts.push("it is not of this run".to_owned());
        }
        texts
    }
}
