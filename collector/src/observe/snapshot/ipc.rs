//! Semaphores and message queues of System V at which kept threads wait: who changed one last, or sent and received
//! last, is as near as the kernel comes to a holder.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::{Argument, MessageQueueFact, SemaphoreFact, Syscall};
use hangdog_schemas::{Inode, Observed, Pid};

use super::Taking;
use super::scene::Seen;
use crate::observe::parse::text::{lines, number, words};
use crate::observe::worker::{Ask, Hazard, What};

impl Taking {
    pub(super) async fn read_semaphores(&mut self, pids: &[Pid]) {
        // By namespace, since each numbers its own; one process of each tells the way there.
        let mut wanted: BTreeMap<(Inode, u32, u16), Pid> = BTreeMap::new();
        for (&pid, seen) in pids.iter().filter_map(|pid| Some((pid, self.scene.processes.get(pid)?))) {
            let Some(namespace) = seen.namespaces.seen().map(|namespaces| namespaces.ipc) else { continue };
            for call in seen.tasks.iter().filter_map(|task| task.waits_in()) {
                if !matches!(call.name(), Some("semop" | "semtimedop")) {
                    continue;
                }
                let Some(set) = call.arg(0).and_then(|set| u32::try_from(set).ok()) else { continue };
                let operations = call.memory(1).and_then(|memory| memory.seen());
                if let Some(Argument::SemaphoreOperations(operations)) = operations {
                    wanted.extend(operations.iter().map(|operation| ((namespace, set, operation.number), pid)));
                }
            }
        }
        let own = self.own_ipc;
        let asks = wanted.into_iter().map(|((namespace, set, number), pid)| {
            let what = What::Semaphore { set, number };
            let elsewhere = Some(namespace) != own;
            let path = if elsewhere { format!("/proc/{pid}/{}", self.path(pid, "ns/ipc")) } else { String::new() };
            let hazard = if elsewhere { Hazard::Exec } else { Hazard::None };
            ((namespace, set, number), Ask { pid: elsewhere.then_some(pid), hazard, path, what })
        });
        for ((namespace, set, number), answer) in self.reader.ask_for(asks.collect()).await {
            let values = match &answer {
                Observed::Seen(bytes) => three_words(bytes),
                _ => None,
            };
            let Some([value, waiting, last]) = values else {
                self.gap(None, &format!("semaphore {set}"), answer.map(|_| ()));
                continue;
            };
            let (snapshot, last) = (self.request.snapshot, Pid(last));
            // The run made that namespace, or entered it.
            let made_by_run = Some(namespace) != own || self.request.baseline.is_new_semaphore_set(set);
            let namespace = Some(namespace);
            let fact = SemaphoreFact { snapshot, namespace, set, number, value, waiting, last, made_by_run };
            self.scene.semaphores.push(fact);
        }
    }

    /// The queues at which threads wait.
    pub(super) async fn read_message_queues(&mut self, pids: &[Pid]) {
        let waits =
            |seen: &Seen| seen.tasks.iter().filter_map(|task| task.waits_in()).any(|call| queue_of(call).is_some());
        if !pids.iter().filter_map(|pid| self.scene.processes.get(pid)).any(waits) {
            return;
        }
        // Of everybody, those of earlier rounds included. Each namespace numbers its own.
        let mut by_namespace: BTreeMap<Inode, (Pid, BTreeSet<u32>)> = BTreeMap::new();
        for (pid, seen) in self.scene.kept() {
            let Some(namespace) = seen.namespaces.seen().map(|namespaces| namespaces.ipc) else { continue };
            for queue in seen.tasks.iter().filter_map(|task| task.waits_in()).filter_map(queue_of) {
                by_namespace.entry(namespace).or_insert((pid, BTreeSet::new())).1.insert(queue);
            }
        }
        let (snapshot, mut facts) = (self.request.snapshot, Vec::new());
        for (namespace, (pid, wanted)) in by_namespace {
            let elsewhere = Some(namespace) != self.own_ipc;
            let ask = if elsewhere {
                Ask { what: What::MessageQueues, ..Ask::file(pid, Hazard::Exec, &self.path(pid, "ns/ipc")) }
            } else {
                Ask { what: What::MessageQueues, ..Ask::table("") }
            };
            let answer = self.reader.ask_one(ask).await;
            let Some(bytes) = answer.seen() else {
                self.gap(elsewhere.then_some(pid), "message queues", answer.map(|_| ()));
                continue;
            };
            let rows = lines(bytes).filter_map(queue_line).filter(|[queue, ..]| wanted.contains(queue));
            facts.extend(rows.map(|[queue, bytes, messages, sender, receiver]| MessageQueueFact {
                snapshot,
                namespace: Some(namespace),
                queue,
                messages,
                bytes,
                last_sender: Pid(sender),
                last_receiver: Pid(receiver),
                // The run made that namespace, or entered it.
                made_by_run: elsewhere || self.request.baseline.is_new_message_queue(queue),
            }));
        }
        self.scene.message_queues = facts;
    }
}

/// Which queue a call waits at.
fn queue_of(call: &Syscall) -> Option<u32> {
    let is_of_queues = matches!(call.name(), Some("msgsnd" | "msgrcv"));
    call.arg(0).filter(|_| is_of_queues).and_then(|queue| u32::try_from(queue).ok())
}

/// A line of `/proc/sysvipc/msg` (ipc/msg.c, `sysvipc_msg_proc_show`): key, number, permissions, bytes, messages,
/// last sender, last receiver.
fn queue_line(line: &[u8]) -> Option<[u32; 5]> {
    let mut words = words(line).skip(1);
    let queue = number(words.next()?)?;
    let mut rest = words.skip(1).map_while(number);
    Some([queue, rest.next()?, rest.next()?, rest.next()?, rest.next()?])
}

fn three_words(bytes: &[u8]) -> Option<[u32; 3]> {
    let word = |n: usize| Some(u32::from_ne_bytes(bytes.get(n * 4..n * 4 + 4)?.try_into().ok()?));
    Some([word(0)?, word(1)?, word(2)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_message_queues() {
        let header = b"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime";
        assert_eq!(queue_line(header), None);
        let line = b"         0      32769   600          16          2  4412     0     0     0     0     0  1795294532          0 1795294532";
        assert_eq!(queue_line(line), Some([32769, 16, 2, 4412, 0]));
        assert_eq!(queue_line(b"         0      32769   600  16"), None);
    }
}
