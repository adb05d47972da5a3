//! What is nearly used up: descriptors, inotify instances, tasks of control groups; and how the control groups fare.
//! In full snapshots only.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::{Belonging, CgroupFact, LimitFact, LimitKind};
use hangdog_schemas::record::SnapshotExtent;
use hangdog_schemas::{Big, Fd, Observed, Pid};

use super::Taking;
use super::scene::Seen;
use crate::observe::parse::limits;
use crate::observe::parse::text::number;
use crate::observe::worker::{Ask, Hazard};

/// Control groups above that of a process that are looked at: a limit of any of them counts.
const MOST_ABOVE: usize = 8;
/// Processes whose limit of descriptors is read: those that have the most with next to no free number among them.
const MOST_PROCESSES: usize = 256;
/// Control groups in all.
const MOST_GROUPS: usize = 64;

impl Taking {
    pub(super) async fn read_limits(&mut self) {
        if self.request.extent != SnapshotExtent::Full {
            return;
        }
        self.read_descriptor_limits().await;
        self.read_inotify_limit().await;
        self.read_groups().await;
    }

    fn of_run(&self) -> Vec<Pid> {
        let is_of_run = |seen: &Seen| matches!(seen.kept, Some(Belonging::Root | Belonging::Run));
        self.scene.kept().filter(|(_, seen)| is_of_run(seen)).map(|(pid, _)| pid).collect()
    }

    async fn read_descriptor_limits(&mut self) {
        let mut dense: Vec<(usize, Pid)> =
            self.scene.kept().map(|(pid, seen)| (dense(seen), pid)).filter(|(number, _)| *number > 0).collect();
        dense.sort_unstable_by_key(|(number, pid)| (std::cmp::Reverse(*number), *pid));
        dense.truncate(MOST_PROCESSES);
        let wanted = dense.iter().map(|&(_, pid)| (pid, Ask::file(pid, Hazard::None, "limits")));
        let mut limits: BTreeMap<Pid, u64> = BTreeMap::new();
        let read = self.reader.each(wanted, |pid, answer| {
            limits.extend(answer.seen().and_then(|bytes| limits::most_descriptors(bytes)).map(|most| (pid, most)));
        });
        read.await;
        for (_, pid) in dense {
            let (Some(&most), Some(seen)) = (limits.get(&pid), self.scene.processes.get(&pid)) else { continue };
            // The limit is one of numbers: a descriptor above it, from before it was lowered, takes no room.
            let used = seen.links.iter().filter(|link| u64::from(link.fd.0) < most).count() as u64;
            self.note(LimitKind::Descriptors, pid.to_string(), Some((pid, used)), used, most);
        }
    }

    async fn read_inotify_limit(&mut self) {
        let answer = self.reader.ask_one(Ask::table("/proc/sys/fs/inotify/max_user_instances")).await;
        let Some(most) = answer.seen().and_then(|bytes| number::<u64>(bytes.trim_ascii())) else { return };
        let instances = |seen: &Seen| -> BTreeSet<Fd> {
            seen.links.iter().filter(|link| link.name() == "anon_inode:inotify").map(|link| link.fd).collect()
        };
        let mut users: BTreeMap<u32, (u64, Option<(Pid, u64)>)> = BTreeMap::new();
        for (&pid, seen) in &self.scene.processes {
            let Some(uid) = seen.status.uid else { continue };
            let inherited = self.scene.processes.get(&seen.status.parent).map(instances).unwrap_or_default();
            let own = (&instances(seen) - &inherited).len() as u64;
            let (used, first) = users.entry(uid).or_default();
            *used += own;
            let is_of_run = matches!(seen.kept, Some(Belonging::Root | Belonging::Run));
            if is_of_run && own > first.map_or(0, |(_, own)| own) {
                *first = Some((pid, own));
            }
        }
        // Without one of the run's among them it is not the run's matter.
        for (uid, (used, first)) in users.into_iter().filter(|(_, (_, first))| first.is_some()) {
            self.note(LimitKind::InotifyInstances, uid.to_string(), first, used, most);
        }
    }

    /// The groups of the run's processes and those above.
    fn groups(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        // Most processes are in the same groups.
        let lists: BTreeSet<&[String]> = self
            .of_run()
            .into_iter()
            .filter_map(|pid| self.scene.processes.get(&pid)?.cgroups.seen())
            .map(|lines| lines.as_slice())
            .collect();
        let lines: BTreeSet<&String> = lists.into_iter().flatten().collect();
        for line in lines {
            let Some((controllers, path)) = line.split_once(':') else { continue };
            let mut path = Some(path.trim_end_matches('/'));
            for _ in 0..MOST_ABOVE {
                let Some(group) = path.filter(|path| !path.is_empty() && found.len() < MOST_GROUPS) else { break };
                if let Some(directory) = self.group_directory(controllers, group) {
                    found.insert(format!("{controllers}:{group}"), directory);
                }
                path = group.rsplit_once('/').map(|(above, _)| above);
            }
        }
        found
    }

    async fn read_groups(&mut self) {
        let groups = self.groups();
        let ask = |directory: &str, file: &str| Ask::table(format!("{directory}/{file}"));
        let wanted = groups.iter().flat_map(|(group, directory)| {
            let files = ["pids.current", "pids.max"].into_iter().chain(limits::CGROUP_FILES);
            files.map(move |file| ((group.clone(), file), ask(directory, file)))
        });
        let snapshot = self.request.snapshot;
        let mut facts: BTreeMap<String, CgroupFact> = BTreeMap::new();
        let mut tasks: BTreeMap<String, [Option<u64>; 2]> = BTreeMap::new();
        for ((group, file), answer) in self.reader.ask_for(wanted.collect()).await {
            // Most groups have but some of these files.
            let Observed::Seen(bytes) = answer else { continue };
            match file {
                "pids.current" => tasks.entry(group).or_default()[0] = number(bytes.trim_ascii()),
                "pids.max" => tasks.entry(group).or_default()[1] = number(bytes.trim_ascii()),
                _ => {
                    let fact = facts.entry(group.clone()).or_insert_with(|| CgroupFact::new(snapshot, group));
                    limits::cgroup(fact, file, &bytes);
                }
            }
        }
        for (group, [used, most]) in tasks {
            // `max` is no number.
            if let (Some(used), Some(most)) = (used, most) {
                self.note(LimitKind::Tasks, group, None, used, most);
            }
        }
        self.scene.groups = facts.into_values().collect();
    }

    /// Notes a limit of which at least nine tenths are used.
    fn note(&mut self, limit: LimitKind, of: String, first: Option<(Pid, u64)>, used: u64, most: u64) {
        if used.saturating_mul(10) >= most.saturating_mul(9) {
            let (pid, by_process) = (first.map(|(pid, _)| pid), first.map(|(_, used)| Big(used)));
            let (snapshot, used, most) = (self.request.snapshot, Big(used), Big(most));
            self.scene.limits.push(LimitFact { snapshot, limit, of, pid, by_process, used, most });
        }
    }
}

/// Descriptors up to the highest number below which next to none is free. One may have a number beyond the limit,
/// from before that was lowered.
fn dense(seen: &Seen) -> usize {
    let mut numbers: Vec<usize> = seen.links.iter().map(|link| link.fd.0 as usize).collect();
    numbers.sort_unstable();
    let is_dense = |(below, number): (usize, &usize)| (below + 1) * 10 >= (number + 1) * 9;
    numbers.iter().enumerate().rposition(is_dense).map_or(0, |last| last + 1)
}
