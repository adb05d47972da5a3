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
pub(crate) struct Binding {
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

const fn key(keys: &'static [&'static str], command: Command, help: &'static str) -> Binding {
    Binding { keys, command, help, hint: None }
}

const fn hinted(
    keys: &'static [&'static str],
    command: Command,
    help: &'static str,
    hint: &'static str,
    views: &'static [View],
) -> Binding {
    Binding { keys, command, help, hint: Some((hint, views)) }
}

use Command as C;
use Way::{Back, On};

/// All keys.
pub(crate) const KEYS: &[Group] = &[
    Group {
        title: "Time",
        bindings: &[
            hinted(&["<Left>", "h"], C::Scrub(Back, Stride::Column), "a little back in time", "time", &[]),
            key(&["<Right>", "l"], C::Scrub(On, Stride::Column), "a little on in time"),
            key(&["<S-Left>", "("], C::Scrub(Back, Stride::Ten), "ten columns back"),
            key(&["<S-Right>", ")"], C::Scrub(On, Stride::Ten), "ten columns on"),
            key(&["<C-Left>", "b"], C::Scrub(Back, Stride::HalfScreen), "half a screen back"),
            key(&["<C-Right>", "B"], C::Scrub(On, Stride::HalfScreen), "half a screen on"),
            key(&["["], C::Sample(Back), "previous sample"),
            key(&["]"], C::Sample(On), "next sample"),
            key(&["{"], C::Snapshot(Back), "previous snapshot"),
            key(&["}"], C::Snapshot(On), "next snapshot"),
            key(&[","], C::Event(Back), "previous event"),
            key(&["."], C::Event(On), "next event"),
            key(&["!"], C::ToTrigger, "to the trigger"),
            key(&["P"], C::ToProgress, "to the last progress"),
            key(&["0", "<Home>"], C::ToBegin, "to the begin"),
            key(&["$", "<End>"], C::ToEnd, "to the end"),
            hinted(&["<Space>"], C::PlayPause, "play, pause", "play", &[]),
            key(&["r"], C::Reverse, "turn the direction of play"),
            key(&["<lt>"], C::Speed(Back), "slower (down to 0.1x)"),
            key(&[">"], C::Speed(On), "faster (up to 100x)"),
        ],
    },
    Group {
        title: "Waits",
        bindings: &[
            hinted(&["w"], C::Why, "why? go to whoever it waits for", "why?", &[]),
            key(&["W", "<BS>"], C::WhyBack, "back along the waits"),
            hinted(&["i"], C::Evidence, "show or hide the evidence", "evidence", &[View::Verdict]),
        ],
    },
    Group {
        title: "Lists and lanes",
        bindings: &[
            key(&["<Up>", "k"], C::Select(Back), "up"),
            key(&["<Down>", "j"], C::Select(On), "down"),
            key(&["<C-u>"], C::HalfPage(Back), "half a page up"),
            key(&["<C-d>"], C::HalfPage(On), "half a page down"),
            key(&["<PageUp>", "<C-b>"], C::Page(Back), "a page up"),
            key(&["<PageDown>", "<C-f>"], C::Page(On), "a page down"),
            key(&["g"], C::Top, "first"),
            key(&["G"], C::Bottom, "last"),
            hinted(&["<Enter>"], C::Details, "details; of an event: go to its time", "details", &[]),
            hinted(&["/"], C::Filter, "filter lists and lanes; all words must match", "filter", &[]),
            hinted(&["o"], C::Fold, "fold or unfold a lane", "fold", &[View::TimeLine]),
            key(&["O"], C::FoldAll, "fold or unfold all lanes"),
            hinted(&["+", "="], C::Zoom(On), "zoom in", "zoom", &[View::TimeLine]),
            key(&["-"], C::Zoom(Back), "zoom out"),
            key(&["z"], C::ZoomFit, "the whole run in one screen"),
        ],
    },
    Group {
        title: "Views",
        bindings: &[
            hinted(&["<Tab>"], C::Turn(On), "next view", "next view", &[]),
            key(&["<S-Tab>"], C::Turn(Back), "previous view"),
            key(&["v", "1"], C::Show(View::Verdict), "verdict"),
            key(&["t", "2"], C::Show(View::TimeLine), "time line"),
            key(&["s", "3"], C::Show(View::Tasks), "tasks: threads and async tasks"),
            key(&["p", "4"], C::Show(View::Processes), "processes"),
            key(&["d", "5"], C::Show(View::Descriptors), "file descriptors"),
            key(&["m", "6"], C::Show(View::Mounts), "mounts and FUSE connections"),
            key(&["L", "7"], C::Show(View::Locks), "file locks"),
            key(&["n", "8"], C::Show(View::Network), "sockets"),
            key(&["f", "9"], C::Show(View::Findings), "findings"),
            key(&["e"], C::Show(View::Events), "events"),
        ],
    },
    Group {
        title: "Program",
        bindings: &[
            hinted(&["?"], C::Help, "this help", "help", &[]),
            key(&["<Esc>"], C::Back, "back: out of help, details, filter, view"),
            hinted(&["q", "<C-c>"], C::Quit, "quit", "quit", &[]),
            key(&["<C-z>"], C::Suspend, "stop; fg comes back"),
            key(&["<C-l>"], C::Redraw, "draw the screen anew"),
        ],
    },
];

/// What a key does.
pub(crate) fn command_of(notation: &str) -> Option<Command> {
    bindings().find(|binding| binding.keys.contains(&notation)).map(|binding| binding.command)
}

/// All rows, in order.
pub(crate) fn bindings() -> impl Iterator<Item = &'static Binding> {
    KEYS.iter().flat_map(|group| group.bindings)
}

/// The letter that opens a view.
pub(crate) fn letter_of(view: View) -> &'static str {
    bindings().find(|binding| binding.command == C::Show(view)).map_or("", |binding| binding.keys[0])
}

/// The keys of a row as people write them.
pub(crate) fn keys_shown(binding: &Binding) -> String {
    binding.keys.iter().map(|key| shown(key)).collect::<Vec<_>>().join(" ")
}

/// The key table as Markdown, for the docs.
pub fn keys_markdown() -> String {
    let mut out = String::new();
    for group in KEYS {
        _ = write!(out, "### {}\n\n| keys | what |\n| --- | --- |\n", group.title);
        for binding in group.bindings {
            let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{}`", shown(key))).collect();
            _ = writeln!(out, "| {} | {} |", keys.join(" "), binding.help);
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
    fn no_key_means_two_things_and_every_key_can_be_pressed() {
        let mut seen = BTreeSet::new();
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
