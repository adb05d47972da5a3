//! `terminal-prompt`: a program asks a person at a terminal where there is none.

use super::{Story, Told};
use crate::words;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let name = story.cause.wait.map_or("its terminal", |wait| wait.name.as_str());
    let sentence = format!("{}waits for input from {name}, and nobody types there", story.way_which(task));
    Told {
        sentence: words::sentence(&sentence),
        advice: vec![
            "answer the prompt beforehand (an option, a file, a variable), or run the program with its input from /dev/null".to_owned(),
        ],
    }
}
