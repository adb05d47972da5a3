//! State and message in, next state and an effect out. Reads no clock and no terminal.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use hangdog_schemas::RunNs;
use hangdog_timeline::Moment;

use crate::command::{Command, Stride, command_of};
use crate::key::notation;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::state::{Evidence, List, Overlay, Row, SPEEDS, State, Transport, View, Way};
use crate::window::Window;
use crate::{fold, view, why};

/// Views that `Esc` can go back to.
const HISTORY: usize = 64;

/// Letters of a filter.
const LONGEST_FILTER: usize = 200;

/// The state in which a replay opens: the verdict, at the time of its facts.
pub(crate) fn opening(model: &Model, size: (u16, u16)) -> State {
    let mut state = State {
        size,
        cursor: model.opening(),
        view: View::Verdict,
        history: Vec::new(),
        lists: std::array::from_fn(|_| List::default()),
        filter: String::new(),
        typing: None,
        overlay: None,
        evidence: Evidence::Auto,
        transport: Transport::default(),
        window: Window::whole(model.end()),
        folded: fold::at_start(model),
        visible: Vec::new(),
        trail: Vec::new(),
        note: None,
    };
    // Who looks at the lanes or tasks first wants to see who hangs.
    if let Some(first) = model.verdict_edges().first().and_then(|e| model.thread(e.waiter.pid, e.waiter.tid)) {
        state.lists[View::TimeLine as usize].row = model.lane_of(first).map(Row::Lane);
        state.lists[View::Tasks as usize].row = Some(Row::Thread(first));
    }
    let now = model.events.partition_point(|event| event.t <= state.cursor).saturating_sub(1);
    state.lists[View::Events as usize].row = Some(Row::Event(now));
    refold(model, &mut state);
    settle(model, &mut state);
    state
}

/// Takes in one message.
pub(crate) fn update(model: &Model, state: &mut State, message: &Message) -> Effect {
    let effect = match message {
        Message::Resize(columns, rows) => {
            state.size = (*columns, *rows);
            Effect::Draw
        }
        Message::Tick(elapsed) => tick(model, state, *elapsed),
        Message::Key(key) if key.kind == KeyEventKind::Release => Effect::None,
        Message::Key(key) => {
            state.note = None;
            pressed(model, state, *key)
        }
        Message::Mouse(mouse) => pointed(model, state, *mouse),
    };
    if effect != Effect::None {
        settle(model, state);
    }
    effect
}

/// Plays. Stops at the ends rather than looping: the last frame is the one that matters.
fn tick(model: &Model, state: &mut State, elapsed: Duration) -> Effect {
    if !state.transport.playing {
        return Effect::None;
    }
    let tenths = SPEEDS[state.transport.speed.min(SPEEDS.len() - 1)];
    let step = (elapsed.as_nanos() * u128::from(tenths) / 10) as u64;
    let (cursor, at_end) = match state.transport.way {
        Way::On => {
            let next = state.cursor.plus(step).min(model.end());
            (next, next == model.end())
        }
        Way::Back => {
            let next = RunNs(state.cursor.0.saturating_sub(step));
            (next, next.0 == 0)
        }
    };
    state.transport.playing = !at_end;
    state.cursor = cursor;
    Effect::Draw
}

fn pressed(model: &Model, state: &mut State, key: KeyEvent) -> Effect {
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return Effect::Quit;
    }
    if state.typing.is_some() {
        return typed(model, state, key);
    }
    match notation(key).and_then(|notation| command_of(&notation)) {
        Some(command) => act(model, state, command),
        None => Effect::None,
    }
}

/// A key while the filter is being typed. It filters as one types.
fn typed(model: &Model, state: &mut State, key: KeyEvent) -> Effect {
    match key.code {
        KeyCode::Enter => state.typing = None,
        KeyCode::Esc => state.filter = state.typing.take().unwrap_or_default(),
        KeyCode::Backspace if state.filter.is_empty() => state.typing = None,
        KeyCode::Backspace => _ = state.filter.pop(),
        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => state.filter.clear(),
        KeyCode::Char(c) if state.filter.len() < LONGEST_FILTER && !c.is_control() => {
            state.filter.extend(c.to_lowercase());
        }
        _ => return Effect::None,
    }
    refold(model, state);
    Effect::Draw
}

