//! What the pointers of system calls point at.
//!
//! Reading memory can block behind the memory lock, and for good on a page that a dead file system
//! should fill. So first where the address lies (`PROCMAP_QUERY`, which did not block even under a
//! write-held lock; `maps` on older kernels), and then only memory that no file system must be asked
//! for: anonymous, stack, heap, shared memory, and files of ordinary local file systems. Through
//! `/proc/PID/mem`, never `process_vm_readv`, which cannot be killed behind the memory lock.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::{Argument, Syscall};
use hangdog_schemas::{Device, Observed, Pid};

use super::Taking;
use super::detail::parsed;
use super::scene::Seen;
use crate::observe::parse::argument::argument;
use crate::observe::parse::maps::{self, Mapping};
use crate::observe::syscalls::{self, Pointee};
use crate::observe::worker::{Answer, Ask, Hazard, What};

/// File systems whose pages come from this machine's own disks or memory.
const LOCAL: [&str; 18] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs", "tmpfs", "ramfs", "rootfs", "devtmpfs",
    "overlay", "squashfs", "erofs", "iso9660", "vfat", "exfat",
];

/// A pointer argument of a thread.
struct Pointer {
    pid: Pid,
    task: usize,
    arg: u8,
    pointee: Pointee,
    address: u64,
}

impl Taking {
    /// Reads the pointer arguments of all threads of these processes.
    pub(super) async fn read_memory(&mut self, pids: &[Pid]) {
        let pointers = self.pointers(pids);
        let mappings = self.mappings(&pointers).await;
        let mut wanted = Vec::new();
        for (pointer, mapping) in pointers.into_iter().zip(mappings) {
            let mapped = mapping.seen().filter(|mapping| mapping.shared).map(|mapping| mapping.name.clone());
            match self.readable(&pointer, mapping) {
                Ok(len) => {
                    let what = What::Memory { address: pointer.address, len };
                    let ask = Ask { what, ..Ask::file(pointer.pid, Hazard::Memory, &self.path(pointer.pid, "mem")) };
                    wanted.push(((pointer, mapped), ask));
                }
                Err(why) => self.set(&pointer, why),
            }
        }
        for ((pointer, mapped), answer) in self.reader.ask_for(wanted).await {
            let mut value = parsed(answer, |bytes| argument(pointer.pointee, bytes), "it has no end");
            if let Observed::Seen(Argument::Words { shared, .. }) = &mut value {
                *shared = mapped;
            }
            self.set(&pointer, value);
        }
        self.read_named_threads(pids).await;
    }

    /// Locks that processes share name their holder by number. Whether there is such a thread at all, of whatever
    /// process, is told by the gap of one that is not there.
    async fn read_named_threads(&mut self, pids: &[Pid]) {
        const PRIVATE: u64 = 0x80;
        /// The word itself, and the owner in a mutex of glibc.
        const PLACES: [usize; 2] = [0, 2];
        const TID_MASK: u32 = 0x3fff_ffff;
        let tasks = pids.iter().filter_map(|pid| self.scene.processes.get(pid)).flat_map(|seen| &seen.tasks);
        let shared = tasks.filter_map(|task| task.waits_in()).filter(|call| {
            call.name() == Some("futex") && call.arg(1).is_some_and(|operation| operation & PRIVATE == 0)
        });
        let words = shared.filter_map(|call| match call.memory(0)?.seen()? {
            Argument::Words { values, .. } => Some(PLACES.map(|at| values.get(at).copied().unwrap_or(0) & TID_MASK)),
            _ => None,
        });
        let numbers: BTreeSet<u32> = words.flatten().filter(|number| *number > 2).collect();
        let asks: Vec<(Pid, Ask)> =
            numbers.into_iter().map(|number| (Pid(number), Ask::file(Pid(number), Hazard::None, "status"))).collect();
        for (named, answer) in self.reader.ask_for(asks).await {
            if answer == Observed::Vanished {
                self.gap(Some(named), "thread", Observed::Vanished);
            }
        }
    }

    fn pointers(&self, pids: &[Pid]) -> Vec<Pointer> {
        let mut out = Vec::new();
        for &pid in pids {
            let Some(seen) = self.scene.processes.get(&pid) else { continue };
            for (task, now) in seen.tasks.iter().enumerate() {
                let Some(call) = now.waits_in() else { continue };
                for (arg, pointee) in syscalls::pointees(call) {
                    let address = call.arg(usize::from(arg)).unwrap_or(0);
                    out.push(Pointer { pid, task, arg, pointee, address });
                }
            }
        }
        out
    }

