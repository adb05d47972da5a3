//! What was done to files, by name: which call failed, who came between a look and a deed.
//!
//! ```text
//! A:  looks, it is not there ─────────────── creates it      two have created it
//! B:                            creates it
//!
//! A:  looks at 1 ─────────────── removes 2                   it is another's file by now
//! B:               creates 2
//! ```
//!
//! A name stands for one file after the other; each has a number here, and whoever made it. What is unknown (the
//! results of calls, where the kernel's recorder cannot be had) is taken to have gone well.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::{Actor, RunNs, Tid};
use hangdog_timeline::{CallDone, Timeline};

use super::errno;
use super::name;
use super::sketch::{Sketch, Tier};
use super::who::Who;

/// Places of names that stand for no files.
const DEVICES: [&str; 3] = ["/dev/", "/proc/", "/sys/"];

/// What a call does to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// Is it there?
    Look,
    Read,
    /// It is made when it is not there.
    Create,
    /// It must not be there.
    CreateNew,
    /// What is in it is replaced.
    Write,
    /// Something is added at its end.
    Append,
    Remove,
    /// It becomes the other name.
    Rename,
    Enter,
    Mount,
    Unmount,
}

impl Deed {
    fn of(done: &CallDone) -> Option<Self> {
        let call = &done.call;
        Some(match call.name.as_str() {
            "open" | "openat" | "openat2" | "creat" if call.has("O_EXCL") && call.has("O_CREAT") => Self::CreateNew,
            "open" | "openat" | "openat2" | "creat" if call.has("O_CREAT") => Self::Create,
            "open" | "openat" | "openat2" if call.has("O_RDONLY") || call.has("O_PATH") => Self::Read,
            "open" | "openat" | "openat2" if call.has("O_APPEND") => Self::Append,
            "open" | "openat" | "openat2" | "truncate" => Self::Write,
            "stat" | "lstat" | "access" | "newfstatat" | "statx" | "faccessat" | "faccessat2" => Self::Look,
            "unlink" | "unlinkat" | "rmdir" => Self::Remove,
            "mkdir" | "mkdirat" | "link" | "linkat" | "symlink" | "symlinkat" => Self::CreateNew,
            "rename" | "renameat" | "renameat2" => Self::Rename,
            "chdir" => Self::Enter,
            "mount" => Self::Mount,
            "umount2" => Self::Unmount,
            _ => return None,
        })
    }

    fn is_look(self) -> bool {
        matches!(self, Self::Look | Self::Read | Self::Enter)
    }
}

/// How the clause of a removal that is undone ends.
pub(super) const PUT_BACK: &str = "and what had been begun before is put back after the removal";

/// The file that a name stands for.
#[derive(Clone, Copy, Debug, Default)]
struct Now {
    /// Which file in a row; 0 was there before, or nothing is known.
    file: u32,
    exists: Option<bool>,
    maker: Option<(Tid, RunNs)>,
    /// Who opened it last to write.
    writer: Option<(Tid, RunNs)>,
    /// Who removed the last one.
    remover: Option<(Tid, RunNs)>,
}

/// What a thread knows of a name.
#[derive(Clone, Copy, Debug)]
struct Knows {
    there: bool,
    file: u32,
    at: RunNs,
    /// Whether it has looked into it, not only at it.
    read: bool,
}

struct Files<'a> {
    who: &'a Who,
    sketch: &'a mut Sketch,
    now: BTreeMap<&'a str, Now>,
    knows: BTreeMap<(Tid, &'a str), Knows>,
    /// Who looked in vain, until somebody makes it.
    missed: BTreeMap<&'a str, Vec<(Tid, RunNs, &'a str)>>,
    /// Names that anybody writes to at any time.
    written: BTreeSet<&'a str>,
}

/// A mount that could not be taken away, and who kept it.
pub(crate) struct Busy {
    pub(crate) place: String,
    pub(crate) at: RunNs,
    pub(crate) holder: Actor,
}

/// All of a run, where system calls were noted with their names.
pub(crate) fn busy_mounts(timeline: &Timeline) -> Vec<Busy> {
    let is_busy = |done: &&CallDone| done.call.name == "umount2" && done.errno() == Some(libc_errno::EBUSY);
    let mut calls = timeline.calls().iter().filter(is_busy).peekable();
    if calls.peek().is_none() {
        return Vec::new();
    }
    let who = Who::of(timeline);
    let busy = calls.filter_map(|done| {
        let (place, at) = (done.call.paths.first()?, done.done_at());
        let holder = who.within(place, at).into_iter().find(|holder| *holder != done.call.tid)?;
        Some(Busy { place: place.clone(), at, holder: who.actor(holder, at) })
    });
    busy.collect()
}

