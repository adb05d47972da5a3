//! `self-deadlock`: a task waits for something that only it itself could do.

use super::{Story, Told};
use crate::wait::futex::COPIED;
use crate::wait::{Class, Wait};
use crate::words;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let phrase = story.cause.cycle.first().map(|link| match link.wait.class {
        Class::LockTurn => format!(
            "waits for {}, which is reserved for another future of its own that is no longer polled",
            words::short(&link.wait.name)
        ),
        // A guard of async tasks may have been handed on since; who took it stays so.
        Class::Lock => format!("waits for {}, which it took itself", words::short(&link.wait.name)),
        Class::Event => match copied(link.wait) {
            Some(parent) => format!(
                "waits at a futex, has no other thread that could wake it, and was forked by {parent}: a lock that another \
                 thread held then stays locked in the copy",
            ),
            None => story.phrase(task, link.wait, "itself"),
        },
        _ => story.phrase(task, link.wait, "itself"),
    });
    let phrase = phrase.unwrap_or_default();
    let name = story.name_in_phase(task);
    let sentence = format!("self-deadlock: {name} {phrase}{}{}", story.breakable(), story.behind());
    let is_copied = story.cause.cycle.first().is_some_and(|link| copied(link.wait).is_some());
    let advice = match story.cause.cycle.first().map(|link| link.wait.class) {
        Some(Class::Event) if is_copied => {
            "after a fork in a program with threads run another program at once (posix_spawn), or take its locks around the \
             fork (pthread_atfork)"
        }
        Some(Class::Page) => "let a thread that touches none of these pages serve the userfaultfd",
        Some(Class::PipeData) => "close the write end of the pipe in the process that reads it, right after the fork",
        Some(Class::PipeRoom) => "read the pipe in another thread or process than the one that fills it",
        Some(Class::FuseReply) => {
            "never touch the own mount from a request handler, or serve requests from several threads"
        }
        Some(Class::Mutex) => "do not take a lock again that this thread holds already",
        Some(Class::Lock) => {
            "give the lock back before taking it again; what holds it may be a branch that is no longer polled"
        }
        Some(Class::LockTurn) => {
            "drop the future that waits for the lock before waiting for it again: the lock was granted to that one, which is no longer polled"
        }
        _ => "let another thread or process do what this one waits for",
    };
    Told { sentence: words::sentence(&sentence), advice: vec![advice.to_owned()] }
}

/// From whom a process has its memory, locks included.
fn copied(wait: &Wait) -> Option<&str> {
    wait.evidence.iter().find_map(|evidence| evidence.text.strip_prefix(COPIED))
}
