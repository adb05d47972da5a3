//! Tables of the kernel: mounts, FUSE connections, file locks, sockets, frozen control groups.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hangdog_schemas::fact::SocketFamily;
use hangdog_schemas::{Big, FuseConnection, Inode, Observed, Pid};

use super::Taking;
use super::scene::fuse_of;
use crate::observe::baseline::fuse_control;
use crate::observe::parse::text::{number, words};
use crate::observe::parse::{dirents, locks, mountinfo, net, sock_diag};
use crate::observe::worker::{Ask, Hazard, What};

impl Taking {
    /// The observer's own namespaces and mounts, and the FUSE connections: first of all, since
    /// `waiting` is the one figure that changes when somebody looks in another way.
    pub(super) async fn read_own(&mut self) {
        let link = |name: &str| Ask { what: What::Link, ..Ask::table(format!("/proc/self/ns/{name}")) };
        let asks = vec![link("mnt"), link("net"), Ask::table("/proc/self/mountinfo"), link("ipc")];
        let answers = self.reader.ask(asks).await;
        let inode = |n: usize| answers[n].seen().and_then(|bytes| mountinfo::namespace(bytes)).map(Big);
        (self.own_mounts, self.own_network, self.own_ipc) = (inode(0), inode(1), inode(3));
        self.mounts_here = answers[2].seen().map(|bytes| mountinfo::mountinfo(bytes)).unwrap_or_default();
        self.read_fuse().await;
    }

    async fn read_fuse(&mut self) {
        let Some(control) = fuse_control(&self.mounts_here).map(str::to_owned) else {
            self.gap(None, "/sys/fs/fuse/connections", Observed::Unsupported);
            return;
        };
        let list = self.reader.ask_one(Ask { what: What::Dir, ..Ask::table(control.clone()) }).await;
        let Some(bytes) = list.seen() else {
            self.gap(None, &control, list.map(|_| ()));
            return;
        };
        let wanted = dirents::numbers(bytes)
            .into_iter()
            .map(|n| (FuseConnection(n), Ask::table(format!("{control}/{n}/waiting"))))
            .collect();
        for (connection, answer) in self.reader.ask_for(wanted).await {
            let waiting = super::detail::parsed(answer, |bytes| number(bytes.trim_ascii()), "no number");
            self.scene.fuse.insert(connection, waiting);
        }
    }

    /// The mount table of each mount namespace that was not seen before.
    pub(super) async fn read_mounts(&mut self, pids: &[Pid]) {
        let mut wanted: BTreeMap<Inode, Pid> = BTreeMap::new();
        for &pid in pids {
            let Some(seen) = self.scene.processes.get(&pid) else { continue };
            if let Some(ns) = seen.mount_namespace() {
                wanted.entry(ns).or_insert(pid);
            }
        }
        wanted.retain(|ns, _| !self.scene.mounts.contains_key(ns));
        let wanted = wanted
            .into_iter()
            .map(|(ns, pid)| ((ns, pid), Ask::file(pid, Hazard::None, &self.path(pid, "mountinfo"))))
            .collect();
        for ((ns, pid), answer) in self.reader.ask_for(wanted).await {
            match answer {
                Observed::Seen(bytes) => drop(self.scene.mounts.insert(ns, mountinfo::mountinfo(&bytes))),
                Observed::Vanished => {}
                other => self.gap(Some(pid), "mountinfo", other.map(|_| ())),
            }
        }
        let mounted: BTreeSet<FuseConnection> = self.scene.mounts.values().flatten().filter_map(fuse_of).collect();
        for connection in mounted {
            self.scene.fuse.entry(connection).or_insert(Observed::Unsupported);
        }
    }

    /// `/proc/locks`.
    pub(super) async fn read_locks(&mut self) {
        let answer = self.reader.ask_one(Ask::table("/proc/locks")).await;
        match answer {
            Observed::Seen(bytes) => self.scene.locks = locks::locks(self.request.snapshot, &bytes),
            other => self.gap(None, "/proc/locks", other.map(|_| ())),
        }
    }

    /// The sockets of each network namespace in which a kept process has one.
    pub(super) async fn read_sockets(&mut self, pids: &[Pid]) {
        let mut wanted: BTreeMap<Inode, Pid> = BTreeMap::new();
        for &pid in pids {
            let Some(seen) = self.scene.processes.get(&pid) else { continue };
            let names_one = seen.links.iter().any(|link| link.socket().is_some());
            if let (true, Some(ns)) = (names_one, seen.network().or(self.own_network)) {
                wanted.entry(ns).or_insert(pid);
            }
        }
        wanted.retain(|ns, _| !self.scene.sockets.keys().any(|(known, _)| known == ns));
        for (ns, pid) in wanted {
            self.read_network(ns, pid).await;
        }
    }

