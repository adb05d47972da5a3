//! `external-wait`: the wait is for somebody outside the run.

use super::{Story, Told};
use crate::words;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let (phrase, whom) = story.cause.wait.map_or((String::new(), "somebody outside"), |wait| {
        (story.phrase(task, wait, ""), wait.outside.unwrap_or("somebody outside"))
    });
    let sentence = format!("{}{phrase}, which only {whom} could end", story.way_which(task));
    Told {
        sentence: words::sentence(&sentence),
        advice: vec!["give the wait a time limit, or check whether the other side is alive".to_owned()],
    }
}
