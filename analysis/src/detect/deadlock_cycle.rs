//! `deadlock-cycle`: tasks wait for each other in a ring, over any kinds of resource.

use super::{Story, Told};
use crate::graph::Link;
use crate::wait::Class;
use crate::wait::socket::TOLD_ALREADY;
use crate::words::{self, Phases};

pub(super) fn tell(story: &Story<'_>) -> Told {
    let ring = ring_from_its_mount(&story.cause.cycle);
    let through_fuse = ring.first().is_some_and(|link| link.wait.class == Class::FuseReply);
    let head = if through_fuse { "deadlock through a FUSE mount" } else { "deadlock" };
    let but = story.breakable();
    let bare = format!("{head}: {}{but}", words::chain(story.view, story.graph, &ring));
    let with_phases = format!("{head}: {}{but}", words::chain_with(story.view, story.graph, &ring, Phases::Named));
    let whole = format!("{with_phases}{}{}", missed(story, &ring), story.behind());
    let fits = |text: &String| text.chars().count() <= words::SENTENCE_LIMIT;
    let sentence = [whole, with_phases].into_iter().find(fits).unwrap_or(bare);
    Told { sentence, advice: advice(&ring) }
}

/// `; fd 4 has 4096 bytes unread, of which its edge-triggered epoll has told already and tells no more`.
fn missed(story: &Story<'_>, ring: &[Link<'_>]) -> String {
    let first = ring.iter().find_map(|link| Some((link.waiter, unread(link)?)));
    first.map_or_else(String::new, |(waiter, text)| {
        let text = text.split_once(" has ").map_or(text, |(_, rest)| rest);
        format!("; {} has {text}", story.view.name(story.graph.tasks[waiter].key))
    })
}

fn unread<'l>(link: &'l Link<'_>) -> Option<&'l str> {
    link.wait.evidence.iter().map(|evidence| evidence.text.as_str()).find(|text| text.ends_with(TOLD_ALREADY))
}

/// A ring through a mount is told from whoever walked into it.
fn ring_from_its_mount<'g>(cycle: &[Link<'g>]) -> Vec<Link<'g>> {
    let start = cycle.iter().position(|link| link.wait.class == Class::FuseReply).unwrap_or(0);
    cycle[start..].iter().chain(&cycle[..start]).copied().collect()
}

fn advice(ring: &[Link<'_>]) -> Vec<String> {
    let has = |class: Class| ring.iter().any(|link| link.wait.class == class);
    let mut advice = Vec::new();
    if ring.iter().any(|link| unread(link).is_some()) {
        advice.push("read until there is nothing left (EAGAIN) after each event of an edge-triggered epoll (EPOLLET), or register without EPOLLET".to_owned());
    }
    if has(Class::FuseReply) {
        advice.push("keep the mount out of the way of whoever its server waits for: skip other file systems in walks, start programs with a working directory outside, or serve the mount from a process of its own".to_owned());
    }
    if has(Class::TcpReply) || has(Class::TcpAccept) {
        advice.push("answer requests while another one waits (more threads, or no call back to the caller), and give the call a time limit".to_owned());
    }
    if has(Class::PipeRoom) {
        advice.push("read the pipe before or while waiting for its writer".to_owned());
    } else if has(Class::PipeData) {
        advice.push("close the ends of the pipe that a process does not use".to_owned());
    }
    if [Class::FileLock, Class::Mutex, Class::Named, Class::Lock, Class::LockTurn].into_iter().any(has) {
        advice.push("take the locks in one order everywhere, or hold none of them over a wait".to_owned());
    }
    if has(Class::ChannelSpace) {
        advice.push("do not wait for room in one channel while nobody receives from another that is full: receive beside, or let the ring's last send drop or fail".to_owned());
    }
    if has(Class::ChannelItem) {
        advice.push(
            "drop sending ends that are not used any more, and do not wait for somebody who waits for you".to_owned(),
        );
    }
    if advice.is_empty() {
        advice.push(
            "break the ring: give one of these waits a time limit, or do not wait while somebody waits for you"
                .to_owned(),
        );
    }
    advice
}
