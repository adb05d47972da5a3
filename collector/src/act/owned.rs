//! What is proven to be the run's, gathered from the facts of every snapshot; and what was there before.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::{Belonging, FdDetail};
use hangdog_schemas::{FuseConnection, Inode, Observed, Pid, Record};

use crate::kernel::mount_ids;
use crate::store::NotedMount;

/// Mounts and FUSE connections that were there before the run: they are never touched.
#[derive(Clone, Debug, Default)]
pub struct Before {
    mounts: BTreeSet<Mount>,
    connections: BTreeSet<u32>,
}

impl Before {
    /// Looks now. Reads that never block.
    pub fn look() -> Self {
        let mounts = own_mounts();
        Self {
            connections: connections().into_iter().chain(mounts.iter().filter_map(Mount::fuse)).collect(),
            mounts: mounts.into_iter().collect(),
        }
    }

    /// The connections that were there.
    pub(crate) fn connections(&self) -> &BTreeSet<u32> {
        &self.connections
    }

    /// Whether this very mount was there. Its number alone would not tell: the kernel gives it out again.
    pub(super) fn has_mount(&self, mount: &Mount) -> bool {
        self.mounts.contains(mount)
    }

    /// Whether this very connection was there. The kernel gives its number out again as well (seen with demos
    /// side by side): where all mounts that it had then are gone, it is another one.
    fn has_connection(&self, connection: u32, now: &BTreeSet<Mount>) -> bool {
        let mut had = self.mounts.iter().filter(|mount| mount.fuse() == Some(connection)).peekable();
        let all_gone = had.peek().is_some() && had.all(|mount| !now.contains(mount));
        self.connections.contains(&connection) && !all_gone
    }
}

/// A mount of our own mount namespace, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mount {
    pub(super) id: u32,
    parent: u32,
    device: (u32, u32),
    pub(crate) point: String,
    pub(super) fs_type: String,
}

impl Mount {
    /// The FUSE connection under it.
    pub(crate) fn fuse(&self) -> Option<u32> {
        let plain = self.fs_type.split('.').next().unwrap_or_default();
        (matches!(plain, "fuse" | "fuseblk") && self.device.0 == 0).then_some(self.device.1)
    }
}

/// Whether a look-up of its mount point ends at this mount: all others with the same mount point are below it.
pub(super) fn is_on_top(mount: &Mount, mounts: &[Mount]) -> bool {
    let there = || mounts.iter().filter(|other| other.point == mount.point);
    let mut stack = 0;
    let mut next = there().find(|other| *other == mount);
    // Tables that were read while they changed could go round.
    while let Some(one) = next.filter(|_| stack < mounts.len()) {
        stack += 1;
        next = there().find(|other| other.id == one.parent && other.id != one.id);
    }
    stack > 0 && stack == there().count()
}

/// The mounts of our own mount namespace.
pub(crate) fn own_mounts() -> Vec<Mount> {
    let text = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    text.split(|byte| *byte == b'\n').filter_map(|line| mount(&String::from_utf8_lossy(line))).collect()
}

/// `36 35 98:0 /root /mnt rw,noatime master:1 - ext4 /dev/x rw`, proc_pid_mountinfo(5).
fn mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut words = left.split(' ');
    let id = words.next()?.parse().ok()?;
    let parent = words.next()?.parse().ok()?;
    let (major, minor) = words.next()?.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    let point = unescape(words.nth(1)?);
    Some(Mount { id, parent, device, point, fs_type: right.split(' ').next()?.to_owned() })
}

/// Space, tab, newline and backslash stand as `\040` and the like.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = digits {
            out.push(char::from(byte));
            rest = &rest[at + 4..];
        } else {
            out.push('\\');
            rest = &rest[at + 1..];
        }
    }
    out + rest
}

/// All FUSE connections of this machine that this user may see; none when fusectl is not mounted.
pub(super) fn connections() -> BTreeSet<u32> {
    std::fs::read_dir("/sys/fs/fuse/connections")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// What the run was seen to have made.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    fuse: BTreeSet<FuseConnection>,
    frozen: BTreeMap<Pid, Vec<String>>,
}

impl Owned {
    /// Learns from the facts of one snapshot.
    pub fn learn(&mut self, before: &Before, own_mount_namespace: Inode, facts: &[Record]) {
        let mut run = BTreeMap::new();
        self.frozen.clear();
        for fact in facts {
            let Record::Process(process) = fact else { continue };
            if matches!(process.belongs, Belonging::Root | Belonging::Run) {
                let namespace = process.namespaces.seen().map(|namespaces| namespaces.mnt);
                run.insert(process.process, namespace);
                if let (Observed::Seen(true), Some(cgroups)) = (&process.frozen, process.cgroups.seen()) {
                    self.frozen.insert(process.process.pid, cgroups.clone());
                }
            }
        }
        let now: BTreeSet<Mount> = own_mounts().into_iter().collect();
        let mut has_silent_server = false;
        let mut foreign = BTreeSet::new();
        for fact in facts {
            let Record::Fd(fd) = fact else { continue };
            let FdDetail::FuseServer { connection } = fd.detail else { continue };
            if !run.contains_key(&fd.process) {
                foreign.extend(connection);
                continue;
            }
            match connection {
                Some(connection) if !before.has_connection(connection.0, &now) => drop(self.fuse.insert(connection)),
                Some(_) => {}
                None => has_silent_server = true,
            }
        }
        if has_silent_server {
            self.learn_from_private_mounts(before, &now, own_mount_namespace, &run, facts);
        }
        // A connection that somebody outside the run can serve too is not the run's alone.
        self.fuse.retain(|connection| !foreign.contains(connection));
    }

