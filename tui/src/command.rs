//! The key table: what can be done, by which keys, in which words. Key handling, the help view, the hint bar and
//! the table in the docs are all made from it.

use std::fmt::Write as _;

use crate::key::shown;
use crate::state::{View, Way};

/// Something that a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Quit,
    Suspend,
    Redraw,
    Help,
    Back,
    Turn(Way),
    Show(View),
    Select(Way),
    HalfPage(Way),
    Page(Way),
    Top,
    Bottom,
    Details,
    Filter,
    Search,
    SearchAgain(Way),
    Palette,
    Pin,
    Columns,
    Copy,
    Undo,
    Redo,
    Mark,
    ToMark(Way),
    Change(Way),
    ToCause,
    ToDivergence,
    SwitchCapture,
    Align,
    Scrub(Way, Stride),
    Sample(Way),
    Snapshot(Way),
    Event(Way),
    ToTrigger,
    ToProgress,
    ToBegin,
    ToEnd,
    PlayPause,
    Reverse,
    Speed(Way),
    Zoom(Way),
    ZoomFit,
    Fold,
    FoldAll,
    Evidence,
    Why,
    WhyBack,
}

/// How far a scrub goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stride {
    /// One column of the time line.
    Column,
    /// Ten columns.
    Ten,
    /// Half of what the time line shows.
    HalfScreen,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// What the palette and the configuration call it.
    pub(crate) name: &'static str,
    /// In the notation of [`crate::key`].
    pub(crate) keys: &'static [&'static str],
    pub(crate) command: Command,
    pub(crate) help: &'static str,
    /// A word for the hint bar, and the views that show it (none: all).
    pub(crate) hint: Option<(&'static str, &'static [View])>,
}

/// Rows under one heading.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) bindings: &'static [Binding],
}

const fn key(name: &'static str, keys: &'static [&'static str], command: Command, help: &'static str) -> Binding {
    Binding { name, keys, command, help, hint: None }
}

const fn hinted(
    name: &'static str,
    keys: &'static [&'static str],
    command: Command,
    help: &'static str,
    hint: &'static str,
    views: &'static [View],
) -> Binding {
    Binding { name, keys, command, help, hint: Some((hint, views)) }
}

use Command as C;
use Way::{Back, On};

