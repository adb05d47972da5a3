//! The notation of keys: `q`, `<Left>`, `<C-d>`, `<S-Tab>`, `<lt>`; the same in the key table, in `--keys` and in
//! the docs (there as people write it: `←`, `Ctrl-d`).

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A text of keys that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// `<` without `>`.
    #[error("a key name was begun with '<' and not ended with '>': {0:?}")]
    Unclosed(String),
    /// No such key.
    #[error("there is no key <{0}>")]
    Unknown(String),
}

const NAMED: &[(&str, KeyCode, &str)] = &[
    ("Space", KeyCode::Char(' '), "Space"),
    ("lt", KeyCode::Char('<'), "<"),
    ("Enter", KeyCode::Enter, "Enter"),
    ("Esc", KeyCode::Esc, "Esc"),
    ("Tab", KeyCode::Tab, "Tab"),
    ("BS", KeyCode::Backspace, "Backspace"),
    ("Left", KeyCode::Left, "←"),
    ("Right", KeyCode::Right, "→"),
    ("Up", KeyCode::Up, "↑"),
    ("Down", KeyCode::Down, "↓"),
    ("PageUp", KeyCode::PageUp, "PgUp"),
    ("PageDown", KeyCode::PageDown, "PgDn"),
    ("Home", KeyCode::Home, "Home"),
    ("End", KeyCode::End, "End"),
];

/// A key press in the notation; `None` for keys that have no name here.
pub(crate) fn notation(key: KeyEvent) -> Option<String> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    let (name, shift) = match key.code {
        KeyCode::BackTab => ("Tab".to_owned(), true),
        KeyCode::Char(c) if c != ' ' && c != '<' => (c.to_string(), false),
        code => {
            let (name, _, _) = NAMED.iter().find(|(_, known, _)| *known == code)?;
            ((*name).to_owned(), shift && !matches!(code, KeyCode::Char(_)))
        }
    };
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    Some(match (control, shift) {
        (false, false) if name.chars().count() == 1 => name,
        (false, false) => format!("<{name}>"),
        (true, false) => format!("<C-{name}>"),
        (false, true) => format!("<S-{name}>"),
        (true, true) => format!("<C-S-{name}>"),
    })
}

/// Keys from their notation, one after the other.
pub fn parse_keys(text: &str) -> Result<Vec<KeyEvent>, BadKeys> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c != '<' {
            keys.push(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let end = rest.find('>').ok_or_else(|| BadKeys::Unclosed(rest.to_owned()))?;
        keys.push(named(&rest[1..end])?);
        rest = &rest[end + 1..];
    }
    Ok(keys)
}

fn named(text: &str) -> Result<KeyEvent, BadKeys> {
    let mut modifiers = KeyModifiers::NONE;
    let mut name = text;
    loop {
        if let Some(rest) = name.strip_prefix("C-") {
            modifiers |= KeyModifiers::CONTROL;
            name = rest;
        } else if let Some(rest) = name.strip_prefix("S-") {
            modifiers |= KeyModifiers::SHIFT;
            name = rest;
        } else {
            break;
        }
    }
    let mut letters = name.chars();
    let code = match (NAMED.iter().find(|(known, _, _)| *known == name), letters.next(), letters.next()) {
        (Some((_, code, _)), _, _) => *code,
        (None, Some(c), None) => KeyCode::Char(c),
        _ => return Err(BadKeys::Unknown(text.to_owned())),
    };
    if code == KeyCode::Tab && modifiers.contains(KeyModifiers::SHIFT) {
        return Ok(KeyEvent::new(KeyCode::BackTab, modifiers));
    }
    Ok(KeyEvent::new(code, modifiers))
}

/// The notation as people write it.
pub(crate) fn shown(notation: &str) -> String {
    let Some(inner) = notation.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
        return notation.to_owned();
    };
    let mut out = String::new();
    let mut name = inner;
    for (prefix, word) in [("C-", "Ctrl-"), ("S-", "Shift-")] {
        if let Some(rest) = name.strip_prefix(prefix) {
            out.push_str(word);
            name = rest;
        }
    }
    out.push_str(NAMED.iter().find(|(known, _, _)| *known == name).map_or(name, |(_, _, word)| word));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_is_read_as_it_is_written() {
        let text = "tG?/<Left><S-Left><C-d><S-Tab><Space><lt>>$<Esc>";
        let keys = parse_keys(text).unwrap();
        let back: String = keys.iter().map(|key| notation(*key).unwrap()).collect();
        assert_eq!(back, text);
    }

    #[test]
    fn what_is_no_key_is_said() {
        assert_eq!(parse_keys("a<Left"), Err(BadKeys::Unclosed("<Left".to_owned())));
        assert_eq!(parse_keys("<Foo>"), Err(BadKeys::Unknown("Foo".to_owned())));
    }

    #[test]
    fn people_read_arrows_and_words() {
        for (notation, words) in [("<S-Left>", "Shift-←"), ("<C-d>", "Ctrl-d"), ("<lt>", "<"), ("q", "q")] {
            assert_eq!(shown(notation), words);
        }
    }
}
