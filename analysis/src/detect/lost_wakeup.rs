//! `lost-wakeup`: what a task waits to be notified of was notified before it began to wait, and nobody is left who would
//! do it again.

use super::{Story, Told};
use crate::words;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let Some(wait) = story.cause.wait else { return Told { sentence: String::new(), advice: vec![] } };
    let sentence = format!(
        "{}{}: that came before the wait began, and nobody is left who could do it again",
        story.way_which(task),
        story.phrase(task, wait, "")
    );
    let advice = "change what is waited for under the lock, and look at it under the lock before waiting (condition \
                  variables); make the waiting future before the check (async notifications)";
    Told { sentence: words::sentence(&sentence), advice: vec![advice.to_owned()] }
}
