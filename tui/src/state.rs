//! What the replay shows: the one time cursor, the view, and what is selected, folded, filtered. Changed by
//! [`update`](crate::update::update) alone; drawn by [`view`](crate::view).

use std::collections::BTreeSet;
use std::sync::Arc;

use hangdog_schemas::{Big, Fd, FuseConnection, Pid, ProcessId, RunNs, ThreadId, Tid};

use crate::compare::Second;
use crate::keymap::Keymap;
use crate::rows::Rows;
use crate::seek::Seek;
use crate::window::Window;

/// Backward or forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Back,
    On,
}

/// One of the screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum View {
    Verdict,
    TimeLine,
    Graph,
    Tasks,
    Processes,
    Descriptors,
    Mounts,
    Locks,
    Sockets,
    Findings,
    Events,
    Compare,
}

impl View {
    pub(crate) const ALL: [Self; 12] = [
        Self::Verdict,
        Self::TimeLine,
        Self::Graph,
        Self::Tasks,
        Self::Processes,
        Self::Descriptors,
        Self::Mounts,
        Self::Locks,
        Self::Sockets,
        Self::Findings,
        Self::Events,
        Self::Compare,
    ];

    /// Whether its rows are lanes.
    pub(crate) fn is_of_lanes(self) -> bool {
        matches!(self, Self::TimeLine | Self::Compare)
    }

    /// Its name in the tabs.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Verdict => "Verdict",
            Self::TimeLine => "Time",
            Self::Graph => "Graph",
            Self::Tasks => "Tasks",
            Self::Processes => "Procs",
            Self::Descriptors => "Fds",
            Self::Mounts => "Mounts",
            Self::Locks => "Locks",
            Self::Sockets => "Sockets",
            Self::Findings => "Findings",
            Self::Events => "Events",
            Self::Compare => "Compare",
        }
    }
}

/// Something that can be selected. Names the thing, not its place, so that it stays selected when the cursor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// An edge of the verdict.
    Edge(usize),
    /// A task in the wait graph.
    Hop(Hop),
    /// Another paragraph of the verdict view.
    Paragraph(usize),
    Lane(usize),
    Thread(ThreadId),
    Task(ProcessId, Big),
    Process(Pid),
    Descriptor(Pid, Fd),
    Mount(usize),
    /// A FUSE connection that is mounted nowhere any more.
    Fuse(FuseConnection),
    Lock(usize),
    /// A lock that only the holder's fdinfo shows: holder, descriptor, which of its locks.
    HeldLock(Pid, Fd, usize),
    Socket(usize),
    Finding(usize),
    Event(usize),
}

/// A place in the drawn wait graph: who, and the how manieth time from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hop {
    pub(crate) pid: Pid,
    pub(crate) tid: Tid,
    pub(crate) task: Option<Big>,
    pub(crate) time: u32,
}

/// Selection and scroll of one list.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    /// The selected row.
    pub(crate) row: Option<Row>,
    /// Where it was last seen; when it is gone, what is there now is selected.
    pub(crate) index: usize,
    /// First line on the screen.
    pub(crate) top: usize,
}

/// What lies over the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// Details of a row, scrolled by so many lines.
    Details(Row, usize),
    /// Help, scrolled by so many lines.
    Help(usize),
    /// The columns of the table, with the chosen one.
    Columns(usize),
}

/// What is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// The filter, and what it was before.
    Filter {
        before: String,
    },
    Search {
        text: String,
    },
    /// A command, and which of those that match is chosen.
    Palette {
        text: String,
        chosen: usize,
    },
}

/// How a table is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Look {
    /// The column that it is sorted by, and whether from the largest down (`Back`).
    pub(crate) sort: Option<(usize, Way)>,
    /// Columns that are not shown, a bit each.
    pub(crate) hidden: u32,
}

/// Where one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) view: View,
    pub(crate) row: Option<Row>,
    pub(crate) cursor: RunNs,
    pub(crate) window: Window,
}

/// Whether the evidence is unfolded in the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Evidence {
    /// When there is room for all of it.
    #[default]
    Auto,
    Shown,
    Hidden,
}

/// The transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transport {
    pub(crate) playing: bool,
    pub(crate) way: Way,
    /// Place in [`SPEEDS`].
    pub(crate) speed: usize,
}

/// Tenths of real time.
pub(crate) const SPEEDS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

impl Default for Transport {
    fn default() -> Self {
        Self { playing: false, way: Way::On, speed: 3 }
    }
}

/// All that changes.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// The time that everything is shown at.
    pub(crate) cursor: RunNs,
    pub(crate) view: View,
    /// Views that `Esc` goes back to.
    pub(crate) history: Vec<View>,
    pub(crate) lists: [List; View::ALL.len()],
    /// Lowercase words.
    pub(crate) filter: String,
    /// What is being typed.
    pub(crate) prompt: Option<Prompt>,
    /// What was searched last, lowercase words.
    pub(crate) search: String,
    /// A search that is under way.
    pub(crate) seek: Option<Seek>,
    /// The rows of the view.
    pub(crate) rows: Rows,
    pub(crate) looks: [Look; View::ALL.len()],
    /// Rows that stay at the top of their lists.
    pub(crate) pins: Vec<Row>,
    pub(crate) marks: BTreeSet<RunNs>,
    /// Where one was before the last jumps, and where one was before going back.
    pub(crate) past: Vec<Place>,
    pub(crate) future: Vec<Place>,
    /// What is to be copied.
    pub(crate) clipboard: Option<String>,
    pub(crate) keys: Arc<Keymap>,
    /// The second capture, when there is one.
    pub(crate) beside: Option<Box<Second>>,
    /// Whether a key was pressed or the mouse used yet.
    pub(crate) touched: bool,
    /// How much of the file was read, in percent, while it is read.
    pub(crate) loading: Option<u8>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) evidence: Evidence,
    pub(crate) transport: Transport,
    /// What the time line shows.
    pub(crate) window: Window,
    /// Folded lanes.
    pub(crate) folded: BTreeSet<usize>,
    /// Lanes that are neither folded away nor filtered out.
    pub(crate) visible: Vec<usize>,
    /// The waits that were followed, first to last.
    pub(crate) trail: Vec<(Pid, Tid)>,
    /// A word to the user about the last key.
    pub(crate) note: Option<String>,
}

impl State {
    /// The list of the view.
    pub(crate) fn list(&self) -> &List {
        &self.lists[self.view as usize]
    }

    pub(crate) fn list_mut(&mut self) -> &mut List {
        &mut self.lists[self.view as usize]
    }

    /// The row that is selected in the view.
    pub(crate) fn selected(&self) -> Option<Row> {
        self.list().row
    }

    /// How the table of the view is shown.
    pub(crate) fn look(&self) -> Look {
        self.looks[self.view as usize]
    }

    pub(crate) fn place(&self) -> Place {
        Place { view: self.view, row: self.selected(), cursor: self.cursor, window: self.window }
    }

    /// Whether something goes on that was begun and not finished: the next tick goes on with it.
    pub(crate) fn is_busy(&self) -> bool {
        self.seek.is_some() || self.rows.is_scanning()
    }
}
