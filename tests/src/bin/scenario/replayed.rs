//! The replay with a part that makes a mistake of its own: only the terminal that it leaves is of interest.

use std::thread;
use std::time::Duration;

use hangdog_tui::{Growth, Keymap, Options, Source};
use rustix::termios::{LocalModes, tcgetattr};

use super::Outcome;

/// Whoever judges the capture panics, as soon as the replay has the terminal.
pub(crate) fn panics(arguments: &[String]) -> Outcome {
    let path = arguments.first().ok_or("a capture")?.into();
    let judge = |_: &_, _| {
        while tcgetattr(std::io::stdin()).is_ok_and(|now| now.local_modes.contains(LocalModes::ICANON)) {
            thread::sleep(Duration::from_millis(5));
        }
        panic!("a mistake of our own")
    };
    let source = Source { path, growth: Growth::Ended, judge: Box::new(judge), beside: None, compare: None };
    Ok(hangdog_tui::run(source, Keymap::default(), Options::default())?)
}
