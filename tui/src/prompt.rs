//! What is typed in the last line: a filter, words to search for, a command.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::message::Effect;
use crate::model::Model;
use crate::palette::{self, Entry};
use crate::state::{Prompt, State, Way};
use crate::travel;
use crate::update::{act, refold};

/// Letters that can be typed.
const LONGEST: usize = 200;

/// A key while something is typed.
pub(crate) fn typed(model: &Model, state: &mut State, key: KeyEvent) -> Effect {
    let Some(mut prompt) = state.prompt.take() else { return Effect::None };
    let text = match &mut prompt {
        Prompt::Filter { .. } => &mut state.filter,
        Prompt::Search { text } | Prompt::Palette { text, .. } => text,
    };
    let was = text.clone();
    match key.code {
        KeyCode::Enter => return enter(model, state, prompt),
        KeyCode::Esc => {
            if let Prompt::Filter { before } = prompt {
                state.filter = before;
                refold(model, state);
            }
            return Effect::Draw;
        }
        KeyCode::Backspace if text.is_empty() => return Effect::Draw,
        KeyCode::Backspace => _ = text.pop(),
        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
        KeyCode::Up | KeyCode::BackTab => prompt = chosen(state, prompt, Way::Back),
        KeyCode::Down | KeyCode::Tab => prompt = chosen(state, prompt, Way::On),
        // Words are compared as lowercase ones.
        KeyCode::Char(c) if text.len() < LONGEST && !c.is_control() => text.extend(c.to_lowercase()),
        _ => {}
    }
    match &mut prompt {
        // It filters as one types.
        Prompt::Filter { .. } if state.filter != was => refold(model, state),
        Prompt::Palette { text, chosen } if *text != was => *chosen = 0,
        _ => {}
    }
    state.prompt = Some(prompt);
    Effect::Draw
}

/// Another line of the palette.
fn chosen(state: &State, prompt: Prompt, way: Way) -> Prompt {
    let Prompt::Palette { text, chosen } = prompt else { return prompt };
    let last = palette::entries(&state.keys, &text).len().saturating_sub(1);
    let chosen = match way {
        Way::Back => chosen.saturating_sub(1),
        Way::On => (chosen + 1).min(last),
    };
    Prompt::Palette { text, chosen }
}

fn enter(model: &Model, state: &mut State, prompt: Prompt) -> Effect {
    match prompt {
        Prompt::Filter { .. } => {}
        Prompt::Search { text } => {
            // Nothing typed: the words of before.
            if !text.trim().is_empty() {
                state.search = text;
            }
            return act(model, state, crate::command::Command::SearchAgain(Way::On));
        }
        Prompt::Palette { text, chosen } => match palette::entries(&state.keys, &text).get(chosen) {
            Some(Entry::Command(binding)) => return act(model, state, binding.command),
            Some(Entry::Time(t)) => {
                let before = state.place();
                travel::go(state, (*t).min(model.end()));
                travel::remember(state, before);
            }
            None => state.note = Some(format!("no command matches {text:?}")),
        },
    }
    Effect::Draw
}
