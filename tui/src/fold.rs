//! Which lanes are shown: folding and filtering.

use std::collections::BTreeSet;

use crate::lane::{LaneKind, UNFOLDED};
use crate::model::Model;
use crate::state::{Row, State};
use crate::text::matches;
use crate::update::refold;

/// Lanes that are folded when a replay opens: none in a small capture, in a large one all processes but those that
/// the verdict names.
pub(crate) fn at_start(model: &Model) -> BTreeSet<usize> {
    if model.lanes.len() <= UNFOLDED {
        return BTreeSet::new();
    }
    let folded = model.lanes.iter().enumerate().filter(|(_, lane)| match lane.kind {
        LaneKind::Process(id) => !model.process_is_in_verdict(id.pid),
        _ => false,
    });
    folded.map(|(i, _)| i).collect()
}

/// Lanes to show, in order. With a filter folding counts for nothing: a lane is shown when it, something around
/// it or something in it matches.
pub(crate) fn visible(model: &Model, folded: &BTreeSet<usize>, filter: &str) -> Vec<usize> {
    let lanes = &model.lanes;
    if !filter.trim().is_empty() {
        return filtered(model, filter);
    }
    let mut visible = Vec::new();
    let mut i = 0;
    while i < lanes.len() {
        visible.push(i);
        i = if !folded.contains(&i) {
            i + 1
        } else if matches!(lanes[i].kind, LaneKind::Process(_)) {
            // Child processes stay: a folded process hides its own threads and tasks.
            (i + 1..lanes[i].end).find(|j| matches!(lanes[*j].kind, LaneKind::Process(_))).unwrap_or(lanes[i].end)
        } else {
            lanes[i].end
        };
    }
    visible
}

fn filtered(model: &Model, filter: &str) -> Vec<usize> {
    let lanes = &model.lanes;
    let named: Vec<bool> = model.names.iter().map(|name| matches(filter, std::iter::once(name.as_str()))).collect();
    let mut shown = vec![false; lanes.len()];
    let mut i = 0;
    while i < lanes.len() {
        let hit = match &lanes[i].kind {
            LaneKind::Phases(row) => row.names.iter().any(|name| named[*name as usize]),
            _ => matches(filter, std::iter::once(lanes[i].label.as_str())),
        };
        if !hit {
            i += 1;
            continue;
        }
        shown[i..lanes[i].end].fill(true);
        let mut around = lanes[i].parent;
        while let Some(parent) = around.filter(|parent| !shown[*parent]) {
            shown[parent] = true;
            around = lanes[parent].parent;
        }
        i = lanes[i].end;
    }
    (0..lanes.len()).filter(|i| shown[*i]).collect()
}

/// The lane that a fold of this lane means: itself, or for a row of phases the thread or task around it.
fn foldable(model: &Model, lane: usize) -> Option<usize> {
    let kind = &model.lanes.get(lane)?.kind;
    let lane = if matches!(kind, LaneKind::Phases(_)) { model.lanes[lane].parent? } else { lane };
    (model.lanes[lane].end > lane + 1).then_some(lane)
}

/// Folds or unfolds the selected lane.
pub(crate) fn toggle(model: &Model, state: &mut State) {
    let Some(Row::Lane(lane)) = state.selected().filter(|_| state.view.is_of_lanes()) else {
        state.note = Some("lanes fold in the time line (t)".to_owned());
        return;
    };
    let Some(lane) = foldable(model, lane) else {
        state.note = Some("there is nothing in this lane to fold".to_owned());
        return;
    };
    if !state.folded.remove(&lane) {
        state.folded.insert(lane);
        state.list_mut().row = Some(Row::Lane(lane));
    }
    refold(model, state);
}

/// Folds all processes, or unfolds everything when anything is folded.
pub(crate) fn toggle_all(model: &Model, state: &mut State) {
    if state.folded.is_empty() {
        let processes = model.lanes.iter().enumerate().filter(|(_, lane)| matches!(lane.kind, LaneKind::Process(_)));
        state.folded = processes.map(|(i, _)| i).collect();
    } else {
        state.folded.clear();
    }
    refold(model, state);
}

/// Unfolds what hides a lane.
pub(crate) fn reveal(model: &Model, state: &mut State, lane: usize) {
    let mut around = model.lanes[lane].parent;
    while let Some(parent) = around {
        state.folded.remove(&parent);
        around = model.lanes[parent].parent;
    }
    refold(model, state);
}
