//! Moving in time: steps, jumps, marks, and the way back.

use hangdog_schemas::RunNs;

use crate::command::{Command, Stride};
use crate::model::Model;
use crate::state::{Place, Row, State, View, Way};
use crate::text::{actor, clean, clock};
use crate::{changes, view, why};

/// Jumps that can be undone.
const LONGEST_PAST: usize = 256;

/// Moments that can be marked.
const MOST_MARKS: usize = 64;

/// Moves the cursor and pauses: who looks for something does not want it to run away.
pub(crate) fn go(state: &mut State, t: RunNs) {
    state.transport.playing = false;
    state.cursor = t;
}

pub(crate) fn go_or_say(state: &mut State, t: Option<RunNs>, otherwise: &str) {
    match t {
        Some(t) => go(state, t),
        None => state.note = Some(otherwise.to_owned()),
    }
}

pub(crate) fn scrub(model: &Model, state: &mut State, way: Way, stride: Stride) {
    let columns = u64::from(view::strip_columns(state).max(1));
    let column = state.window.span.div_ceil(columns).max(1);
    let by = match stride {
        Stride::Column => column,
        Stride::Ten => column.saturating_mul(10),
        Stride::HalfScreen => (state.window.span / 2).max(1),
    };
    let t = match way {
        Way::Back => RunNs(state.cursor.0.saturating_sub(by)),
        Way::On => state.cursor.plus(by).min(model.end()),
    };
    go(state, t);
}

/// What is stepped through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    Samples,
    Snapshots,
}

pub(crate) fn step(model: &Model, state: &mut State, way: Way, steps: Steps) {
    let timeline = &model.timeline;
    let (t, what) = match steps {
        Steps::Samples => (beside(way, state.cursor, timeline.samples(), |t| *t), "sample"),
        Steps::Snapshots => (beside(way, state.cursor, timeline.snapshots(), |snapshot| snapshot.begin), "snapshot"),
    };
    go_or_say(state, t, &format!("there is no {} {what}", side(way)));
}

/// The time of the next or last one of some things that are in order.
fn beside<T>(way: Way, t: RunNs, things: &[T], time: impl Fn(&T) -> RunNs) -> Option<RunNs> {
    let found = match way {
        Way::On => things.get(things.partition_point(|thing| time(thing) <= t)),
        Way::Back => things.partition_point(|thing| time(thing) < t).checked_sub(1).map(|at| &things[at]),
    };
    found.map(time)
}

fn side(way: Way) -> &'static str {
    if way == Way::On { "later" } else { "earlier" }
}

pub(crate) fn event(model: &Model, state: &mut State, way: Way) {
    let events = &model.events;
    let at = match way {
        Way::On => Some(events.count_while(|t| t <= state.cursor)),
        Way::Back => events.count_while(|t| t < state.cursor).checked_sub(1),
    };
    match at.and_then(|at| Some((at, events.get(at)?))) {
        Some((at, event)) => {
            go(state, event.t);
            state.note = Some(format!("{}: {}", event.kind().word(), events.text(&model.timeline, event)));
            if state.view == View::Events {
                state.list_mut().row = Some(Row::Event(at));
            }
        }
        None => state.note = Some(format!("there is no {} event", side(way))),
    }
}

/// Whether a command leads somewhere else, so that one may want to go back.
pub(crate) fn is_jump(command: Command) -> bool {
    use Command as C;
    matches!(
        command,
        C::Show(_)
            | C::Turn(_)
            | C::Back
            | C::Why
            | C::WhyBack
            | C::ToTrigger
            | C::ToProgress
            | C::ToBegin
            | C::ToEnd
            | C::ToCause
            | C::ToDivergence
            | C::ToMark(_)
            | C::Change(_)
            | C::Snapshot(_)
            | C::Details
            | C::SearchAgain(_)
            | C::Top
            | C::Bottom
            | C::ZoomFit
    )
}

/// Notes where one was before a jump.
pub(crate) fn remember(state: &mut State, place: Place) {
    push(&mut state.past, place);
    state.future.clear();
}

fn push(places: &mut Vec<Place>, place: Place) {
    if places.len() >= LONGEST_PAST {
        places.remove(0);
    }
    places.push(place);
}

pub(crate) fn undo(state: &mut State) {
    match state.past.pop() {
        Some(place) => {
            let now = state.place();
            push(&mut state.future, now);
            return_to(state, place);
        }
        None => state.note = Some("this is where you began".to_owned()),
    }
}

pub(crate) fn redo(state: &mut State) {
    match state.future.pop() {
        Some(place) => {
            let now = state.place();
            push(&mut state.past, now);
            return_to(state, place);
        }
        None => state.note = Some("there is nothing to go on to".to_owned()),
    }
}

fn return_to(state: &mut State, place: Place) {
    state.overlay = None;
    state.view = place.view;
    state.window = place.window;
    go(state, place.cursor);
    state.list_mut().row = place.row;
}

/// Marks the moment of the cursor, or takes its mark away.
pub(crate) fn mark(state: &mut State) {
    let t = state.cursor;
    if state.marks.remove(&t) {
        state.note = Some(format!("the mark at {} is gone", clock(t)));
    } else if state.marks.len() >= MOST_MARKS {
        state.note = Some(format!("{MOST_MARKS} moments are marked already"));
    } else {
        state.marks.insert(t);
        state.note = Some(format!("marked {}: ' and \" go from mark to mark", clock(t)));
    }
}

pub(crate) fn to_mark(state: &mut State, way: Way) {
    let t = match way {
        Way::On => state.marks.range(state.cursor.plus(1)..).next(),
        Way::Back => state.marks.range(..state.cursor).next_back(),
    };
    let t = t.copied();
    go_or_say(state, t, &format!("there is no {} mark: M marks a moment", side(way)));
}

/// To the next moment at which the selected thing is another than now.
pub(crate) fn change(model: &Model, state: &mut State, way: Way) {
    let Some(row) = state.selected() else {
        state.note = Some("select something first".to_owned());
        return;
    };
    let t = changes::beside(model, row, state.cursor, way);
    go_or_say(state, t, &format!("it has no {} change in this capture", side(way)));
}

/// To the first of those who are to blame, at the time that the report speaks of.
pub(crate) fn to_cause(model: &Model, state: &mut State) {
    let culprit = model.report.verdict.as_ref().and_then(|verdict| {
        let last = verdict.edges.last().map(|edge| edge.resolver.as_ref().unwrap_or(&edge.waiter));
        verdict.culprits.first().or(last)
    });
    let Some(culprit) = culprit else {
        state.note = Some("the report blames nobody".to_owned());
        return;
    };
    go(state, model.opening());
    state.note = Some(format!("to blame: {}", actor(culprit)));
    why::select(model, state, (culprit.pid, culprit.tid));
}

/// To the first place where two captures part; from there to the next one, and from the last to the first again.
pub(crate) fn to_divergence(model: &Model, state: &mut State) {
    let Some(beside) = &model.beside else {
        state.note = Some("there is one capture: nothing to part from".to_owned());
        return;
    };
    let all = &beside.divergences;
    let here = all.iter().rposition(|found| found.first == state.cursor);
    let Some((n, found)) = here.and_then(|n| Some((n + 1, all.get(n + 1)?))).or(all.first().map(|found| (0, found)))
    else {
        state.note = Some("nothing that both captures could show is in one of them only".to_owned());
        return;
    };
    go(state, found.first);
    state.note = Some(format!("{} of {}: {}", n + 1, all.len(), clean(&found.sentence)));
}
