//! Opens the replay on a capture made by hand: `cargo run -p hangdog-tui --example replay-sample`.
//!
//! With `COLUMNSxROWS KEYS FILE.svg` it draws a picture of the screen after those keys instead.

mod sample;

use std::error::Error;

use hangdog_timeline::Timeline;
use hangdog_tui::{Options, run, screenshot};

fn main() -> Result<(), Box<dyn Error>> {
    let timeline = Timeline::build(sample::records())?;
    let report = Some(sample::report());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [size, keys, file] = &arguments[..] {
        let (columns, rows) = size.split_once('x').ok_or("a size is COLUMNSxROWS")?;
        let shot = screenshot(timeline, report, (columns.parse()?, rows.parse()?), keys)?;
        std::fs::write(file, shot.svg)?;
        return Ok(());
    }
    run(timeline, report, Options::from_environment(|name| std::env::var(name).ok()))?;
    Ok(())
}
