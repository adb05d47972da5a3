//! From one model of a capture to a later one of the same capture: what was selected, folded, pinned and marked stays.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::{Big, ProcessId, ThreadId};

use crate::lane::LaneKind;
use crate::model::Model;
use crate::state::{Overlay, Place, Row, State, View};
use crate::update::{opening, refold, settle};
use crate::window::Window;

/// A lane by what it shows; a row of phases by the lane around it and its number there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Process(ProcessId),
    Thread(ThreadId),
    Task(ProcessId, Big),
}

type LaneKey = (Key, usize);

fn keys(model: &Model) -> Vec<LaneKey> {
    let mut keys: Vec<LaneKey> = Vec::with_capacity(model.lanes.len());
    for lane in &model.lanes {
        let key = match &lane.kind {
            LaneKind::Process(id) => (Key::Process(*id), 0),
            LaneKind::Thread(id) => (Key::Thread(*id), 0),
            LaneKind::Task(process, task) => (Key::Task(*process, *task), 0),
            LaneKind::Phases(_) => {
                let around = lane.parent.map_or(Key::Process(model.timeline.header().root), |parent| keys[parent].0);
                let before = keys.last().filter(|(key, _)| *key == around).map_or(0, |(_, row)| *row);
                (around, before + 1)
            }
        };
        keys.push(key);
    }
    keys
}

/// Takes the state over to a later model. A replay in which nothing was done yet begins anew: the first screen of the
/// whole is not the one of a part.
pub(crate) fn over(old: &Model, new: &Model, state: &mut State) {
    if !state.touched {
        let fresh = opening(new, state.size, &state.keys);
        *state = State { loading: state.loading, ..fresh };
        return;
    }
    let lanes: BTreeMap<LaneKey, usize> = keys(new).into_iter().enumerate().map(|(n, key)| (key, n)).collect();
    let moved: Vec<Option<usize>> = keys(old).iter().map(|key| lanes.get(key).copied()).collect();
    let lane = |n: usize| moved.get(n).copied().flatten();
    let row = |row: Row| match row {
        Row::Lane(n) => lane(n).map(Row::Lane),
        Row::Event(n) => event(old, new, n).map(Row::Event),
        row => Some(row),
    };
    let place = |place: &Place| Place { row: place.row.and_then(row), ..*place };
    for list in &mut state.lists {
        list.row = list.row.and_then(row);
    }
    state.pins = state.pins.iter().filter_map(|pinned| row(*pinned)).collect();
    state.past = state.past.iter().map(place).collect();
    state.future = state.future.iter().map(place).collect();
    state.overlay = match state.overlay {
        Some(Overlay::Details(of, top)) => row(of).map(|of| Overlay::Details(of, top)),
        other => other,
    };
    let known: BTreeSet<usize> = moved.iter().copied().flatten().collect();
    let folded = state.folded.iter().filter_map(|n| lane(*n));
    // What is new stands as it would at the start.
    let new_ones = crate::fold::at_start(new).into_iter().filter(|n| !known.contains(n));
    state.folded = folded.chain(new_ones).collect();
    // Who looks at the end of what is written looks at its end still; who sees all of it sees all.
    if state.cursor >= old.end() {
        state.cursor = new.end();
    }
    if state.window == Window::whole(old.end()) {
        state.window = Window::whole(new.end());
    }
    state.beside = crate::compare::Second::of(new, state.size, &state.keys).map(Box::new);
    if state.beside.is_none() && state.view == View::Compare {
        state.view = View::TimeLine;
    }
    state.rows = crate::rows::Rows::default();
    state.seek = None;
    if state.lists[View::Events as usize].row.is_none() {
        state.lists[View::Events as usize].row = Some(Row::Event(0));
    }
    refold(new, state);
    settle(new, state);
}

/// The same event: of one time the first of its kind, and so many behind it.
fn event(old: &Model, new: &Model, n: usize) -> Option<usize> {
    let event = old.events.get(n)?;
    let first = |model: &Model| model.events.count_while(|t| t < event.t);
    let offset = n - first(old);
    let at = first(new) + offset;
    Some(at.min(new.events.len().checked_sub(1)?))
}
