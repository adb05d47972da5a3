//! A second capture beside the first: how the two are aligned, and which of them takes the keys of lists and lanes.
//! Time belongs to the first one; the second follows.

use hangdog_schemas::RunNs;
use hangdog_timeline::Timeline;

use crate::lane::LaneKind;
use crate::model::Model;
use crate::state::{Row, State, View};
use crate::update::{opening, settle};
use crate::view;

/// Where two runs part, as somebody found who compared them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// When, in the first capture.
    pub first: RunNs,
    /// When, in the second.
    pub second: RunNs,
    /// In words.
    pub sentence: String,
}

/// Finds where two runs part, the earliest place first.
pub type Comparer = Box<dyn Fn(&Timeline, &Timeline) -> Vec<Divergence> + Send>;

/// The second capture.
pub(crate) struct Beside {
    pub(crate) model: Model,
    /// Where they part, in order of time.
    pub(crate) divergences: Vec<Divergence>,
}

/// What stands in the same column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Begin,
    Trigger,
    /// The first phase of this name.
    Phase(String),
    Divergence,
}

impl Align {
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Begin => "the begin".to_owned(),
            Self::Trigger => "the trigger".to_owned(),
            Self::Phase(name) => format!("the first {}", crate::text::clean(name)),
            Self::Divergence => "where they part".to_owned(),
        }
    }

    /// The moments of both captures that stand in the same column.
    fn moments(&self, model: &Model, beside: &Beside) -> Option<(RunNs, RunNs)> {
        let first = |model: &Model, name: &str| {
            let named = model.timeline.phases().iter().filter(|phase| phase.name == name);
            named.map(|phase| phase.open.t).min()
        };
        match self {
            Self::Begin => Some((RunNs(0), RunNs(0))),
            Self::Trigger => Some((model.trigger()?, beside.model.trigger()?)),
            Self::Phase(name) => Some((first(model, name)?, first(&beside.model, name)?)),
            Self::Divergence => beside.divergences.first().map(|found| (found.first, found.second)),
        }
    }
}

/// Which capture takes the keys of lists and lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    First,
    Second,
}

/// The state of the second capture.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    pub(crate) state: State,
    pub(crate) align: Align,
    pub(crate) focus: Focus,
    /// The moments that stand in the same column.
    moments: (RunNs, RunNs),
}

impl Second {
    pub(crate) fn of(model: &Model, size: (u16, u16), keys: &std::sync::Arc<crate::keymap::Keymap>) -> Option<Self> {
        let beside = model.beside.as_ref()?;
        let state = State { view: View::TimeLine, ..opening(&beside.model, size, keys) };
        let options = [Align::Divergence, Align::Trigger, Align::Begin];
        let (align, moments) =
            options.into_iter().find_map(|align| align.moments(model, beside).map(|moments| (align, moments)))?;
        Some(Self { state, align, focus: Focus::First, moments })
    }

    /// The time of the first capture that stands where `t` of the second does.
    pub(crate) fn back(&self, t: RunNs) -> RunNs {
        RunNs(t.0.saturating_add(self.moments.0.0).saturating_sub(self.moments.1.0))
    }
}

/// The capture that takes the keys.
pub(crate) fn focused<'a>(model: &'a Model, state: &'a State) -> (&'a Model, &'a State) {
    match (&model.beside, &state.beside) {
        (Some(beside), Some(second)) if state.view == View::Compare && second.focus == Focus::Second => {
            (&beside.model, &second.state)
        }
        _ => (model, state),
    }
}

/// Brings the second capture to the moment and the stretch of the first.
pub(crate) fn follow(model: &Model, state: &mut State) {
    let (Some(beside), Some(mut second)) = (&model.beside, state.beside.take()) else { return };
    let (here, there) = second.moments;
    let body = view::compare::Halves::of(view::areas(state.size).body).second;
    let bars = state.size.1 - view::areas(state.size).body.height;
    second.state.size = (state.size.0, body.height.saturating_add(bars).max(1));
    settle(&beside.model, &mut second.state);
    let cursor = state.cursor.0.saturating_add(there.0).saturating_sub(here.0);
    second.state.cursor = RunNs(cursor).min(beside.model.end());
    second.state.window = state.window.seen_from(here, there);
    state.beside = Some(second);
}

/// The other capture takes the keys.
pub(crate) fn switch(state: &mut State) {
    match state.beside.as_mut().filter(|_| state.view == View::Compare) {
        Some(second) => {
            second.focus = if second.focus == Focus::First { Focus::Second } else { Focus::First };
        }
        None => state.note = Some("there is one capture in this view".to_owned()),
    }
}

/// The next way to align the two that they allow.
pub(crate) fn align(model: &Model, state: &mut State) {
    let selected = phase_name(model, state);
    let (Some(beside), Some(second)) = (&model.beside, state.beside.as_mut()) else {
        state.note = Some("there is nothing to align with one capture".to_owned());
        return;
    };
    let mut options = vec![Align::Begin, Align::Trigger];
    options.extend(selected.map(Align::Phase));
    options.push(Align::Divergence);
    let now = options.iter().position(|option| *option == second.align).map_or(0, |at| at + 1);
    let count = options.len();
    let mut next = options.into_iter().cycle().skip(now).take(count);
    let possible = next.find_map(|option| option.moments(model, beside).map(|moments| (option, moments)));
    if let Some((align, moments)) = possible {
        state.note = Some(format!("aligned at {}", align.words()));
        (second.align, second.moments) = (align, moments);
    }
}

/// The phase of the selected lane that is open at the cursor.
fn phase_name(model: &Model, state: &State) -> Option<String> {
    let Some(Row::Lane(lane)) = state.selected() else { return None };
    let LaneKind::Phases(row) = &model.lanes.get(lane)?.kind else { return None };
    let phases = model.timeline.phases();
    let begun = row.partition_point(|place| phases[*place as usize].open.t <= state.cursor);
    Some(phases[row[begun.checked_sub(1)?] as usize].name.clone())
}
