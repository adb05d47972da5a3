//! How a text looks: its width, whether it may use colour, which characters it may draw with.

/// Whether escape sequences for colour are written. Colour only repeats what the words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// The eight colours of ECMA-48, bold and dim.
    Ansi,
}

/// Which characters lines and arrows are drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Box drawing characters and arrows.
    Unicode,
    /// `|`, `+`, `-`, `v` and nothing else; foreign characters beyond ASCII become `\u{…}`.
    Ascii,
}

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns. Long words (paths, addresses) stay whole and may run over.
    pub width: usize,
    /// Colour.
    pub colour: Colour,
    /// Characters.
    pub glyphs: Glyphs,
}

impl Style {
    /// 80 columns, box drawing characters, no colour.
    pub fn plain() -> Self {
        Self { width: 80, colour: Colour::Never, glyphs: Glyphs::Unicode }
    }
}

/// What a piece of text is, for those who see colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Strong,
    Faint,
    Bad,
    Fair,
    Good,
}

impl Style {
    /// Puts ink on text that is escaped already.
    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            _ if self.colour == Colour::Never || text.is_empty() => return text.to_owned(),
            Ink::Strong => "1",
            Ink::Faint => "2",
            Ink::Bad => "1;31",
            Ink::Fair => "33",
            Ink::Good => "32",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Picks by character set.
    pub(crate) fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.glyphs {
            Glyphs::Unicode => unicode,
            Glyphs::Ascii => ascii,
        }
    }
}
