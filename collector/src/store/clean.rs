//! What dead runs left: found, told with why it is theirs, and removed only when somebody says so.
//!
//! | what | is a dead run's when |
//! | --- | --- |
//! | a run's directory on tmpfs | its watcher and its command have ended: boot, pid namespace, pid, start time |
//! | a directory in which `flake` made its runs | its hangdog has ended, and nobody has TMPDIR, working directory or a file there |
//! | first facts that were kept | the same; they are removed by nobody else |
//! | a process, a FUSE connection, a mount | see `remains` |
//! | a recorder file of the user | nobody holds the lock that its program takes for life |
//! | a lock of the store, and files beside it | whom it names has ended |
//!
//! The directory of a run is removed last: it has the proof for the rest.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use super::houses::{House, houses, tenants};
use super::lock::{LOCK_NAME, Lock, LockError};
use super::owner::{Life, Owner};
use super::remains::{Remains, remains};
use super::remove::remove_tree;
use super::runs::{Claim, Run, runs};
use super::scan::{Scan, scan};
use crate::act::{Mount, abort_connection, detach_mount};
use crate::kernel::{ancestors, has_ended, wait_readable};

/// How long processes get to end.
const TIME_TO_DIE: Duration = Duration::from_secs(2);

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process.
    Process,
    /// A FUSE connection.
    Connection,
    /// A mount.
    Mount,
    /// The directory of a run.
    Directory,
    /// The first facts of a run whose capture could not be written.
    FirstFacts,
    /// A recorder of a program that no run watched.
    Recorder,
    /// A lock of the store.
    Lock,
    /// Where `flake` made its runs.
    House,
}

impl Kind {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Process => "process of a run",
            Self::Connection => "FUSE connection",
            Self::Mount => "mount of a run",
            Self::Directory => "directory of a run",
            Self::FirstFacts => "first facts of a run",
            Self::Recorder => "recorder of a program",
            Self::Lock => "lock of the store",
            Self::House => "directory of flake",
        }
    }
}

/// Whether it may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Whose it was has ended.
    Dead,
    /// It is in use by this process.
    InUse(u32),
    /// Whether anybody needs it cannot be told, and why.
    Unknown(String),
}

/// Something that a run left, or still needs.
#[derive(Debug)]
pub struct Leftover {
    /// What it is.
    pub kind: Kind,
    /// Which: a path, or the number and name of a process.
    pub what: String,
    /// Why it is what it is said to be.
    pub why: String,
    /// Whether it may go.
    pub standing: Standing,
    run: String,
    thing: Thing,
}

#[derive(Debug)]
enum Thing {
    Process(Option<OwnedFd>),
    Connection(u32),
    Mount(Mount),
    Run(Run),
    Recorder(PathBuf),
    Lock,
    House(House),
}

/// All there is of a user: on tmpfs, and in the directory of captures, if there is one; and what dead runs left
/// elsewhere, and in the place for temporary files.
pub fn leftovers(
    runtime: Option<OsString>,
    uid: u32,
    captures: Option<&Path>,
    temporary: &Path,
) -> io::Result<Vec<Leftover>> {
    let runs = runs(runtime, uid)?;
    let is_dead = |run: &&Run| run.claim.as_ref().is_some_and(|claim| claim.life() == Life::Dead);
    let dead: BTreeSet<String> = runs.iter().filter(is_dead).map(|run| run.name.clone()).collect();
    // A reader of everybody's descriptors is started for a reason only.
    let scan = if dead.is_empty() { Scan::default() } else { scan(&dead) };
    let mut found = Vec::new();
    for run in runs {
        if let (true, Some(claim), Ok(directory)) = (dead.contains(&run.name), &run.claim, run.directory()) {
            found.extend(of_remains(&run.name, remains(&directory, claim, &scan), &scan));
        }
        found.push(of_run(run));
    }
    found.extend(of_houses(houses(temporary, uid)));
    found.extend(recorders(uid)?);
    if let Some(captures) = captures {
        found.extend(lock(&captures.join(LOCK_NAME))?);
    }
    Ok(found)
}

