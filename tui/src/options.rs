//! How a replay is shown.

/// Colours of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Colours {
    /// None: attributes (bold, dim, reverse) only.
    None,
    /// The 16 of ECMA-48.
    Ansi,
    /// 256 or more.
    #[default]
    Full,
}

/// Characters of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Glyphs {
    /// UTF-8 with box drawing.
    #[default]
    Unicode,
    /// ASCII only.
    Ascii,
}

/// How a replay is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Colours.
    pub colours: Colours,
    /// Characters.
    pub glyphs: Glyphs,
}

impl Options {
    /// What the environment asks for. `variable` looks a variable up; unset and empty are the same.
    ///
    /// `NO_COLOR` (<https://no-color.org>) and `TERM=dumb` take the colours, `COLORTERM` and `TERM` say how many
    /// there are, `LC_ALL`, `LC_CTYPE`, `LANG` (the first that is set) whether the terminal takes UTF-8.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = get("TERM").unwrap_or_default();
        let colours = if get("NO_COLOR").is_some() || term == "dumb" {
            Colours::None
        } else if get("COLORTERM").is_some_and(|c| c == "truecolor" || c == "24bit")
            || ["256color", "direct", "kitty", "alacritty", "ghostty", "foot"].iter().any(|name| term.contains(name))
        {
            Colours::Full
        } else {
            Colours::Ansi
        };
        let locale = get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG")).unwrap_or_default();
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        Self { colours, glyphs: if utf8 { Glyphs::Unicode } else { Glyphs::Ascii } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(environment: &[(&str, &str)], colours: Colours, glyphs: Glyphs) {
        let options = Options::from_environment(|name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        assert_eq!(options, Options { colours, glyphs });
    }

    #[test]
    fn the_environment_says_what_the_terminal_can() {
        check(&[("TERM", "xterm"), ("LANG", "en_US.UTF-8")], Colours::Ansi, Glyphs::Unicode);
        check(&[("TERM", "xterm-256color"), ("LANG", "C")], Colours::Full, Glyphs::Ascii);
        check(&[("TERM", "xterm"), ("COLORTERM", "truecolor"), ("LC_ALL", "C.utf8")], Colours::Full, Glyphs::Unicode);
        check(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Colours::None, Glyphs::Ascii);
        check(&[("NO_COLOR", ""), ("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], Colours::Ansi, Glyphs::Ascii);
        check(&[("TERM", "dumb")], Colours::None, Glyphs::Ascii);
    }
}
