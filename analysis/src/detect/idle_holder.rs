//! `idle-holder`: whoever could end the wait is idle, and who started it has ended (a daemon that keeps a pipe or
//! lock open).

use super::{Story, Told};
use crate::wait::Class;
use crate::words;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let resting = story.cause.wait.map_or("idle", |wait| match wait.class {
        Class::NewClient => "waits for a client",
        Class::FuseRequest => "waits for a FUSE request",
        Class::Signal => "waits for a signal",
        Class::Timer => "sleeps for longer than --patience",
        _ => "is idle",
    });
    let way = &story.cause.way;
    let shown = &way[way.len().saturating_sub(2)..];
    let how = way.last().map_or("", |link| link.resolver.how.as_str());
    let sentence = format!(
        "{} ({how}), a daemon left over from a program that has ended; it {resting}",
        words::chain(story.view, story.graph, shown)
    );
    let advice = match way.last().map(|link| link.wait.class) {
        Some(Class::PipeData) => {
            "start the daemon with its standard output and error redirected (>/dev/null 2>&1) or closed"
        }
        Some(Class::FileLock) => {
            "start the daemon with the lock's descriptor closed (9>&-), or open the lock file close-on-exec"
        }
        _ => "close inherited descriptors in the daemon, or end it with the program that started it",
    };
    Told { sentence: words::sentence(&sentence), advice: vec![advice.to_owned()] }
}
