//! `orphan-wait`: nobody exists who could end the wait.

use super::{Story, Told};
use crate::wait::{Class, Wait};
use crate::words;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let Some(wait) = story.cause.wait else { return Told { sentence: String::new(), advice: vec![] } };
    let sentence = format!("{}{}: {}", story.way_which(task), story.phrase(task, wait, "nobody"), why_nobody(wait));
    Told { sentence: words::sentence(&sentence), advice: vec![advice(wait).to_owned()] }
}

fn why_nobody(wait: &Wait) -> String {
    match wait.class {
        Class::FifoPeer => "no other process has it open".to_owned(),
        Class::FuseReply => "its server has read the request and waits for the next one".to_owned(),
        Class::Event => "no other thread of its process is left to wake it".to_owned(),
        Class::TcpAccept | Class::UnixAccept => "no process listens there any more".to_owned(),
        _ => "no process is left that could end this wait".to_owned(),
    }
}

fn advice(wait: &Wait) -> &'static str {
    match wait.class {
        Class::FifoPeer => {
            "check that the other side of the FIFO was started and did not fail; open it with a time limit"
        }
        Class::FuseReply => "look in the FUSE server for a request that is dropped without a reply",
        Class::Event => "look for a lock that is taken twice, or a wake-up that came before the wait",
        _ => "give the wait a time limit, and look for why the other side ended",
    }
}
