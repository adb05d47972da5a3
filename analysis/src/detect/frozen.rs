//! `frozen`: whoever could end the wait is in a frozen control group.

use super::{Story, Told};
use crate::words;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let phrase = story.cause.wait.map(|wait| story.phrase(task, wait, "")).unwrap_or_default();
    let sentence = format!("{}{phrase}", story.way_which(task));
    Told {
        sentence: words::sentence(&sentence),
        advice: vec!["thaw the control group, or the one above it that was frozen (write 0 to cgroup.freeze, or THAWED to freezer.state)".to_owned()],
    }
}
