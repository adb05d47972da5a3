//! `stopped-holder`: whoever could end the wait is stopped by a signal or traced.

use super::{Story, Told};
use crate::words;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let why = story
        .cause
        .wait
        .and_then(|wait| wait.evidence.first())
        .and_then(|evidence| evidence.text.split_once(": ").map(|(_, why)| why.to_owned()))
        .unwrap_or_else(|| "stopped".to_owned());
    let sentence = format!("{}is {why} (state T)", story.way_which(task));
    let advice = if why.contains("terminal") {
        "give the background program its input from a file or /dev/null, or put it into the foreground"
    } else {
        "find out who stopped it; `kill -CONT` lets it go on"
    };
    Told { sentence: words::sentence(&sentence), advice: vec![advice.to_owned()] }
}