fn act(model: &Model, state: &mut State, command: Command) -> Effect {
    use Command as C;
    match command {
        C::Quit => return Effect::Quit,
        C::Suspend => return Effect::Suspend,
        C::Redraw => return Effect::Redraw,
        C::Help => {
            let open = matches!(state.overlay, Some(Overlay::Help(_)));
            state.overlay = if open { None } else { Some(Overlay::Help(0)) };
        }
        C::Back => back(model, state),
        C::Turn(way) => turn(state, way),
        C::Show(view) => show(state, view),
        C::Select(way) => select(model, state, way, 1),
        C::HalfPage(way) => select(model, state, way, usize::from(view::list_height(state) / 2).max(1)),
        C::Page(way) => select(model, state, way, usize::from(view::list_height(state)).max(1)),
        C::Top => select(model, state, Way::Back, usize::MAX),
        C::Bottom => select(model, state, Way::On, usize::MAX),
        C::Details => details(model, state),
        C::Filter => {
            state.overlay = None;
            state.typing = Some(state.filter.clone());
        }
        C::Scrub(way, stride) => scrub(model, state, way, stride),
        C::Sample(way) => step(model, state, way, "sample", |m| matches!(m, Moment::Sample(_))),
        C::Snapshot(way) => step(model, state, way, "snapshot", |m| matches!(m, Moment::Snapshot(..))),
        C::Event(way) => event(model, state, way),
        C::ToTrigger => go_or_say(state, model.trigger(), "the watchdog never fired in this capture"),
        C::ToProgress => {
            go_or_say(state, model.last_progress(), "the capture does not say when progress was last seen");
        }
        C::ToBegin => go(state, RunNs(0)),
        C::ToEnd => go(state, model.end()),
        C::PlayPause => play(model, state),
        C::Reverse => {
            state.transport.way = if state.transport.way == Way::On { Way::Back } else { Way::On };
        }
        C::Speed(Way::Back) => state.transport.speed = state.transport.speed.saturating_sub(1),
        C::Speed(Way::On) => state.transport.speed = (state.transport.speed + 1).min(SPEEDS.len() - 1),
        C::Zoom(way) => state.window = state.window.zoom(way, state.cursor, model.end()),
        C::ZoomFit => state.window = Window::whole(model.end()),
        C::Fold => fold::toggle(model, state),
        C::FoldAll => fold::toggle_all(model, state),
        C::Evidence => {
            let shown = view::verdict::evidence_is_shown(model, state);
            state.evidence = if shown { Evidence::Hidden } else { Evidence::Shown };
        }
        C::Why => why::on(model, state),
        C::WhyBack => why::back(model, state),
    }
    Effect::Draw
}

/// Out of the innermost thing that is open.
fn back(model: &Model, state: &mut State) {
    if state.overlay.take().is_some() {
        return;
    }
    if !state.filter.is_empty() {
        state.filter.clear();
        refold(model, state);
    } else if !state.trail.is_empty() {
        state.trail.clear();
    } else if let Some(view) = state.history.pop() {
        state.view = view;
    } else if state.view != View::Verdict {
        state.view = View::Verdict;
    } else {
        state.note = Some("q quits".to_owned());
    }
}

fn show(state: &mut State, view: View) {
    state.overlay = None;
    if view != state.view {
        state.history.push(state.view);
        if state.history.len() > HISTORY {
            state.history.remove(0);
        }
        state.view = view;
    }
}

fn turn(state: &mut State, way: Way) {
    let count = View::ALL.len();
    let next = match way {
        Way::On => state.view as usize + 1,
        Way::Back => state.view as usize + count - 1,
    };
    state.overlay = None;
    state.view = View::ALL[next % count];
}

fn select(model: &Model, state: &mut State, way: Way, by: usize) {
    let moved = |at: usize| match way {
        Way::Back => at.saturating_sub(by),
        Way::On => at.saturating_add(by),
    };
    match &mut state.overlay {
        Some(Overlay::Details(_, top) | Overlay::Help(top)) => *top = moved(*top),
        None => {
            let rows = view::rows(model, state);
            let index = moved(state.list().index).min(rows.len().saturating_sub(1));
            let row = rows.get(index).copied();
            let list = state.list_mut();
            (list.index, list.row) = (index, row);
        }
    }
}

fn details(model: &Model, state: &mut State) {
    match (state.overlay, state.selected()) {
        (Some(_), _) => state.overlay = None,
        (None, Some(Row::Event(i))) => {
            if let Some(event) = model.events.get(i) {
                go(state, event.t);
            }
        }
        (None, Some(Row::Paragraph(_)) | None) => {}
        (None, Some(row)) => state.overlay = Some(Overlay::Details(row, 0)),
    }
}

/// Moves the cursor and pauses: who looks for something does not want it to run away.
fn go(state: &mut State, t: RunNs) {
    state.transport.playing = false;
    state.cursor = t;
}

fn go_or_say(state: &mut State, t: Option<RunNs>, otherwise: &str) {
    match t {
        Some(t) => go(state, t),
        None => state.note = Some(otherwise.to_owned()),
    }
}