    /// Where each pointer lies.
    async fn mappings(&self, pointers: &[Pointer]) -> Vec<Observed<Mapping>> {
        const NOWHERE: &str = "the address lies in no mapping";
        let asks = pointers.iter().map(|pointer| self.mapping_ask(pointer)).collect();
        let answers = self.reader.ask(asks).await;
        // Kernels before 6.11 have no query: the whole of `maps`, once a process, answers in its place.
        let without = pointers.iter().zip(&answers).filter(|(_, answer)| **answer == Observed::Unsupported);
        let pids: BTreeSet<Pid> = without.map(|(pointer, _)| pointer.pid).collect();
        let wanted =
            pids.into_iter().map(|pid| (pid, Ask::file(pid, Hazard::Memory, &self.path(pid, "maps")))).collect();
        let maps: BTreeMap<Pid, Answer> = self.reader.ask_for(wanted).await.into_iter().collect();
        let one = |(pointer, answer): (&Pointer, Answer)| match maps.get(&pointer.pid) {
            Some(whole) => parsed(whole.clone(), |bytes| maps::find(bytes, pointer.address), NOWHERE),
            // The query says ENOENT for an address that is not mapped.
            None if answer == Observed::Vanished => Observed::Garbled(NOWHERE.to_owned()),
            None => parsed(answer, maps::answer, NOWHERE),
        };
        pointers.iter().zip(answers).map(one).collect()
    }

    fn mapping_ask(&self, pointer: &Pointer) -> Ask {
        let maps = Ask::file(pointer.pid, Hazard::Memory, &self.path(pointer.pid, "maps"));
        Ask { what: What::Mapping { address: pointer.address }, ..maps }
    }

    /// How many bytes may be read there, or why none.
    fn readable(&self, pointer: &Pointer, mapping: Observed<Mapping>) -> Result<u32, Observed<Argument>> {
        let mapping = match mapping {
            Observed::Seen(mapping) => mapping,
            other => return Err(other.map(|_| unreachable!("the seen case is above"))),
        };
        let seen = self.scene.processes.get(&pointer.pid).ok_or(Observed::Vanished)?;
        if !mapping.readable {
            return Err(Observed::Garbled("the address is not readable".to_owned()));
        }
        if !self.is_local(seen, &mapping) {
            return Err(Observed::NotAsked);
        }
        Ok(u64::from(pointer.pointee.size()).min(mapping.end.saturating_sub(pointer.address)) as u32)
    }

    /// Whether no file system has to be asked for a page of this mapping.
    fn is_local(&self, seen: &Seen, mapping: &Mapping) -> bool {
        if mapping.device == (Device { major: 0, minor: 0 }) || Some(mapping.device) == self.shared_memory {
            return true;
        }
        let mounts = seen.mount_namespace().and_then(|ns| self.scene.mounts.get(&ns));
        let mut kinds = mounts.into_iter().flatten().filter(|line| line.device == mapping.device).peekable();
        kinds.peek().is_some() && kinds.all(|line| LOCAL.contains(&line.fs_type.as_str()))
    }

    fn set(&mut self, pointer: &Pointer, value: Observed<Argument>) {
        let task = self.scene.processes.get_mut(&pointer.pid).and_then(|seen| seen.tasks.get_mut(pointer.task));
        if let Some(Observed::Seen(Syscall::In { memory, .. })) = task.map(|task| &mut task.syscall) {
            memory.push((pointer.arg, value));
        }
    }
}

/// The device of shared memory (`memfd`, `MAP_SHARED | MAP_ANONYMOUS`, System V): a mount inside the
/// kernel, in no mount table. A memfd of our own shows it.
pub(super) fn shared_memory_device() -> Option<Device> {
    let fd = rustix::fs::memfd_create(c"hangdog", rustix::fs::MemfdFlags::CLOEXEC).ok()?;
    let device = rustix::fs::fstat(&fd).ok()?.st_dev;
    Some(Device { major: rustix::fs::major(device), minor: rustix::fs::minor(device) })
}
