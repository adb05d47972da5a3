//! Draws a screen of a capture made by hand: `cargo run -p hangdog-tui --example replay-sample -- 120x36 tww FILE.svg`.

mod sample;

use std::error::Error;

use hangdog_timeline::Timeline;
use hangdog_tui::screenshot;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [size, keys, file] = &arguments[..] else { return Err("COLUMNSxROWS KEYS FILE.svg".into()) };
    let (columns, rows) = size.split_once('x').ok_or("a size is COLUMNSxROWS")?;
    let timeline = Timeline::build(sample::records())?;
    let shot = screenshot(timeline, Some(sample::report()), (columns.parse()?, rows.parse()?), keys)?;
    std::fs::write(file, shot.svg)?;
    Ok(())
}
