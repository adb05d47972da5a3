//! Two captures, one above the other, with the same moment in the same column.
//!
//! ```text
//! 1 cargo test    0:16.050 of 0:17.000, aligned at the trigger
//!   lanes of the first
//! 2 cargo test    0:14.200 of 0:15.100
//!   lanes of the second
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::{put, put_right};
use super::{Hit, lanes};
use crate::compare::Focus;
use crate::model::Model;
use crate::state::{Row, State};
use crate::text::{clock, fit, width};
use crate::theme::{BAR, DIM, PLAIN, STRONG};

/// The parts of the body.
#[derive(Clone, Copy)]
pub(crate) struct Halves {
    first_title: Rect,
    pub(crate) first: Rect,
    second_title: Rect,
    pub(crate) second: Rect,
}

impl Halves {
    pub(crate) fn of(body: Rect) -> Self {
        let upper = body.height / 2 + body.height % 2;
        let part = |y: u16, height: u16| Rect { y: body.y + y, height, ..body };
        let half = |y: u16, height: u16| (part(y, height.min(1)), part(y + height.min(1), height.saturating_sub(1)));
        let ((first_title, first), (second_title, second)) = (half(0, upper), half(upper, body.height - upper));
        Self { first_title, first, second_title, second }
    }
}

pub(super) fn draw(model: &Model, state: &State, area: Rect, buffer: &mut Buffer) {
    let (Some(beside), Some(second)) = (&model.beside, &state.beside) else {
        put(buffer, area, 1, 1, "Two captures are compared by: hangdog replay FIRST.hang SECOND.hang", DIM);
        return;
    };
    let halves = Halves::of(area);
    let mark = |focus: Focus| if second.focus == focus { "▸" } else { " " };
    let aligned = format!(", aligned at {}", second.align.words());
    title(model, state, &format!("{}1 ", mark(Focus::First)), &aligned, halves.first_title, buffer);
    lanes::draw(model, state, halves.first, buffer);
    title(&beside.model, &second.state, &format!("{}2 ", mark(Focus::Second)), "", halves.second_title, buffer);
    lanes::draw(&beside.model, &second.state, halves.second, buffer);
    for divergence in &beside.divergences {
        lanes::sign_at(state, halves.first, divergence.first, "≠", buffer);
        lanes::sign_at(&second.state, halves.second, divergence.second, "≠", buffer);
    }
}

fn title(model: &Model, state: &State, number: &str, more: &str, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    buffer.set_style(area, BAR);
    let right = format!("{} of {}{more} ", clock(state.cursor), clock(model.end()));
    let x = put(buffer, area, 0, 0, number, BAR.patch(STRONG));
    let room = usize::from(area.width).saturating_sub(usize::from(x) + width(&right) + 2);
    put(buffer, area, x, 0, &fit(&model.command, room), BAR.patch(PLAIN));
    put_right(buffer, area, x, 0, &right, BAR);
}

pub(super) fn hit(state: &State, body: Rect, x: u16, y: u16) -> Option<Hit> {
    let halves = Halves::of(body);
    if halves.first.contains((x, y).into()) {
        return lanes::hit(state, halves.first, x, y);
    }
    let second = state.beside.as_ref().filter(|_| halves.second.contains((x, y).into()))?;
    let there = |t| second.back(t);
    match lanes::hit(&second.state, halves.second, x, y)? {
        Hit::Lane(row, t) => Some(Hit::Second(row, Some(there(t)))),
        Hit::Row(row @ Row::Lane(_)) => Some(Hit::Second(row, None)),
        Hit::Time(t) => Some(Hit::Time(there(t))),
        _ => None,
    }
}
