//! Semaphores of System V at which kept threads wait: who changed one last is as near as the kernel comes to a holder.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{Argument, SemaphoreFact};
use hangdog_schemas::{Observed, Pid};

use super::Taking;
use crate::observe::worker::{Ask, Hazard, What};

impl Taking {
    /// Only those of our own IPC namespace: the numbers of another one mean something else here.
    pub(super) async fn read_semaphores(&mut self, pids: &[Pid]) {
        let here = self.own_ipc;
        let mut wanted: BTreeSet<(u32, u16)> = BTreeSet::new();
        for seen in pids.iter().filter_map(|pid| self.scene.processes.get(pid)) {
            if seen.namespaces.seen().map(|namespaces| namespaces.ipc) != here {
                continue;
            }
            for call in seen.tasks.iter().filter_map(|task| task.waits_in()) {
                if !matches!(call.name(), Some("semop" | "semtimedop")) {
                    continue;
                }
                let Some(set) = call.arg(0).and_then(|set| u32::try_from(set).ok()) else { continue };
                let operations = call.memory(1).and_then(|memory| memory.seen());
                if let Some(Argument::SemaphoreOperations(operations)) = operations {
                    wanted.extend(operations.iter().map(|operation| (set, operation.number)));
                }
            }
        }
        let asks = wanted.into_iter().map(|(set, number)| {
            let what = What::Semaphore { set, number };
            ((set, number), Ask { pid: None, hazard: Hazard::None, path: String::new(), what })
        });
        for ((set, number), answer) in self.reader.ask_for(asks.collect()).await {
            let words = match &answer {
                Observed::Seen(bytes) => words(bytes),
                _ => None,
            };
            let Some([value, waiting, last]) = words else {
                self.gap(None, &format!("semaphore {set}"), answer.map(|_| ()));
                continue;
            };
            let (snapshot, last) = (self.request.snapshot, Pid(last));
            let made_by_run = self.request.baseline.is_new_semaphore_set(set);
            self.scene.semaphores.push(SemaphoreFact { snapshot, set, number, value, waiting, last, made_by_run });
        }
    }
}

fn words(bytes: &[u8]) -> Option<[u32; 3]> {
    let word = |n: usize| Some(u32::from_ne_bytes(bytes.get(n * 4..n * 4 + 4)?.try_into().ok()?));
    Some([word(0)?, word(1)?, word(2)?])
}
