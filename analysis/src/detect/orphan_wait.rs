//! `orphan-wait`: nobody exists who could end the wait.

use super::{Story, Told, runtimes};
use crate::wait::{Class, Wait};
use crate::words;

/// Threads named that are parked beside it.
const BESIDE: usize = 3;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let Some(wait) = story.cause.wait else { return Told { sentence: String::new(), advice: vec![] } };
    let beside = story.graph.parked_beside(task);
    let phrase = match wait.class {
        Class::ChannelItem => format!("waits for something from {}", words::short(&wait.name)),
        Class::ChannelSpace => format!("waits for room in the full {}", words::short(&wait.name)),
        Class::Pool | Class::Mutex | Class::SharedEvent | Class::Semaphore => {
            format!("waits for {}", words::short(&wait.name))
        }
        Class::Poll => {
            let why = wait.evidence.first().and_then(|first| first.text.split_once(", and phase"));
            why.map_or_else(
                || "is polled by nobody".to_owned(),
                |(why, _)| format!("is polled by nobody, although {why}"),
            )
        }
        Class::Event if !beside.is_empty() => story.phrase(task, wait, ""),
        _ => story.phrase(task, wait, nobody(wait)),
    };
    let why = if matches!(wait.class, Class::Event | Class::SharedEvent) && !beside.is_empty() {
        let names: Vec<String> = beside.iter().take(BESIDE).map(|other| story.name(*other)).collect();
        let more = beside.len() - names.len();
        let more = if more > 0 { format!(" and {more} more threads") } else { String::new() };
        let others = if wait.class == Class::Event {
            "no other thread of their process"
        } else {
            "no other process of the run"
        };
        format!("so do {}{more}, and {others} is left to wake any of them", names.join(", "))
    } else {
        why_nobody(wait)
    };
    let sentence = format!("{}{phrase}: {why}", story.way_which(task));
    let mut advice = vec![advice(wait).to_owned()];
    if wait.class == Class::Event {
        advice.extend(runtimes::dump(story.view, story.graph.tasks[task].key.pid()).map(|(_, dump)| dump));
    }
    Told { sentence: words::sentence(&sentence), advice }
}

/// Who stands in the place of the one that could end it.
fn nobody(wait: &Wait) -> &'static str {
    match wait.class {
        Class::Notification | Class::Poll => "",
        Class::Lock => "a thread that has ended",
        _ => "nobody",
    }
}

fn why_nobody(wait: &Wait) -> String {
    match wait.class {
        Class::FifoPeer => "no other process has it open".to_owned(),
        Class::FuseReply => "its server has read the request and waits for the next one".to_owned(),
        Class::Event => "no other thread of its process is left to wake it".to_owned(),
        Class::TcpAccept | Class::UnixAccept => "no process listens there any more".to_owned(),
        Class::Notification => "nobody in its process is left who could notify it".to_owned(),
        Class::ChannelSpace => "its receiving end is still open, and nobody is left who would receive".to_owned(),
        Class::ChannelItem => "an end that could send is still open, and nobody is left who would".to_owned(),
        Class::Lock => "it was not given back".to_owned(),
        Class::SharedEvent => "no process of the run is left to wake it".to_owned(),
        Class::Mutex | Class::Semaphore => wait.evidence.last().map_or_else(String::new, |last| last.text.clone()),
        Class::Pool => {
            let forgotten = wait.evidence.iter().find(|evidence| evidence.text.ends_with("was forgotten"));
            forgotten
                .map_or("nobody holds anything of it that could be given back".to_owned(), |why| why.text.clone())
        }
        Class::Poll => "its future was begun, and neither polled to its end nor dropped".to_owned(),
        _ => "no process is left that could end this wait".to_owned(),
    }
}

fn advice(wait: &Wait) -> &'static str {
    match wait.class {
        Class::FifoPeer => {
            "check that the other side of the FIFO was started and did not fail; open it with a time limit"
        }
        Class::FuseReply => "look in the FUSE server for a request that is dropped without a reply",
        Class::Notification => {
            "look for a notification that came before the wait: change and check the condition under its lock"
        }
        Class::ChannelSpace => "receive from the channel before or while filling it, or drop its receiving end",
        Class::ChannelItem => "drop every sending end that is not used any more, the first one too",
        Class::Lock => "give the lock back on every way out; do not forget its guard",
        Class::Mutex => {
            "make the mutex robust (PTHREAD_MUTEX_ROBUST) and handle EOWNERDEAD; look for why its holder died"
        }
        Class::Pool => "look for permits or connections that were taken and never given back",
        Class::Poll => "poll every future that was begun to its end, or drop it",
        Class::Semaphore => {
            "take semaphores with SEM_UNDO, so that the kernel gives back what a process holds that dies"
        }
        Class::Event | Class::SharedEvent => {
            "look for a lock that is taken twice, or a wake-up that came before the wait"
        }
        _ => "give the wait a time limit, and look for why the other side ended",
    }
}
