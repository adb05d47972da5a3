//! `external-wait`: the wait is for somebody outside the run.

use super::{Story, Told};
use crate::key::Key;
use crate::wait::{Class, Counts, Wait};
use crate::words;

/// So many who could end it as well, and do not, are named.
const HOLDERS: usize = 2;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let task = story.cause.at;
    let (phrase, whom) = story.cause.wait.map_or((String::new(), "somebody outside"), |wait| {
        (story.phrase(task, wait, &story.holders(wait)), wait.outside.unwrap_or("somebody outside"))
    });
    let parked = story.cause.wait.map_or_else(String::new, |wait| story.parked_besides(task, wait));
    let sentence = format!("{}{phrase}, which only {whom} could end{parked}", story.way_which(task));
    Told {
        sentence: words::sentence(&sentence),
        advice: vec!["give the wait a time limit, or check whether the other side is alive".to_owned()],
    }
}

impl Story<'_> {
    /// Of a process that waits for want of work, when no thread of it does anything else.
    fn parked_besides(&self, task: usize, wait: &Wait) -> String {
        let pid = self.graph.tasks[task].key.pid();
        let all = self.view.snapshot.threads_of(pid).map(|thread| Key::from((pid, thread.thread.tid)));
        let others: Vec<usize> = all.filter_map(|key| self.graph.find(key)).filter(|other| *other != task).collect();
        let parked = |other: &usize| self.graph.waits(*other).iter().any(|wait| wait.class == Class::Event);
        if !wait.class.is_waiting_for_work() || others.is_empty() || !others.iter().all(parked) {
            return String::new();
        }
        format!("; all its other threads ({}) are parked at futexes", others.len())
    }

    fn holders(&self, wait: &Wait) -> String {
        let mut names: Vec<String> = Vec::new();
        for resolver in wait.resolvers.iter().filter(|resolver| resolver.counts == Counts::Fully) {
            let name = self.view.name(Key::main_of(resolver.who.pid()));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.truncate(HOLDERS);
        names.join(" and ")
    }
}