/// All keys.
pub(crate) const KEYS: &[Group] = &[
    Group {
        title: "Time",
        bindings: &[
            hinted("back", &["<Left>", "h"], C::Scrub(Back, Stride::Column), "a little back in time", "time", &[]),
            key("on", &["<Right>", "l"], C::Scrub(On, Stride::Column), "a little on in time"),
            key("back-ten", &["<S-Left>", "("], C::Scrub(Back, Stride::Ten), "ten columns back"),
            key("on-ten", &["<S-Right>", ")"], C::Scrub(On, Stride::Ten), "ten columns on"),
            key("back-half", &["<C-Left>", "b"], C::Scrub(Back, Stride::HalfScreen), "half a screen back"),
            key("on-half", &["<C-Right>", "B"], C::Scrub(On, Stride::HalfScreen), "half a screen on"),
            key("previous-sample", &["["], C::Sample(Back), "previous sample"),
            key("next-sample", &["]"], C::Sample(On), "next sample"),
            key("previous-snapshot", &["{"], C::Snapshot(Back), "previous snapshot"),
            key("next-snapshot", &["}"], C::Snapshot(On), "next snapshot"),
            key("previous-event", &[","], C::Event(Back), "previous event"),
            key("next-event", &["."], C::Event(On), "next event"),
            key("to-trigger", &["!"], C::ToTrigger, "to the trigger"),
            key("to-progress", &["P"], C::ToProgress, "to the last progress"),
            key("to-begin", &["0", "<Home>"], C::ToBegin, "to the begin"),
            key("to-end", &["$", "<End>"], C::ToEnd, "to the end"),
            key("to-cause", &["x"], C::ToCause, "to the cause: who is to blame, at the time of the report"),
            key(
                "to-divergence",
                &["%"],
                C::ToDivergence,
                "to where two captures part first, then to the next such place",
            ),
            key("previous-change", &["C"], C::Change(Back), "to the change of the selected thing before"),
            key("next-change", &["c"], C::Change(On), "to the next change of the selected thing"),
            key("mark", &["M"], C::Mark, "mark this moment, or take the mark away"),
            key("previous-mark", &["\""], C::ToMark(Back), "to the mark before"),
            key("next-mark", &["'"], C::ToMark(On), "to the next mark"),
            hinted("play", &["<Space>"], C::PlayPause, "play, pause", "play", &[]),
            key("reverse", &["r"], C::Reverse, "turn the direction of play"),
            key("slower", &["<lt>"], C::Speed(Back), "slower (down to 0.1x)"),
            key("faster", &[">"], C::Speed(On), "faster (up to 100x)"),
        ],
    },
    Group {
        title: "Waits",
        bindings: &[
            hinted("why", &["w"], C::Why, "why? go to whoever it waits for", "why?", &[]),
            key("why-back", &["W", "<BS>"], C::WhyBack, "back along the waits"),
            hinted(
                "evidence",
                &["i"],
                C::Evidence,
                "show or hide the evidence",
                "evidence",
                &[View::Verdict, View::Graph],
            ),
        ],
    },
    Group {
        title: "Lists and lanes",
        bindings: &[
            key("up", &["<Up>", "k"], C::Select(Back), "up"),
            key("down", &["<Down>", "j"], C::Select(On), "down"),
            key("half-page-up", &["<C-u>"], C::HalfPage(Back), "half a page up"),
            key("half-page-down", &["<C-d>"], C::HalfPage(On), "half a page down"),
            key("page-up", &["<PageUp>", "<C-b>"], C::Page(Back), "a page up"),
            key("page-down", &["<PageDown>", "<C-f>"], C::Page(On), "a page down"),
            key("first", &["g"], C::Top, "first"),
            key("last", &["G"], C::Bottom, "last"),
            hinted("details", &["<Enter>"], C::Details, "details; of an event: go to its time", "details", &[]),
            hinted("search", &["/"], C::Search, "search; all words must match", "search", &[]),
            key("search-next", &["n"], C::SearchAgain(On), "the next one that matches"),
            key("search-previous", &["N"], C::SearchAgain(Back), "the one before that matches"),
            hinted("filter", &["&"], C::Filter, "filter lists and lanes; all words must match", "filter", &[]),
            key("columns", &["|"], C::Columns, "choose columns, sort by one"),
            key("pin", &["*"], C::Pin, "pin the selected row to the top, or let it go"),
            hinted("fold", &["o"], C::Fold, "fold or unfold a lane", "fold", &[View::TimeLine]),
            key("fold-all", &["O"], C::FoldAll, "fold or unfold all lanes"),
            hinted("zoom-in", &["+", "="], C::Zoom(On), "zoom in", "zoom", &[View::TimeLine]),
            key("zoom-out", &["-"], C::Zoom(Back), "zoom out"),
            key("zoom-whole", &["z"], C::ZoomFit, "the whole run in one screen"),
        ],
    },
    Group {
        title: "Views",
        bindings: &[
            hinted("next-view", &["<Tab>"], C::Turn(On), "next view", "next view", &[]),
            key("previous-view", &["<S-Tab>"], C::Turn(Back), "previous view"),
            key("verdict", &["v", "1"], C::Show(View::Verdict), "verdict"),
            key("time-line", &["t", "2"], C::Show(View::TimeLine), "time line"),
            key("graph", &["a", "3"], C::Show(View::Graph), "wait graph: who waits for whom"),
            key("tasks", &["s", "4"], C::Show(View::Tasks), "tasks: threads and async tasks"),
            key("processes", &["p", "5"], C::Show(View::Processes), "processes"),
            key("descriptors", &["d", "6"], C::Show(View::Descriptors), "file descriptors"),
            key("mounts", &["m", "7"], C::Show(View::Mounts), "mounts and FUSE connections"),
            key("locks", &["L", "8"], C::Show(View::Locks), "file locks"),
            key("sockets", &["S", "9"], C::Show(View::Sockets), "sockets"),
            key("findings", &["f"], C::Show(View::Findings), "findings"),
            key("events", &["e"], C::Show(View::Events), "events"),
            key("compare", &["D"], C::Show(View::Compare), "two captures, one above the other"),
            key("switch-capture", &["X"], C::SwitchCapture, "the other of two captures takes the keys of lists"),
            key("align", &["A"], C::Align, "align two captures: begin, trigger, selected phase, where they part"),
        ],
    },
    Group {
        title: "Program",
        bindings: &[
            hinted("help", &["?"], C::Help, "this help", "help", &[]),
            hinted("palette", &[":"], C::Palette, "all commands by name; a time goes there", "commands", &[]),
            key("escape", &["<Esc>"], C::Back, "back: out of help, details, filter, view"),
            key("undo", &["u"], C::Undo, "back to where you were before the last jump"),
            key("redo", &["<C-r>"], C::Redo, "on again to where you were"),
            key("copy", &["y"], C::Copy, "copy the selected row, or the details (OSC 52)"),
            hinted("quit", &["q", "<C-c>"], C::Quit, "quit", "quit", &[]),
            key("suspend", &["<C-z>"], C::Suspend, "stop; fg comes back"),
            key("redraw", &["<C-l>"], C::Redraw, "draw the screen anew"),
        ],
    },
];

/// All rows, in order.
pub(crate) fn bindings() -> impl Iterator<Item = &'static Binding> {
    KEYS.iter().flat_map(|group| group.bindings)
}

/// The letter in the name of a view that opens it, as long as nobody gave it another.
#[cfg(test)]
fn letter_of(view: View) -> &'static str {
    bindings().find(|binding| binding.command == C::Show(view)).map_or("", |binding| binding.keys[0])
}

/// The key table as Markdown, for the docs.
pub fn keys_markdown() -> String {
    let mut out = String::new();
    for group in KEYS {
        _ = write!(out, "### {}\n\n| keys | what | name |\n| --- | --- | --- |\n", group.title);
        for binding in group.bindings {
            let keys: Vec<String> =
                binding.keys.iter().map(|key| format!("`{}`", shown(key).replace('|', "\\|"))).collect();
            _ = writeln!(out, "| {} | {} | `{}` |", keys.join(" "), binding.help, binding.name);
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len() + 1);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::key::{notation, parse_keys};

    #[test]
    fn no_key_or_name_means_two_things_and_every_key_can_be_pressed() {
        let mut seen = BTreeSet::new();
        let mut names = BTreeSet::new();
        for binding in bindings() {
            assert!(names.insert(binding.name), "{} stands twice in the table", binding.name);
        }
        for key in bindings().flat_map(|binding| binding.keys) {
            assert!(seen.insert(*key), "{key} stands twice in the table");
            let pressed = parse_keys(key).unwrap();
            assert_eq!(pressed.len(), 1, "{key} is one key");
            assert_eq!(notation(pressed[0]).as_deref(), Some(*key));
        }
    }

    #[test]
    fn every_view_has_a_letter() {
        for view in View::ALL {
            assert_eq!(letter_of(view).len(), 1, "{view:?}");
        }
    }

    #[test]
    fn the_docs_have_all_rows() {
        let markdown = keys_markdown();
        assert_eq!(markdown.matches("\n| `").count(), bindings().count());
    }
}