    async fn read_network(&mut self, ns: Inode, pid: Pid) {
        let snapshot = self.request.snapshot;
        let diag = |request: Vec<u8>| {
            let what = What::SockDiag { request };
            if Some(ns) == self.own_network {
                Ask { pid: None, hazard: Hazard::None, path: String::new(), what }
            } else {
                Ask { what, ..Ask::file(pid, Hazard::Exec, &self.path(pid, "ns/net")) }
            }
        };
        let of_tcp = |family| diag(sock_diag::tcp_request(family));
        let tables = [
            ("net/tcp", of_tcp(libc::AF_INET)),
            ("net/tcp6", of_tcp(libc::AF_INET6)),
            ("net/unix", diag(sock_diag::unix_request())),
            ("net/udp", Ask::file(pid, Hazard::None, &self.path(pid, "net/udp"))),
            ("net/udp6", Ask::file(pid, Hazard::None, &self.path(pid, "net/udp6"))),
        ];
        // One after the other: a table of ten thousand sockets takes some room as long as it is not understood.
        for (table, (file, ask)) in tables.into_iter().enumerate() {
            let mut facts = Vec::new();
            let is_diag = matches!(ask.what, What::SockDiag { .. });
            let mut answer = self.reader.ask_one(ask).await;
            if let (true, None) = (is_diag, answer.seen()) {
                // Without IPv6 there is nothing to be missed.
                if answer != Observed::Vanished {
                    self.gap(Some(pid), "sock_diag", answer.map(|_| ()));
                }
                answer = self.reader.ask_one(Ask::file(pid, Hazard::None, &self.path(pid, file))).await;
                if let Some(bytes) = answer.seen() {
                    facts = match file {
                        "net/unix" => net::unix(snapshot, ns, bytes),
                        _ => net::inet(snapshot, ns, SocketFamily::Tcp, bytes),
                    };
                }
            } else if let Some(bytes) = answer.seen() {
                match file {
                    "net/unix" => sock_diag::unix(snapshot, ns, bytes, &mut facts),
                    "net/tcp" | "net/tcp6" => sock_diag::tcp(snapshot, ns, bytes, &mut facts),
                    _ => facts = net::inet(snapshot, ns, SocketFamily::Udp, bytes),
                }
            }
            facts.shrink_to_fit();
            self.scene.sockets.insert((ns, table), facts);
        }
    }

    /// Whether the control groups of these processes are frozen.
    pub(super) async fn read_frozen(&mut self, pids: &[Pid]) {
        // Most processes are in the same groups.
        let groups = pids.iter().filter_map(|pid| self.scene.processes.get(pid)?.cgroups.seen());
        let groups: BTreeSet<Rc<Vec<String>>> = groups.cloned().collect();
        let files: BTreeMap<Rc<Vec<String>>, Vec<String>> = groups
            .into_iter()
            .map(|lines| (Rc::clone(&lines), lines.iter().filter_map(|line| self.freezer_file(line)).collect()))
            .collect();
        let unique: BTreeSet<String> = files.values().flatten().cloned().collect();
        let wanted = unique.into_iter().map(|path| (path.clone(), Ask::table(path))).collect();
        let answers: BTreeMap<String, _> = self.reader.ask_for(wanted).await.into_iter().collect();
        for pid in pids {
            let Some(seen) = self.scene.processes.get_mut(pid) else { continue };
            let files = seen.cgroups.seen().and_then(|lines| files.get(lines)).map(Vec::as_slice).unwrap_or_default();
            let mut frozen = if files.is_empty() { Observed::Unsupported } else { Observed::Seen(false) };
            for answer in files.iter().filter_map(|file| answers.get(file)) {
                match answer {
                    Observed::Seen(bytes) if is_frozen(bytes) => frozen = Observed::Seen(true),
                    // The root group has no such file: it cannot be frozen.
                    Observed::Seen(_) | Observed::Vanished => {}
                    other if frozen == Observed::Seen(false) => frozen = other.clone().map(|_| false),
                    _ => {}
                }
            }
            seen.frozen = frozen;
        }
    }

    /// The file that says it for a line `controllers:path`; empty controllers are the unified tree.
    fn freezer_file(&self, line: &str) -> Option<String> {
        let (controllers, path) = line.split_once(':')?;
        let file = match controllers {
            "" => "cgroup.events",
            _ if controllers.split(',').any(|one| one == "freezer") => "freezer.state",
            _ => return None,
        };
        Some(format!("{}/{file}", self.group_directory(controllers, path)?))
    }

    /// The directory of a control group; empty controllers are the unified tree.
    pub(super) fn group_directory(&self, controllers: &str, path: &str) -> Option<String> {
        // A path outside the observer's own cgroup namespace begins with `/..`.
        if path.split('/').any(|part| part == "..") {
            return None;
        }
        let mut mounts = self.mounts_here.iter();
        let mount = match controllers.split(',').next()? {
            "" => mounts.find(|line| line.fs_type == "cgroup2")?,
            first => mounts.find(|line| {
                line.fs_type == "cgroup" && line.super_options.split(',').any(|option| option == first)
            })?,
        };
        let below = path.strip_prefix(mount.root.trim_end_matches('/'))?;
        Some(format!("{}/{}", mount.mount_point, below.trim_matches('/')).trim_end_matches('/').to_owned())
    }
}

/// `frozen 1` in `cgroup.events`; `FROZEN` or `FREEZING` in `freezer.state`.
fn is_frozen(bytes: &[u8]) -> bool {
    let words: Vec<&[u8]> = words(bytes).collect();
    matches!(words.as_slice(), [b"FROZEN" | b"FREEZING", ..])
        || words.windows(2).any(|pair| pair == [b"frozen".as_slice(), b"1".as_slice()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_control_groups() {
        assert!(is_frozen(b"FROZEN\n"));
        assert!(is_frozen(b"populated 1\nfrozen 1\n"));
        assert!(!is_frozen(b"populated 1\nfrozen 0\n"));
        assert!(!is_frozen(b"THAWED\n"));
        assert!(!is_frozen(b""));
    }
}