/// Notes all that was done to names.
pub(super) fn note(timeline: &Timeline, who: &Who, sketch: &mut Sketch) {
    let mut calls: Vec<(&CallDone, Deed)> =
        timeline.calls().iter().filter_map(|done| Some((done, Deed::of(done)?))).collect();
    calls.sort_by_key(|(done, _)| done.done_at());
    let (now, knows, missed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let is_written = |deed: Deed| !deed.is_look() && !matches!(deed, Deed::Remove | Deed::Mount | Deed::Unmount);
    let changed = calls.iter().filter(|(_, deed)| is_written(*deed));
    let written = changed.filter_map(|(done, _)| done.call.paths.last().map(String::as_str)).collect();
    let mut files = Files { who, sketch, now, knows, missed, written };
    for (done, deed) in calls {
        files.call(done, deed);
    }
}

impl<'a> Files<'a> {
    fn call(&mut self, done: &'a CallDone, deed: Deed) {
        let call = &done.call;
        let (Some(first), Some(last)) = (call.paths.first(), call.paths.last()) else { return };
        let object = if matches!(deed, Deed::Rename) { first } else { last };
        // What is written to a device is no file that another could read.
        if DEVICES.iter().any(|place| object.starts_with(place)) && !object.starts_with("/dev/shm/") {
            return;
        }
        if let Some(errno) = done.errno() {
            self.failed(done, deed, object, errno);
            return;
        }
        match deed {
            Deed::Look | Deed::Enter => self.saw(done, object, true, false),
            Deed::Read => {
                if self.written.contains(object.as_str()) {
                    self.mark(done, "reads", object);
                }
                self.reads_from(done, object);
                self.saw(done, object, true, true);
            }
            Deed::CreateNew => self.creates(done, object),
            Deed::Create => self.opens_to_create(done, object),
            Deed::Write => self.writes(done, object, true),
            Deed::Append => self.writes(done, object, false),
            Deed::Remove => self.removes(done, object),
            Deed::Rename => self.renames(done, first, last),
            Deed::Mount | Deed::Unmount => self.did(done, object, deed_word(done, deed)),
        }
    }

    fn path(&self, path: &str) -> String {
        name::path(path, &self.who.pids)
    }

    fn role(&self, done: &CallDone) -> String {
        self.who.role(done.call.tid, done.call.when.t)
    }

    fn saw(&mut self, done: &CallDone, path: &'a str, there: bool, read: bool) {
        let now = self.now.entry(path).or_default();
        now.exists = Some(there);
        let read =
            read || self.knows.get(&(done.call.tid, path)).is_some_and(|known| known.read && known.file == now.file);
        let knows = Knows { there, file: now.file, at: done.done_at(), read };
        self.knows.insert((done.call.tid, path), knows);
    }

    /// A deed that went well.
    fn did(&mut self, done: &CallDone, path: &str, verb: &str) {
        let text = format!("{} {verb} {}", self.role(done), self.path(path));
        let actor = self.who.actor(done.call.tid, done.call.when.t);
        self.mark(done, verb, path);
        self.sketch.note(Tier::Deed, text, done.done_at(), Some(actor));
    }

    fn mark(&mut self, done: &CallDone, verb: &str, path: &str) {
        let who = self.who.one(done.call.tid, done.call.when.t);
        self.sketch.mark(&format!("{who} {verb} {}", self.path(path)), done.done_at());
    }

    fn failed(&mut self, done: &'a CallDone, deed: Deed, path: &'a str, errno: i32) {
        let t = done.done_at();
        if errno == libc_errno::ENOENT {
            // It may be there, and its directory not, for whoever makes something.
            if deed.is_look() || deed == Deed::Remove {
                self.saw(done, path, false, false);
                let missed = self.missed.entry(path).or_default();
                if missed.len() < 64 {
                    missed.push((done.call.tid, t, done.call.name.as_str()));
                }
            }
        } else if errno == libc_errno::EEXIST {
            self.saw(done, path, true, false);
        }
        let is_vain_look = deed.is_look() && matches!(errno, libc_errno::ENOENT | libc_errno::ENOTDIR);
        let tier = if is_vain_look || errno == libc_errno::EEXIST { Tier::Deed } else { Tier::Error };
        let text = format!(
            "{}({}) by {} fails with {}",
            done.call.name,
            self.path(path),
            self.role(done),
            errno::name(errno)
        );
        let mut actors = vec![self.who.actor(done.call.tid, t)];
        let mut detail = None;
        if deed == Deed::Unmount && errno == libc_errno::EBUSY {
            let holders = self.who.within(path, t);
            if let Some(holder) = holders.first() {
                let name = self.who.name(*holder, t);
                detail =
                    Some(format!("the mount is kept busy by {name}[{holder}], whose working directory is in it"));
                actors.insert(0, self.who.actor(*holder, t));
            }
        }
        self.sketch.note_with(tier, text, t, actors, detail);
    }

    /// Whose file a read gets.
    fn reads_from(&mut self, done: &CallDone, path: &str) {
        let Some(now) = self.now.get(path) else { return };
        let Some((writer, t)) = now.writer.or(now.maker).filter(|(writer, _)| *writer != done.call.tid) else {
            return;
        };
        let text = format!("{} reads {} as {} wrote it", self.role(done), self.path(path), self.who.role(writer, t));
        self.sketch.note(Tier::Deed, text, done.done_at(), None);
    }

    fn make(&mut self, done: &'a CallDone, path: &'a str) {
        let t = done.done_at();
        let maker = done.call.tid;
        let now = self.now.entry(path).or_default();
        now.file += 1;
        now.exists = Some(true);
        now.maker = Some((maker, t));
        now.writer = None;
        self.saw(done, path, true, true);
        for (tid, since, call) in self.missed.remove(path).unwrap_or_default() {
            if tid == maker {
                continue;
            }
            // One that looked before it was made, and may act on that: told when it does, or as what it is.
            let text = format!(
                "{} looks for {} ({call}: ENOENT) before {} creates it",
                self.who.role(tid, since),
                self.path(path),
                self.role(done)
            );
            let actor = self.who.actor(tid, since);
            self.sketch.note(Tier::Error, text, since, Some(actor));
        }
    }

    fn creates(&mut self, done: &'a CallDone, path: &'a str) {
        self.make(done, path);
        self.did(done, path, "creates");
    }

    fn opens_to_create(&mut self, done: &'a CallDone, path: &'a str) {
        let now = self.now.get(path).copied().unwrap_or_default();
        let known = self.knows.get(&(done.call.tid, path)).copied();
        let is_made_by_other = now.exists == Some(true) && now.maker.is_some_and(|(maker, _)| maker != done.call.tid);
        match known {
            Some(known) if !known.there && is_made_by_other && now.maker.is_some_and(|(_, t)| t > known.at) => {
                let (maker, made) = now.maker.unwrap_or((done.call.tid, done.done_at()));
                let text = format!(
                    "two see that {} does not exist (ENOENT) before either creates it, and both create it: {} and {}; the \
                     check and the creation are not one step",
                    self.path(path),
                    self.who.role(maker, made),
                    self.role(done),
                );
                let (at, tid) = (done.done_at(), done.call.tid);
                let (first, late) = (self.who.actor(maker, made), self.who.actor(tid, at));
                let detail = format!(
                    "{}[{maker}] created it {}, after {}[{tid}] had found nothing {}; that one created it again {}",
                    first.comm,
                    when(made),
                    late.comm,
                    when(known.at),
                    when(at)
                );
                self.sketch.note_with(Tier::Race, text, known.at, vec![late, first], Some(detail));
                self.writes(done, path, !done.call.has("O_APPEND"));
            }
            _ if now.exists == Some(true) => self.writes(done, path, !done.call.has("O_APPEND")),
            _ => self.creates(done, path),
        }
    }

    fn writes(&mut self, done: &'a CallDone, path: &'a str, replaces: bool) {
        let (tid, t) = (done.call.tid, done.done_at());
        let now = *self.now.entry(path).or_default();
        let other = now.writer.or(now.maker).filter(|(writer, _)| *writer != tid);
        if let (true, Some((other, since)), Some(known)) = (replaces, other, self.knows.get(&(tid, path)).copied())
            && known.read
            && since > known.at
        {
            self.lost_update(done, path, (other, since), known.at);
        }
        let now = self.now.entry(path).or_default();
        now.exists = Some(true);
        now.writer = Some((tid, t));
        self.saw(done, path, true, true);
        self.did(done, path, if replaces { "writes" } else { "appends to" });
    }

    /// What another wrote since it was read is written over.
    fn lost_update(&mut self, done: &CallDone, path: &str, (other, since): (Tid, RunNs), read: RunNs) {
        let (tid, t) = (done.call.tid, done.done_at());
        let text = format!(
            "{} reads {}, {} writes it, and {0} writes over that: an update between the read and the write is lost",
            self.role(done),
            self.path(path),
            self.who.role(other, since),
        );
        let actors = vec![self.who.actor(tid, t), self.who.actor(other, since)];
        let detail = format!(
            "{}[{tid}] read it {}, {}[{other}] wrote it {}, {0}[{tid}] wrote it {}",
            self.who.name(tid, t),
            when(read),
            self.who.name(other, since),
            when(since),
            when(t)
        );
        self.sketch.note_with(Tier::Race, text, since, actors, Some(detail));
    }

    fn removes(&mut self, done: &'a CallDone, path: &'a str) {
        let (tid, t) = (done.call.tid, done.done_at());
        let now = self.now.get(path).copied().unwrap_or_default();
        if let (Some(known), Some((maker, made))) = (self.knows.get(&(tid, path)).copied(), now.maker)
            && maker != tid
            && known.there
            && known.file != now.file
            && made > known.at
        {
            let text = format!(
                "{}({}) by {} removes the file that another {} has created after the check: it deletes a fresh file in \
                 place of the old one it looked at (a race)",
                done.call.name,
                self.path(path),
                self.role(done),
                self.who.role(maker, made),
            );
            let actors = vec![self.who.actor(tid, t), self.who.actor(maker, made)];
            let detail = format!(
                "{}[{tid}] looked at it {}, {}[{maker}] created another {}, and {0}[{tid}] removed that {}",
                self.who.name(tid, t),
                when(known.at),
                self.who.name(maker, made),
                when(made),
                when(t)
            );
            self.sketch.note_with(Tier::Race, text, known.at, actors, Some(detail));
        }
        let now = self.now.entry(path).or_default();
        now.exists = Some(false);
        now.maker = None;
        now.writer = None;
        now.remover = Some((tid, t));
        self.saw(done, path, false, false);
        self.did(done, path, "removes");
    }

    fn renames(&mut self, done: &'a CallDone, from: &'a str, to: &'a str) {
        let tid = done.call.tid;
        let now = self.now.get(to).copied().unwrap_or_default();
        let other = now.writer.or(now.maker).filter(|(writer, _)| *writer != tid);
        if let (Some((other, since)), Some(known)) = (other, self.knows.get(&(tid, to)).copied())
            && known.read
            && since > known.at
        {
            self.lost_update(done, to, (other, since), known.at);
        }
        self.put_back(done, from, to);
        let source = self.now.entry(from).or_default();
        source.exists = Some(false);
        source.maker = None;
        source.writer = None;
        self.saw(done, from, false, false);
        self.make(done, to);
        self.did(done, to, "renames something to");
    }
}

impl<'a> Files<'a> {
    /// What comes in the place of a removed file was begun before that was removed.
    fn put_back(&mut self, done: &'a CallDone, from: &'a str, to: &'a str) {
        let (tid, t) = (done.call.tid, done.done_at());
        let Some(now) = self.now.get(to).filter(|now| now.exists == Some(false)) else { return };
        let begun = self
            .now
            .get(from)
            .and_then(|source| source.maker)
            .filter(|(maker, _)| self.who.process(*maker) == self.who.process(tid));
        let (Some((remover, removed)), Some((_, begun))) = (now.remover, begun) else { return };
        if remover == tid || begun >= removed {
            return;
        }
        let text = format!(
            "{} removes {} while {} makes it anew, {PUT_BACK}",
            self.who.role(remover, removed),
            self.path(to),
            self.role(done),
        );
        let detail = format!(
            "{}[{tid}] began the new file {}, {}[{remover}] removed the old one {}, and the new one came in its place {}",
            self.who.name(tid, t),
            when(begun),
            self.who.name(remover, removed),
            when(removed),
            when(t)
        );
        let actors = vec![self.who.actor(tid, t), self.who.actor(remover, removed)];
        self.sketch.note_with(Tier::Race, text, removed, actors, Some(detail));
    }
}

fn deed_word(done: &CallDone, deed: Deed) -> &'static str {
    match deed {
        Deed::Unmount if done.call.has("MNT_DETACH") => "detaches",
        Deed::Unmount => "unmounts",
        _ if done.call.has("MS_REMOUNT") => "mounts anew",
        _ => "mounts",
    }
}

/// `412.3 ms into the run`.
pub(crate) fn when(t: RunNs) -> String {
    format!("at {}.{:03} ms", t.0 / 1_000_000, t.0 % 1_000_000 / 1_000)
}

/// The numbers of errors that mean something here.
mod libc_errno {
    pub(super) const ENOENT: i32 = 2;
    pub(super) const EBUSY: i32 = 16;
    pub(super) const EEXIST: i32 = 17;
    pub(super) const ENOTDIR: i32 = 20;
}
