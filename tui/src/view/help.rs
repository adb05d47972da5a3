//! Help: the key table, the signs, in as many columns as there is room for.

use hangdog_schemas::fact::TaskState;
use ratatui::text::Line;

use super::draw::piece;
use super::strip;
use crate::command::{KEYS, bindings};
use crate::event::EventKind;
use crate::keymap::Keymap;
use crate::text::width;
use crate::theme::{HEADING, KEY, MARK, PLAIN};

/// Columns of one block.
const BLOCK: usize = 76;

type Block = Vec<Line<'static>>;

/// The lines of the help for a screen of so many columns.
pub(super) fn lines(keymap: &Keymap, columns: u16) -> Vec<Line<'static>> {
    let blocks: Vec<Block> = KEYS.iter().map(|group| keys(keymap, group)).chain([signs()]).collect();
    if usize::from(columns) < 2 * BLOCK {
        return blocks.into_iter().flatten().collect();
    }
    // Two columns: blocks go to the left until it is half of all lines.
    let half = blocks.iter().map(Vec::len).sum::<usize>() / 2;
    let (mut left, mut right) = (Block::new(), Block::new());
    for block in blocks {
        let side = if right.is_empty() && left.len() + block.len() / 2 <= half { &mut left } else { &mut right };
        side.extend(block);
    }
    let mut lines = Vec::new();
    for row in 0..left.len().max(right.len()) {
        let mut line = left.get(row).cloned().unwrap_or_default();
        if let Some(other) = right.get(row) {
            line.spans.push(piece(" ".repeat(BLOCK.saturating_sub(line.width())), PLAIN));
            line.spans.extend(other.spans.iter().cloned());
        }
        lines.push(line);
    }
    lines
}

fn keys(keymap: &Keymap, group: &crate::command::Group) -> Block {
    let mut block = vec![Line::default(), Line::from(piece(format!(" {}", group.title), HEADING))];
    let room = bindings().map(|binding| width(&keymap.words(binding))).max().unwrap_or(0);
    for binding in group.bindings {
        let keys = keymap.words(binding);
        let gap = " ".repeat(room - width(&keys) + 2);
        block.push(Line::from(vec![
            piece("  ", PLAIN),
            piece(keys, KEY),
            piece(gap, PLAIN),
            piece(binding.help, PLAIN),
        ]));
    }
    block
}

fn signs() -> Block {
    let mut block = vec![Line::default(), Line::from(piece(" Signs", HEADING))];
    let mut row = |sign: String, style, text: &str| {
        let gap = " ".repeat(10usize.saturating_sub(width(&sign)));
        block.push(Line::from(vec![
            piece("  ", PLAIN),
            piece(sign, style),
            piece(gap, PLAIN),
            piece(text.to_owned(), PLAIN),
        ]));
    };
    for (state, text) in strip::LEGEND {
        let sign: String = [state.letter(), strip::fill(state), strip::fill(state)].iter().collect();
        row(sign, crate::theme::state(state), text);
    }
    row("S╌╌".to_owned(), crate::theme::state(TaskState::S), "sleeping, and woken again and again");
    row("▂▄▆".to_owned(), crate::theme::state(TaskState::R), "several states in one column: the share of running");
    row("◆".to_owned(), crate::theme::HANG, "named by the verdict");
    row("P".to_owned(), MARK, "last progress");
    row("M".to_owned(), MARK, "a moment that you marked");
    row("*".to_owned(), MARK, "a row that you pinned");
    for (kind, text) in [
        (EventKind::Trigger, "the watchdog fired"),
        (EventKind::Snapshot, "snapshot"),
        (EventKind::Output, "output"),
        (EventKind::File, "a file was touched"),
        (EventKind::Call, "a system call with a name"),
        (EventKind::Kernel, "the kernel's recorder saw something"),
        (EventKind::Action, "hangdog acted"),
        (EventKind::End, "the command ended"),
    ] {
        row(kind.sign().to_string(), MARK, text);
    }
    block
}
