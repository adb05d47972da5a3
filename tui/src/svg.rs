//! A buffer as an SVG picture: one rectangle and one text for each run of cells of one style.

use std::fmt::Write as _;

use hangdog_report::escape::xml;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::text::width;

/// Size of a cell in pixels.
const CELL: (f32, f32) = (8.4, 18.0);
const MARGIN: f32 = 10.0;
const INK: &str = "#d8dee9";
const PAPER: &str = "#1b1f27";

/// The 16 colours of the picture, calm and readable on its paper.
const ANSI: [&str; 16] = [
    "#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9", "#5c6370", "#ff7b86",
    "#b5e890", "#ffd68a", "#82c7ff", "#e39bf7", "#7fdbe7", "#ffffff",
];

/// Draws the picture.
pub(crate) fn svg(buffer: &Buffer) -> String {
    let wide = f32::from(buffer.area.width) * CELL.0 + 2.0 * MARGIN;
    let high = f32::from(buffer.area.height) * CELL.1 + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.1}\" height=\"{high:.1}\" \
         viewBox=\"0 0 {wide:.1} {high:.1}\" font-family=\"'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{PAPER}\"/>\n"
    );
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let style = Look::of(&buffer[(x, y)]);
            let mut end = x;
            let mut text = String::new();
            while end < buffer.area.width && Look::of(&buffer[(end, y)]) == style {
                let symbol = buffer[(end, y)].symbol();
                text.push_str(symbol);
                end += (width(symbol) as u16).max(1);
            }
            run(&mut out, &style, &text, x, y, end.min(buffer.area.width));
            x = end;
        }
    }
    out.push_str("</svg>\n");
    out
}

fn run(out: &mut String, look: &Look, text: &str, from: u16, y: u16, to: u16) {
    let x = MARGIN + f32::from(from) * CELL.0;
    let top = MARGIN + f32::from(y) * CELL.1;
    let wide = f32::from(to - from) * CELL.0;
    if look.paper != PAPER {
        _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
            CELL.1, look.paper
        );
    }
    let leading = text.len() - text.trim_start().len();
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    let x = x + leading as f32 * CELL.0;
    let long = width(text) as f32 * CELL.0;
    _ = write!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{long:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         xml:space=\"preserve\" fill=\"{}\"",
        top + CELL.1 * 0.75,
        look.ink
    );
    for (modifier, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::DIM, " opacity=\"0.6\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
    ] {
        if look.modifier.contains(modifier) {
            out.push_str(attribute);
        }
    }
    _ = writeln!(out, ">{}</text>", xml(text));
}

#[derive(PartialEq, Eq)]
struct Look {
    ink: String,
    paper: String,
    modifier: Modifier,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (ink, paper) = (colour(cell.fg, INK), colour(cell.bg, PAPER));
        let reversed = cell.modifier.contains(Modifier::REVERSED);
        let (ink, paper) = if reversed { (paper, ink) } else { (ink, paper) };
        Self { ink, paper, modifier: cell.modifier }
    }
}

fn colour(colour: Color, otherwise: &str) -> String {
    let index = match colour {
        Color::Reset => return otherwise.to_owned(),
        Color::Rgb(r, g, b) => return format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Indexed(index) => index,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    match index {
        0..16 => ANSI[usize::from(index)].to_owned(),
        // The cube of xterm: six levels of each colour.
        16..232 => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let n = index - 16;
            format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        232.. => {
            let grey = 8 + 10 * (index - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}