fn of_houses(houses: Vec<House>) -> Vec<Leftover> {
    let life = |house: &House| house.claim.as_ref().map(Claim::life);
    let dead: Vec<PathBuf> =
        houses.iter().filter(|house| life(house) == Some(Life::Dead)).map(|house| house.path.clone()).collect();
    // Everybody is looked at for a reason only.
    let inside = if dead.is_empty() { Some(BTreeSet::new()) } else { tenants(&dead) };
    let leftover = |house: House| {
        let standing = match (&house.claim, life(&house)) {
            (Some(_), Some(Life::Dead)) => match &inside {
                Some(inside) => {
                    let tenant = inside.iter().find(|(_, at)| dead[*at] == house.path);
                    tenant.map_or(Standing::Dead, |(pid, _)| Standing::InUse(*pid))
                }
                None => Standing::Unknown("who is in it could not be told in time".to_owned()),
            },
            (Some(claim), Some(life)) => standing(&claim.watcher, life),
            _ => Standing::Unknown("it names nobody; when no hangdog runs, remove it by hand".to_owned()),
        };
        let (what, why) = (house.path.display().to_string(), "its hangdog has ended, and nobody is in it".to_owned());
        Leftover { kind: Kind::House, run: what.clone(), what, why, standing, thing: Thing::House(house) }
    };
    houses.into_iter().map(leftover).collect()
}

fn recorders(uid: u32) -> io::Result<Vec<Leftover>> {
    let directory = hangdog_flight::user_directory(uid);
    let recorder = |path: PathBuf| {
        let standing = match hangdog_flight::is_dead(&path) {
            Ok(true) => Standing::Dead,
            Ok(false) => Standing::InUse(pid_of(&path)),
            Err(error) => Standing::Unknown(error.to_string()),
        };
        let (what, why) = (path.display().to_string(), "its program has ended".to_owned());
        Leftover { kind: Kind::Recorder, what, why, standing, run: String::new(), thing: Thing::Recorder(path) }
    };
    Ok(hangdog_flight::list(&directory)?.into_iter().map(recorder).collect())
}

fn lock(path: &Path) -> io::Result<Option<Leftover>> {
    let standing = match Lock::holder(path) {
        Ok(None) => return Ok(None),
        Ok(Some((holder, life))) => standing(&holder, life),
        Err(error @ LockError::Unreadable { .. }) => Standing::Unknown(error.to_string()),
        Err(LockError::Refused { source, .. }) => return Err(source),
        Err(error) => return Err(io::Error::other(error)),
    };
    let (what, why) = (path.display().to_string(), "its holder has ended".to_owned());
    Ok(Some(Leftover { kind: Kind::Lock, what, why, standing, run: String::new(), thing: Thing::Lock }))
}

/// Removes what is dead, and returns for each whether it stays, and why. One at a time does so for a store.
pub fn apply(leftovers: &[Leftover], captures: Option<&Path>) -> Result<Vec<Option<String>>, LockError> {
    // Taking it takes a stale one over, and letting go of it removes it.
    let _lock = match captures.filter(|captures| captures.is_dir()) {
        Some(captures) => Some(Lock::take(&captures.join(LOCK_NAME))?),
        None => None,
    };
    // As in a rescue: nobody runs on with what is taken away; who waits for a server ends when its connection does.
    for leftover in leftovers.iter().filter(|leftover| is_dead(leftover)) {
        if let Thing::Process(Some(pidfd)) = &leftover.thing {
            // It may have ended meanwhile.
            let _ = pidfd_send_signal(pidfd, Signal::KILL);
        }
    }
    let mut stays: Vec<Option<String>> = Vec::new();
    let aborted = |leftover: &Leftover| match &leftover.thing {
        Thing::Connection(connection) => abort_connection(*connection).err(),
        _ => None,
    };
    let aborted: Vec<Option<String>> =
        leftovers.iter().map(|leftover| is_dead(leftover).then(|| aborted(leftover)).flatten()).collect();
    let mut kept = BTreeSet::new();
    for (leftover, not_aborted) in leftovers.iter().zip(aborted) {
        let why = if is_dead(leftover) { not_aborted.or_else(|| remove(leftover, &kept)) } else { None };
        if why.is_some() {
            kept.insert(leftover.run.clone());
        }
        stays.push(why);
    }
    Ok(stays)
}

fn is_dead(leftover: &Leftover) -> bool {
    leftover.standing == Standing::Dead
}

