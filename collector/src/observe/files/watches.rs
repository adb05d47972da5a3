//! Everything that is watched, and the newest of what happened there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hangdog_schemas::record::{FileEvent, FileOp, FileWatch, WatchedBy, Whose};
use hangdog_schemas::{Pid, When};
use nix::errno::Errno;

use super::fanotify::{Group, Marked};
use super::handles::{Handles, Place, Watched};
use super::inotify::{DEEPEST, Inotify, MOST};
use super::kin::{Kin, Side};
use super::notice::{Entry, Notice, notices};
use super::place::{Directory, resolve};
use super::proc_events::ProcEvents;
use super::reader::Task;
use super::ring::Ring;

/// Bytes that one read of a group may bring.
const READ: usize = 64 << 10;

/// What was not kept, and how often.
#[derive(Debug, Default)]
pub(super) struct Losses(BTreeMap<&'static str, u64>);

impl Losses {
    fn count(&mut self, at: &'static str, times: u64) {
        if times > 0 {
            *self.0.entry(at).or_default() += times;
        }
    }

    /// All since the last call; `dropped` are opens and other events that had no room.
    pub(super) fn take(&mut self, dropped: [u64; 2]) -> Vec<(String, u64)> {
        self.count("file events: the oldest opens", dropped[0]);
        self.count("file events: the oldest changes", dropped[1]);
        std::mem::take(&mut self.0).into_iter().map(|(at, times)| (at.to_owned(), times)).collect()
    }
}

/// All watches.
#[derive(Debug)]
pub(super) struct Watches {
    groups: Vec<Group>,
    handles: Handles,
    inotify: Option<Inotify>,
    kin: Kin,
    has_root: bool,
    ring: Ring,
    buffer: Vec<u8>,
}

impl Watches {
    /// Sets them all, and says for each directory what came of it.
    pub(super) fn new(task: &Task<'_>) -> (Self, Vec<FileWatch>) {
        let kin = Kin::new(ProcEvents::listen().ok(), task.hangdog, task.own, task.before.clone());
        let mut watches = Self {
            groups: Vec::new(),
            handles: Handles::default(),
            inotify: None,
            kin,
            has_root: false,
            ring: Ring::default(),
            buffer: vec![0; READ],
        };
        let mut told: Vec<FileWatch> = Vec::new();
        for directory in task.directories {
            let when = When::exactly(task.clock.now());
            let text = |path: &Path| path.to_string_lossy().into_owned();
            let found = resolve(&directory.path).map(|path| {
                let (by, why) = watches.watch(directory, &path);
                FileWatch { when, directory: text(&path), by, whose: directory.whose, why }
            });
            let watch = found.unwrap_or_else(|why| FileWatch {
                when,
                directory: text(&directory.path),
                by: WatchedBy::Nothing,
                whose: directory.whose,
                why: Some(why),
            });
            let is_known = |other: &FileWatch| other.directory == watch.directory && other.whose == watch.whose;
            if !told.iter().any(is_known) {
                told.push(watch);
            }
        }
        (watches, told)
    }

    fn watch(&mut self, directory: &Directory, path: &Path) -> (WatchedBy, Option<String>) {
        let errno = match Group::mark(path, &self.groups) {
            Ok(marked) => {
                if let Marked::New(group, root) = marked {
                    self.groups.push(group);
                    self.handles.add_system(root);
                }
                let (whose, omitted) = (directory.whose, directory.omitted);
                self.handles.watch(Watched { path: path.to_owned(), whose, omitted });
                return (WatchedBy::Fanotify, None);
            }
            Err(errno) => errno,
        };
        if directory.is_shared {
            let why = "others use it too, and without fanotify nobody says who did what".to_owned();
            return (WatchedBy::Nothing, Some(why));
        }
        let told = match &mut self.inotify {
            Some(inotify) => inotify.watch(path),
            none => Inotify::new().and_then(|inotify| none.insert(inotify).watch(path)),
        };
        match told {
            Ok(()) => {
                let left_out = self.inotify.as_mut().map_or(0, Inotify::take_left_out);
                let why = format!("no fanotify ({}): names only, and not who did it", errno.desc());
                let limit = format!("; more than {MOST} directories or {DEEPEST} levels: {left_out} left out");
                (WatchedBy::Inotify, Some(if left_out > 0 { why + &limit } else { why }))
            }
            Err(error) => {
                (WatchedBy::Nothing, Some(format!("neither fanotify ({}) nor inotify ({error})", errno.desc())))
            }
        }
    }

    /// What to poll.
    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let kin = self.kin.events().map(ProcEvents::fd);
        self.groups.iter().map(Group::fd).chain(kin).chain(self.inotify.as_ref().map(Inotify::fd)).collect()
    }

    pub(super) fn set_root(&mut self, root: u32) {
        self.has_root = true;
        self.kin.set_root(root);
    }

    /// Whether the command is known.
    pub(super) fn has_root(&self) -> bool {
        self.has_root
    }

    /// The newest events, and how many older ones had no room.
    pub(super) fn take(&mut self) -> (Vec<FileEvent>, [u64; 2]) {
        self.ring.take()
    }

    /// Reads once from each source; whether there was anything. `when` is asked after each read.
    pub(super) fn read(&mut self, when: impl Fn() -> When, losses: &mut Losses) -> bool {
        let mut has_more = false;
        let mut buffer = std::mem::take(&mut self.buffer);
        for system in 0..self.groups.len() {
            let Ok(length) = rustix::io::read(self.groups[system].fd(), &mut buffer) else { continue };
            has_more |= length > 0;
            let when = when();
            // Whoever did it was forked before.
            self.kin.hear();
            for notice in notices(&buffer[..length]) {
                self.understand(system, &notice, when, losses);
            }
        }
        self.buffer = buffer;
        self.kin.hear();
        has_more | self.read_names(&when, losses)
    }

    fn read_names(&mut self, when: &impl Fn() -> When, losses: &mut Losses) -> bool {
        let Some(inotify) = &mut self.inotify else { return false };
        let (changes, full) = inotify.read();
        losses.count("file events: the kernel's queue was full", full);
        losses.count("file events: directories that are not watched", inotify.take_left_out());
        let (has_some, when) = (!changes.is_empty(), when());
        for change in changes {
            let text = |path: PathBuf| path.to_string_lossy().into_owned();
            self.ring.push(FileEvent {
                when,
                op: change.op,
                path: text(change.path),
                to: change.to.map(text),
                directory: change.is_directory,
                pid: None,
                comm: None,
                times: 1,
            });
        }
        has_some
    }

    fn understand(&mut self, system: usize, notice: &Notice<'_>, when: When, losses: &mut Losses) {
        let has = |bits: u64| notice.mask & bits != 0;
        if has(libc::FAN_Q_OVERFLOW) {
            losses.count("file events: the kernel's queue was full", 1);
            return;
        }
        let is_directory = has(libc::FAN_ONDIR);
        if is_directory && !has(libc::FAN_CREATE | libc::FAN_DELETE | libc::FAN_RENAME) {
            return;
        }
        let Some(entry) = notice.entry else { return };
        let place = self.handles.place(system, entry.directory);
        let to = notice.to.map(|to| (to, self.handles.place(system, to.directory)));
        self.follow_directories(system, notice, &place);
        let pid = notice.pid.max(0) as u32;
        // Asked for what happens elsewhere as well: a program is opened before it does anything, and then it is known.
        let side = self.kin.side(pid, when.t.0);
        if place == Place::Gone {
            let lost = u64::from(side == Side::Run);
            losses.count("file events in directories that were gone", lost);
            return;
        }
        let whose =
            [Some(&place), to.as_ref().map(|(_, place)| place)].into_iter().flatten().filter_map(Place::whose);
        let Some(whose) = whose.max_by_key(|whose| *whose == Whose::Everybody) else { return };
        match (side, whose) {
            (Side::Run, _) | (Side::Stranger | Side::Gone, Whose::Everybody) => {}
            (Side::Gone, Whose::Run) => {
                losses.count("file events of processes that were gone", 1);
                return;
            }
            (Side::Own, _) | (Side::Stranger, Whose::Run) => return,
        }
        self.keep(notice, entry, &place, to, pid, when);
    }

    /// A directory that is made is known at once; after a rename all paths are asked for again.
    fn follow_directories(&mut self, system: usize, notice: &Notice<'_>, place: &Place) {
        if notice.mask & libc::FAN_ONDIR == 0 {
            return;
        }
        if notice.mask & libc::FAN_RENAME != 0 {
            self.handles.forget();
        } else if notice.mask & libc::FAN_CREATE != 0
            && let (Place::Inside { path, .. }, Some(file), Some(entry)) = (place, notice.file, notice.entry)
        {
            self.handles.learn(system, file, path.join(OsStr::from_bytes(entry.name)));
        }
    }

    fn keep(
        &mut self,
        notice: &Notice<'_>,
        entry: Entry<'_>,
        place: &Place,
        to: Option<(Entry<'_>, Place)>,
        pid: u32,
        when: When,
    ) {
        let path = self.path(place, entry);
        let to = to.and_then(|(entry, place)| self.path(&place, entry));
        let ops = [
            (libc::FAN_CREATE, FileOp::Create),
            (libc::FAN_OPEN, FileOp::Open),
            (libc::FAN_CLOSE_WRITE, FileOp::CloseWrite),
            (libc::FAN_RENAME, FileOp::Rename),
            (libc::FAN_DELETE, FileOp::Unlink),
        ];
        let directory = notice.mask & libc::FAN_ONDIR != 0;
        let comm = self.kin.comm(pid);
        for (_, op) in ops.into_iter().filter(|(bit, _)| notice.mask & bit != 0) {
            // One end of a rename may lie where nobody watches.
            let (op, path, to) = match (op, path.clone(), to.clone()) {
                (FileOp::Rename, Some(path), None) => (FileOp::Unlink, path, None),
                (FileOp::Rename, None, Some(to)) => (FileOp::Create, to, None),
                (FileOp::Rename, Some(path), to) => (op, path, to),
                (_, Some(path), _) => (op, path, None),
                (_, None, _) => continue,
            };
            let (pid, comm) = (Some(Pid(pid)), comm.clone());
            self.ring.push(FileEvent { when, op, path, to, directory, pid, comm, times: 1 });
        }
    }

    /// The path of an entry of a watched directory, unless it is hangdog's own.
    fn path(&self, place: &Place, entry: Entry<'_>) -> Option<String> {
        let Place::Inside { path, .. } = place else { return None };
        if self.handles.is_omitted(path, entry.name) {
            return None;
        }
        Some(path.join(OsStr::from_bytes(entry.name)).to_string_lossy().into_owned())
    }
}

/// Why this user has no fanotify, if so. Nothing is watched.
pub(super) fn try_fanotify(directory: &Path) -> Result<(), Errno> {
    Group::mark(directory, &[]).map(drop)
}
