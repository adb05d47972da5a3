//! Below the lanes: the selected one in words.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::draw::{put, put_right};
use super::lanes::{self, Parts};
use super::tasks;
use crate::call;
use crate::lane::LaneKind;
use crate::model::Model;
use crate::state::{Row, State};
use crate::text::{actor, clean, clock, fit, lasting};
use crate::theme::{DIM, HANG, PLAIN, STRONG};

/// The selected lane at the cursor in words: what it is, where it waits, who could end that.
pub(super) fn draw(model: &Model, state: &State, parts: &Parts, buffer: &mut Buffer) {
    let area = parts.words;
    if area.is_empty() {
        return;
    }
    for x in 0..area.width {
        put(buffer, area, x, 0, "─", DIM);
    }
    let Some(Row::Lane(index)) = state.selected() else { return };
    let t = state.cursor;
    let room = usize::from(area.width).saturating_sub(2);
    let mut y = 1;
    let mut say = |text: &str, style: Style| {
        if y < area.height {
            put(buffer, area, 1, y, &fit(text, room), style);
            y += 1;
        }
    };
    match (&model.lanes[index].kind, model.lanes[index].shows) {
        (_, Some(thread)) => {
            let (pid, tid) = (thread.process.pid, thread.tid);
            let snapshot = model.snapshot(t);
            let fact = snapshot.and_then(|snapshot| Some((snapshot, snapshot.threads.get(&(pid, tid))?)));
            let state = match model.timeline.thread_at(thread, t) {
                Some(at) => format!("{} for {}", lanes::state_words(at.state), lasting(t.0 - at.since.0)),
                None => "not there".to_owned(),
            };
            let call = fact.map(|(snapshot, fact)| call::words(snapshot, fact)).filter(|call| !call.is_empty());
            let call = call.map(|call| format!(", in {call}")).unwrap_or_default();
            say(&format!("{}: {state}{call}", model.lanes[index].label), STRONG);
            if let Some(edge) = model.wait_of(pid, tid) {
                let resolver = edge
                    .resolver
                    .as_ref()
                    .map_or("waits, and nobody can end that".to_owned(), |who| format!("waits for {}", actor(who)));
                let sure = edge.confidence.word();
                say(&format!("{resolver} ({sure}): {}", clean(&edge.resource.name)), HANG);
            }
            if let Some((path, since)) = tasks::innermost(model, t, Some(index)) {
                say(&format!("phase {path}, open for {}", lasting(t.0 - since.0)), PLAIN);
            }
        }
        (LaneKind::Thread(_), None) => {}
        (LaneKind::Process(id), None) => {
            let process = model.timeline.process(*id);
            let parent = process.map(|process| format!(", child of {}", process.parent)).unwrap_or_default();
            let life = match process.and_then(|process| process.end) {
                Some(end) if end.t <= t => format!("ended at {}", clock(end.t)),
                _ => "alive".to_owned(),
            };
            say(&format!("{}: {life}{parent}", model.lanes[index].label), STRONG);
        }
        (LaneKind::Task(..), None) => {
            let phase = tasks::innermost(model, t, Some(index));
            let phase = phase.map(|(path, since)| format!("in {path} for {}", lasting(t.0 - since.0)));
            say(&format!("{}: {}", model.lanes[index].label, phase.unwrap_or("in no phase".to_owned())), STRONG);
        }
        (LaneKind::Phases(row), None) => {
            let all = model.timeline.phases();
            let begun = row.partition_point(|p| all[*p as usize].open.t <= t);
            match begun.checked_sub(1).map(|p| &all[row[p] as usize]) {
                Some(phase) => {
                    say(&super::details::phase_words(phase, t), STRONG);
                    say(&super::details::field_words(phase), PLAIN);
                }
                None => say("no phase yet at this time", DIM),
            }
        }
    }
    let total = state.visible.len();
    if total > usize::from(parts.lanes.height) {
        let top = state.list().top;
        let last = (top + usize::from(parts.lanes.height)).min(total);
        put_right(buffer, area, 0, 0, &format!(" lanes {}-{last} of {total} ", top + 1), DIM);
    }
}
