//! State and message in, next state and an effect out. Reads no clock and no terminal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use hangdog_schemas::RunNs;

use crate::command::Command;
use crate::compare::{self, Focus, Second};
use crate::key::notation;
use crate::keymap::Keymap;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::rows::{self, Rows};
use crate::state::{Evidence, List, Look, Overlay, Prompt, Row, SPEEDS, State, Transport, View, Way};
use crate::travel::Steps;
use crate::window::Window;
use crate::{arrange, fold, prompt, seek, travel, view, why};

/// Views that `Esc` can go back to.
const HISTORY: usize = 64;

/// The state in which a replay opens: the verdict, at the time of its facts.
pub(crate) fn opening(model: &Model, size: (u16, u16), keys: &Arc<Keymap>) -> State {
    let mut state = State {
        size,
        cursor: model.opening(),
        view: View::Verdict,
        history: Vec::new(),
        lists: std::array::from_fn(|_| List::default()),
        filter: String::new(),
        prompt: None,
        search: String::new(),
        seek: None,
        rows: Rows::default(),
        looks: std::array::from_fn(|_| Look::default()),
        pins: Vec::new(),
        marks: BTreeSet::new(),
        past: Vec::new(),
        future: Vec::new(),
        clipboard: None,
        keys: Arc::clone(keys),
        beside: Second::of(model, size, keys).map(Box::new),
        touched: false,
        loading: None,
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
    let now = model.events.count_while(|t| t <= state.cursor).saturating_sub(1);
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
        Message::Loading(percent) if *percent == state.loading => Effect::None,
        Message::Loading(percent) => {
            state.loading = *percent;
            Effect::Draw
        }
        Message::Key(key) => {
            state.touched = true;
            state.note = None;
            state.seek = None;
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
    let busy = state.is_busy();
    seek::go_on(model, state);
    if !state.transport.playing {
        return if busy { Effect::Draw } else { Effect::None };
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
    if state.prompt.is_some() {
        return prompt::typed(model, state, key);
    }
    match notation(key).and_then(|notation| state.keys.command_of(&notation)) {
        Some(command) => act(model, state, command),
        None => Effect::None,
    }
}

/// Does what a key or a line of the palette asks for, and remembers where one was before a jump.
pub(crate) fn act(model: &Model, state: &mut State, command: Command) -> Effect {
    let before = state.place();
    if in_second(model, state, command) {
        return Effect::Draw;
    }
    let effect = perform(model, state, command);
    if travel::is_jump(command) && state.place() != before {
        travel::remember(state, before);
    }
    effect
}

/// Keys of lists and lanes go to the second capture when it has the focus.
fn in_second(model: &Model, state: &mut State, command: Command) -> bool {
    use Command as C;
    let is_of_lists = matches!(
        command,
        C::Select(_)
            | C::HalfPage(_)
            | C::Page(_)
            | C::Top
            | C::Bottom
            | C::Fold
            | C::FoldAll
            | C::Why
            | C::WhyBack
            | C::Pin
    );
    let Some(beside) = model.beside.as_ref().filter(|_| is_of_lists && state.overlay.is_none()) else { return false };
    let is_there = state.view == View::Compare && state.beside.as_ref().is_some_and(|it| it.focus == Focus::Second);
    let Some(second) = state.beside.as_mut().filter(|_| is_there) else { return false };
    second.state.note = None;
    let _ = perform(&beside.model, &mut second.state, command);
    // Where a thread has no lane, it is looked for in a table: here there is none.
    second.state.view = View::TimeLine;
    state.note = second.state.note.take();
    true
}

fn perform(model: &Model, state: &mut State, command: Command) -> Effect {
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
        C::Turn(way) => turn(model, state, way),
        C::Show(View::Compare) if model.beside.is_none() => {
            state.note = Some("one capture is open; two are compared by: hangdog replay FIRST SECOND".to_owned());
        }
        C::Show(view) => show(state, view),
        C::Select(way) => select(state, way, 1),
        C::HalfPage(way) => select(state, way, usize::from(view::list_height(state) / 2).max(1)),
        C::Page(way) => select(state, way, usize::from(view::list_height(state)).max(1)),
        C::Top => select(state, Way::Back, usize::MAX),
        C::Bottom => select(state, Way::On, usize::MAX),
        C::Details => details(model, state),
        C::Filter => {
            state.overlay = None;
            // Other words, not more of the same: Esc brings those back.
            state.prompt = Some(Prompt::Filter { before: std::mem::take(&mut state.filter) });
            refold(model, state);
        }
        C::Search => {
            state.overlay = None;
            state.prompt = Some(Prompt::Search { text: String::new() });
        }
        C::SearchAgain(way) => seek::begin(model, state, way),
        C::Palette => state.prompt = Some(Prompt::Palette { text: String::new(), chosen: 0 }),
        C::Pin => arrange::pin(model, state),
        C::Columns => arrange::columns(state),
        C::Copy => return arrange::copy(model, state),
        C::Undo => travel::undo(state),
        C::Redo => travel::redo(state),
        C::Mark => travel::mark(state),
        C::ToMark(way) => travel::to_mark(state, way),
        C::Change(way) => travel::change(model, state, way),
        C::ToCause => travel::to_cause(model, state),
        C::ToDivergence => travel::to_divergence(model, state),
        C::SwitchCapture => compare::switch(state),
        C::Align => compare::align(model, state),
        C::Scrub(way, stride) => travel::scrub(model, state, way, stride),
        C::Sample(way) => travel::step(model, state, way, Steps::Samples),
        C::Snapshot(way) => travel::step(model, state, way, Steps::Snapshots),
        C::Event(way) => travel::event(model, state, way),
        C::ToTrigger => travel::go_or_say(state, model.trigger(), "the watchdog never fired in this capture"),
        C::ToProgress => {
            travel::go_or_say(state, model.last_progress(), "the capture does not say when progress was last seen");
        }
        C::ToBegin => travel::go(state, RunNs(0)),
        C::ToEnd => travel::go(state, model.end()),
        // In the list of columns the same key shows and hides.
        C::PlayPause if matches!(state.overlay, Some(Overlay::Columns(_))) => arrange::hide_column(state),
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
            let shown = match state.view {
                View::Graph => state.evidence != Evidence::Hidden,
                _ => view::verdict::evidence_is_shown(model, state),
            };
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

fn turn(model: &Model, state: &mut State, way: Way) {
    let count = View::ALL.len() - usize::from(model.beside.is_none());
    let next = match way {
        Way::On => state.view as usize + 1,
        Way::Back => state.view as usize + count - 1,
    };
    state.overlay = None;
    state.view = View::ALL[next % count];
}

fn select(state: &mut State, way: Way, by: usize) {
    let moved = |at: usize| match way {
        Way::Back => at.saturating_sub(by),
        Way::On => at.saturating_add(by),
    };
    match &mut state.overlay {
        Some(Overlay::Details(_, top) | Overlay::Help(top) | Overlay::Columns(top)) => *top = moved(*top),
        None => {
            let index = moved(state.list().index).min(state.rows.len().saturating_sub(1));
            let row = state.rows.get(index);
            let list = state.list_mut();
            (list.index, list.row) = (index, row);
        }
    }
}

fn details(model: &Model, state: &mut State) {
    let selected = compare::focused(model, state).1.selected();
    match (state.overlay, selected) {
        (Some(Overlay::Columns(column)), _) => arrange::sort_by(state, column),
        (Some(_), _) => state.overlay = None,
        (None, Some(Row::Event(i))) => {
            if let Some(event) = model.events.get(i) {
                travel::go(state, event.t);
            }
        }
        (None, Some(Row::Paragraph(_)) | None) => {}
        (None, Some(row)) => state.overlay = Some(Overlay::Details(row, 0)),
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
    state.touched = true;
    match mouse.kind {
        MouseEventKind::ScrollUp => select(state, Way::Back, 3),
        MouseEventKind::ScrollDown => select(state, Way::On, 3),
        MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left) => {
            match view::hit(model, state, mouse.column, mouse.row) {
                Some(view::Hit::Tab(view)) => show(state, view),
                Some(view::Hit::Time(t)) => travel::go(state, t.min(model.end())),
                Some(view::Hit::Second(row, t)) => {
                    if let Some(second) = state.beside.as_mut() {
                        second.focus = Focus::Second;
                        second.state.list_mut().row = Some(row);
                    }
                    if let Some(t) = t {
                        travel::go(state, t.min(model.end()));
                    }
                }
                Some(view::Hit::Row(row)) => state.list_mut().row = Some(row),
                Some(view::Hit::Lane(row, t)) => {
                    state.list_mut().row = Some(row);
                    travel::go(state, t.min(model.end()));
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
    // Pinned lanes are shown wherever they lie, above the others.
    let pinned: Vec<usize> =
        state.pins.iter().filter_map(|row| if let Row::Lane(lane) = row { Some(*lane) } else { None }).collect();
    if !pinned.is_empty() {
        state.visible.retain(|lane| !pinned.contains(lane));
        state.visible.splice(0..0, pinned);
    }
    // A lane that is folded away hands its selection to the lane around it.
    for view in [View::TimeLine, View::Compare] {
        let list = &mut state.lists[view as usize];
        while let Some(Row::Lane(lane)) = list.row
            && !state.visible.contains(&lane)
        {
            list.row = model.lanes[lane].parent.map(Row::Lane);
        }
    }
}

/// Brings selection, scroll and window in line with what there is now and with the size of the screen.
pub(crate) fn settle(model: &Model, state: &mut State) {
    state.cursor = state.cursor.min(model.end());
    state.window = state.window.showing(state.cursor, model.end());
    if let Some(overlay) = state.overlay {
        let height = usize::from(view::areas(state.size).body.height.saturating_sub(1));
        let lines = view::overlay_lines(model, state, overlay);
        let most = lines.saturating_sub(if matches!(overlay, Overlay::Columns(_)) { 1 } else { height });
        if let Some(Overlay::Details(_, top) | Overlay::Help(top) | Overlay::Columns(top)) = &mut state.overlay {
            *top = (*top).min(most);
        }
    }
    rows::refresh(model, state);
    let list = state.list();
    // The row by itself when it is still there, else what is in its place.
    let found = list.row.and_then(|row| state.rows.find(row, list.index));
    let index = found.unwrap_or(list.index.min(state.rows.len().saturating_sub(1)));
    let row = state.rows.get(index);
    let scanning = state.rows.is_scanning();
    let list = state.list_mut();
    list.index = index;
    // While a filter is on its way, the row may still come.
    list.row = if scanning { list.row.or(row) } else { row };
    let (first, last, total) = view::lines_of_selection(model, state);
    let height = usize::from(view::list_height(state)).max(1);
    let list = state.list_mut();
    let lowest = (last + 1).saturating_sub(height).min(first);
    list.top = list.top.clamp(lowest, first.max(lowest)).min(total.saturating_sub(height));
    if list.index == 0 {
        list.top = 0;
    }
    if state.view == View::Compare {
        compare::follow(model, state);
    }
}
