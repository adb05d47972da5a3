//! Semaphores of System V at which kept threads wait: who changed one last is as near as the kernel comes to a holder.

use std::collections::BTreeMap;

use hangdog_schemas::fact::{Argument, SemaphoreFact};
use hangdog_schemas::{Inode, Observed, Pid};

use super::Taking;
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
            let path = if elsewhere { format!("/proc/{pid}/ns/ipc") } else { String::new() };
            let hazard = if elsewhere { Hazard::Exec } else { Hazard::None };
            ((set, number, elsewhere), Ask { pid: elsewhere.then_some(pid), hazard, path, what })
        });
        for ((set, number, elsewhere), answer) in self.reader.ask_for(asks.collect()).await {
            let words = match &answer {
                Observed::Seen(bytes) => words(bytes),
                _ => None,
            };
            let Some([value, waiting, last]) = words else {
                self.gap(None, &format!("semaphore {set}"), answer.map(|_| ()));
                continue;
            };
            let (snapshot, last) = (self.request.snapshot, Pid(last));
            // The run made that namespace, or entered it.
            let made_by_run = elsewhere || self.request.baseline.is_new_semaphore_set(set);
            self.scene.semaphores.push(SemaphoreFact { snapshot, set, number, value, waiting, last, made_by_run });
        }
    }
}

fn words(bytes: &[u8]) -> Option<[u32; 3]> {
    let word = |n: usize| Some(u32::from_ne_bytes(bytes.get(n * 4..n * 4 + 4)?.try_into().ok()?));
    Some([word(0)?, word(1)?, word(2)?])
}