/// Removes one, or says why it stays. Of `kept` runs something stays already.
fn remove(leftover: &Leftover, kept: &BTreeSet<String>) -> Option<String> {
    match &leftover.thing {
        Thing::Process(pidfd) => {
            let pidfd = pidfd.as_ref()?;
            wait_readable([pidfd], TIME_TO_DIE);
            (!has_ended(pidfd)).then(|| "it was sent SIGKILL and has not ended".to_owned())
        }
        Thing::Mount(mount) => detach_mount(mount).err(),
        Thing::Run(run) if kept.contains(&run.name) => Some("it has the proof for what else stays".to_owned()),
        Thing::Run(run) => remove_at(leftover, &run.base, &run.entry),
        Thing::House(house) => remove_at(leftover, &house.base, &house.entry),
        Thing::Recorder(path) => hangdog_flight::remove_dead_file(path).err().map(|error| error.to_string()),
        Thing::Connection(_) | Thing::Lock => None,
    }
}

fn remove_at(leftover: &Leftover, base: &OwnedFd, entry: &OsStr) -> Option<String> {
    let above = Path::new(&leftover.what).parent().unwrap_or(Path::new("/"));
    let left = remove_tree(base.as_fd(), entry, above);
    let left: Vec<String> =
        left.into_iter().map(|stays| format!("{}: {}", stays.path.display(), stays.why)).collect();
    (!left.is_empty()).then(|| left.join("; "))
}

/// Processes first, then connections and mounts, the innermost first.
fn of_remains(run: &str, remains: Remains, scan: &Scan) -> Vec<Leftover> {
    let own = ancestors();
    let user = remains.processes.iter().map(|process| process.pid).find(|pid| own.contains(pid));
    // Who works inside of what the run left still needs it.
    let standing = user.map_or(Standing::Dead, Standing::InUse);
    let leftover = |kind, what, why: String, thing| Leftover {
        kind,
        what,
        why,
        standing: standing.clone(),
        run: run.to_owned(),
        thing,
    };
    let mut found = Vec::new();
    let proven: BTreeSet<u32> = remains.processes.iter().map(|process| process.pid).collect();
    for process in remains.processes {
        let why = if process.is_on_record {
            format!("its number and begin are on record as of run {run}")
        } else {
            format!("it descends from a process of run {run}")
        };
        found.push(leftover(Kind::Process, described(process.pid), why, Thing::Process(Some(process.pidfd))));
    }
    for (pid, _) in scan.nominated.iter().filter(|(pid, of)| of == run && !proven.contains(pid)) {
        let why = format!("its environment names run {run}, and nothing proves that it is of it");
        let standing = Standing::Unknown(why.clone());
        let what = described(*pid);
        found.push(Leftover { standing, ..leftover(Kind::Process, what, why, Thing::Process(None)) });
    }
    for connection in remains.connections {
        let what = format!("/sys/fs/fuse/connections/{connection}");
        let why = format!("nobody but processes of run {run} serves it");
        found.push(leftover(Kind::Connection, what, why, Thing::Connection(connection)));
    }
    // mountinfo lists parents before children.
    for mount in remains.mounts.into_iter().rev() {
        let why = format!("it lies on a FUSE connection of run {run}");
        found.push(leftover(Kind::Mount, mount.point.clone(), why, Thing::Mount(mount)));
    }
    found
}

/// `4412 (indexd)`
fn described(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{pid} ({})", name.trim_end())
}

fn of_run(run: Run) -> Leftover {
    let kind = if run.is_kept { Kind::FirstFacts } else { Kind::Directory };
    let standing = match &run.claim {
        None => Standing::Unknown("it names nobody; when no hangdog runs, remove it by hand".to_owned()),
        Some(claim) => {
            // Of a directory that was kept only the watcher counts: its command may run on without it.
            let life = if run.is_kept { claim.watcher.life() } else { claim.life() };
            let holder = match &claim.root {
                Some(root) if claim.watcher.life() == Life::Dead => root,
                _ => &claim.watcher,
            };
            standing(holder, life)
        }
    };
    let (what, why) = (run.path.display().to_string(), "its hangdog and its command have ended".to_owned());
    Leftover { kind, what, why, standing, run: run.name.clone(), thing: Thing::Run(run) }
}

fn standing(holder: &Owner, life: Life) -> Standing {
    match life {
        Life::Dead => Standing::Dead,
        Life::Alive => Standing::InUse(holder.pid),
        Life::Unknown(why) => Standing::Unknown(format!("process {}: {why}", holder.pid)),
    }
}

/// The number in the name of a recorder, `4412-77120.flight`.
fn pid_of(path: &Path) -> u32 {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
