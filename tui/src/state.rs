//! What the replay shows: the one time cursor, the view, and what is selected, folded, filtered. Changed by
//! [`update`](crate::update::update) alone; drawn by [`view`](crate::view).

use std::collections::BTreeSet;

use hangdog_schemas::{Big, Fd, FuseConnection, Pid, ProcessId, RunNs, ThreadId, Tid};

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
    Tasks,
    Processes,
    Descriptors,
    Mounts,
    Locks,
    Network,
    Findings,
    Events,
}

impl View {
    pub(crate) const ALL: [Self; 10] = [
        Self::Verdict,
        Self::TimeLine,
        Self::Tasks,
        Self::Processes,
        Self::Descriptors,
        Self::Mounts,
        Self::Locks,
        Self::Network,
        Self::Findings,
        Self::Events,
    ];

    /// Its name in the tabs.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Verdict => "Verdict",
            Self::TimeLine => "Timeline",
            Self::Tasks => "Tasks",
            Self::Processes => "Procs",
            Self::Descriptors => "Fds",
            Self::Mounts => "Mounts",
            Self::Locks => "Locks",
            Self::Network => "Network",
            Self::Findings => "Findings",
            Self::Events => "Events",
        }
    }
}

/// Something that can be selected. Names the thing, not its place, so that it stays selected when the cursor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// An edge of the verdict.
    Edge(usize),
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
    /// Whether the filter is being typed, and what it was before.
    pub(crate) typing: Option<String>,
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
}