    /// Before Linux 6.16 a server's descriptor does not say which connection it serves. Then only a mount
    /// in a mount namespace that the run itself made says whose it is.
    fn learn_from_private_mounts(
        &mut self,
        before: &Before,
        now: &BTreeSet<Mount>,
        own: Inode,
        run: &BTreeMap<hangdog_schemas::ProcessId, Option<Inode>>,
        facts: &[Record],
    ) {
        let private: BTreeSet<Inode> =
            run.values().flatten().copied().filter(|namespace| *namespace != own).collect();
        for fact in facts {
            let Record::Mount(mount) = fact else { continue };
            let Some(connection) = mount.fuse() else { continue };
            if mount.made_by_run && private.contains(&mount.namespace) && !before.has_connection(connection.0, now) {
                self.fuse.insert(connection);
            }
        }
    }

    /// Whether any FUSE connection is the run's.
    pub fn has_fuse(&self) -> bool {
        !self.fuse.is_empty()
    }

    /// The mounts on its connections, by numbers that are never given out again.
    pub(crate) fn mounts_to_note(&self) -> Vec<NotedMount> {
        if !self.has_fuse() {
            return Vec::new();
        }
        let of_run = |device: (u32, u32)| device.0 == 0 && self.owns_connection(device.1);
        let mounts = mount_ids().unwrap_or_default().into_iter().filter(|mount| of_run(mount.device));
        mounts.map(|mount| NotedMount { unique: mount.unique, connection: mount.device.1 }).collect()
    }

    pub(super) fn fuse(&self) -> impl Iterator<Item = FuseConnection> {
        self.fuse.iter().copied()
    }

    pub(super) fn owns_connection(&self, connection: u32) -> bool {
        self.fuse.contains(&FuseConnection(connection))
    }

    /// Control groups of processes of the run that were seen frozen, as `controllers:path`.
    pub(super) fn frozen(&self) -> BTreeSet<&str> {
        self.frozen.values().flatten().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_given_out_again_is_another_connection() {
        let at = |id: u32, point: &str| {
            mount(&format!("{id} 1 0:41 / {point} rw - fuse.x x rw")).expect("a line of mountinfo")
        };
        let before = Before { mounts: [at(68, "/a")].into(), connections: [41, 42].into() };
        for (connection, now, was_there) in [
            (41, vec![at(68, "/a")], true),
            (41, vec![at(68, "/b")], false),
            (41, vec![], false),
            (42, vec![], true),
            (43, vec![], false),
        ] {
            let now = now.into_iter().collect();
            assert_eq!(before.has_connection(connection, &now), was_there, "{connection} with {now:?}");
        }
    }

    #[test]
    fn what_lies_on_top_is_what_a_path_leads_to() {
        let mounts = |lines: &[&str]| -> Vec<Mount> {
            lines.iter().map(|line| mount(&format!("{line} rw - fuse.x x rw")).expect("a line")).collect()
        };
        for (lines, is_so) in [
            (vec!["30 25 0:41 / /m"], true),
            (vec!["29 25 0:7 / /m", "30 29 0:41 / /m"], true),
            (vec!["30 25 0:41 / /m", "31 30 0:42 / /m"], false),
            (vec!["30 25 0:41 / /m", "31 25 0:42 / /m"], false),
            (vec!["30 25 0:41 / /m", "31 30 0:42 / /m/deeper"], true),
            (vec!["31 25 0:42 / /m"], false),
        ] {
            let own = mount("30 25 0:41 / /m rw - fuse.x x rw").expect("a line");
            let own = mounts(&lines).into_iter().find(|mount| mount.id == 30).unwrap_or(own);
            assert_eq!(is_on_top(&own, &mounts(&lines)), is_so, "{lines:?}");
        }
    }

    #[test]
    fn a_line_of_mountinfo_is_read_with_its_escapes() {
        let line =
            r"68 45 0:41 / /tmp/a\040b/mnt rw,nosuid,nodev,relatime shared:7 - fuse.stuckfs stuckfs rw,user_id=0";
        let mount = mount(line).unwrap();
        assert_eq!((mount.id, mount.point.as_str(), mount.fuse()), (68, "/tmp/a b/mnt", Some(41)));
        assert_eq!(super::mount("25 1 8:1 / / rw - ext4 /dev/root rw").unwrap().fuse(), None);
        assert_eq!(super::mount("not a mount"), None);
    }
}