fn scrub(model: &Model, state: &mut State, way: Way, stride: Stride) {
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

fn step(model: &Model, state: &mut State, way: Way, what: &str, wanted: impl Fn(&Moment) -> bool) {
    let moments = &model.moments;
    let t = match way {
        Way::On => {
            let later = moments.partition_point(|m| m.at() <= state.cursor);
            moments[later..].iter().find(|m| wanted(m)).map(|m| m.at())
        }
        Way::Back => {
            let earlier = moments.partition_point(|m| m.at() < state.cursor);
            moments[..earlier].iter().rev().find(|m| wanted(m)).map(|m| m.at())
        }
    };
    let side = if way == Way::On { "later" } else { "earlier" };
    go_or_say(state, t, &format!("there is no {side} {what}"));
}

fn event(model: &Model, state: &mut State, way: Way) {
    let events = &model.events;
    let at = match way {
        Way::On => Some(events.partition_point(|e| e.t <= state.cursor)).filter(|at| *at < events.len()),
        Way::Back => events.partition_point(|e| e.t < state.cursor).checked_sub(1),
    };
    let side = if way == Way::On { "later" } else { "earlier" };
    match at.map(|at| (at, &events[at])) {
        Some((at, event)) => {
            go(state, event.t);
            state.note = Some(format!("{}: {}", event.kind.word(), event.text));
            if state.view == View::Events {
                state.list_mut().row = Some(Row::Event(at));
            }
        }
        None => state.note = Some(format!("there is no {side} event")),
    }
}

fn play(model: &Model, state: &mut State) {
    let transport = &mut state.transport;
    transport.playing = !transport.playing;
    if transport.playing {
        match transport.way {
            Way::On if state.cursor >= model.end() => state.cursor = RunNs(0),
            Way::Back if state.cursor.0 == 0 => state.cursor = model.end(),
            _ => {}
        }
    }
}

fn pointed(model: &Model, state: &mut State, mouse: MouseEvent) -> Effect {
    match mouse.kind {
        MouseEventKind::ScrollUp => select(model, state, Way::Back, 3),
        MouseEventKind::ScrollDown => select(model, state, Way::On, 3),
        MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left) => {
            match view::hit(model, state, mouse.column, mouse.row) {
                Some(view::Hit::Tab(view)) => show(state, view),
                Some(view::Hit::Time(t)) => go(state, t.min(model.end())),
                Some(view::Hit::Row(row)) => state.list_mut().row = Some(row),
                Some(view::Hit::Lane(row, t)) => {
                    state.list_mut().row = Some(row);
                    go(state, t.min(model.end()));
                }
                None => return Effect::None,
            }
        }
        _ => return Effect::None,
    }
    Effect::Draw
}

/// Works the lanes out anew after a fold or another filter.
pub(crate) fn refold(model: &Model, state: &mut State) {
    state.visible = fold::visible(model, &state.folded, &state.filter);
    // A lane that is folded away hands its selection to the lane around it.
    let list = &mut state.lists[View::TimeLine as usize];
    while let Some(Row::Lane(lane)) = list.row
        && state.visible.binary_search(&lane).is_err()
    {
        list.row = model.lanes[lane].parent.map(Row::Lane);
    }
}

/// Brings selection, scroll and window in line with what there is now and with the size of the screen.
pub(crate) fn settle(model: &Model, state: &mut State) {
    state.cursor = state.cursor.min(model.end());
    state.window = state.window.showing(state.cursor, model.end());
    if let Some(overlay) = state.overlay {
        let height = usize::from(view::areas(state.size).body.height.saturating_sub(1));
        let lines = view::overlay_lines(model, state, overlay);
        let most = lines.saturating_sub(height);
        if let Some(Overlay::Details(_, top) | Overlay::Help(top)) = &mut state.overlay {
            *top = (*top).min(most);
        }
    }
    let rows = view::rows(model, state);
    let list = state.list();
    // The row by itself when it is still there, else what is in its place.
    let found = list.row.and_then(|row| {
        if rows.get(list.index) == Some(&row) { Some(list.index) } else { rows.iter().position(|r| *r == row) }
    });
    let index = found.unwrap_or(list.index.min(rows.len().saturating_sub(1)));
    let row = rows.get(index).copied();
    let list = state.list_mut();
    (list.index, list.row) = (index, row);
    let (first, last, total) = view::lines_of_selection(model, state, rows.len());
    let height = usize::from(view::list_height(state)).max(1);
    let list = state.list_mut();
    let lowest = (last + 1).saturating_sub(height).min(first);
    list.top = list.top.clamp(lowest, first.max(lowest)).min(total.saturating_sub(height));
    if list.index == 0 {
        list.top = 0;
    }
}
