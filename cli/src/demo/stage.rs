//! Where the demo plays: one directory of its own, and notes on who took part.
//!
//! ```text
//!     $TMPDIR/hangdog-demo-XXXXXX/
//!         tmp/             the temp directory of the parts (their TMPDIR), all that is walked
//!             001/, 003/   what other tests left there
//!             002/mount    the mount
//!         took-part        lines `process 4412 indexd` and `fuse 41`
//!         report.json      what `hangdog run` says
//! ```

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::DemoError;

/// The kernel takes a FUSE connection out of its list some time after the mount and the server are gone: most often
/// at once, on a busy machine some tenths of a second later (seen on 6.18).
const PUT_AWAY: Duration = Duration::from_secs(3);

/// The demo's directory.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    base: PathBuf,
}

/// Somebody or something that took part, for the look at what is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TookPart {
    /// A process by its number and short name.
    Process { pid: u32, comm: String },
    /// A FUSE connection.
    Fuse(u32),
}

impl Stage {
    /// Creates it.
    pub(super) fn new() -> Result<Self, DemoError> {
        let temp = std::env::temp_dir();
        let temp = temp.canonicalize().map_err(|source| DemoError::Stage { path: temp.clone(), source })?;
        let template = temp.join("hangdog-demo-XXXXXX");
        let base = nix::unistd::mkdtemp(&template)
            .map_err(|errno| DemoError::Stage { path: template.clone(), source: errno.into() })?;
        let stage = Self { base };
        stage.furnish().map_err(|source| DemoError::Stage { path: stage.base.clone(), source })?;
        Ok(stage)
    }

    /// One that another process of the demo created.
    pub(super) fn at(base: PathBuf) -> Self {
        Self { base }
    }

    /// What other tests leave in a temp directory.
    fn furnish(&self) -> io::Result<()> {
        for (directory, file) in [("001/repo", "GUIDE.md"), ("001/repo/src", "main.txt"), ("003/logs", "run.log")] {
            let directory = self.temp().join(directory);
            fs::create_dir_all(&directory)?;
            fs::write(directory.join(file), "from an earlier test\n")?;
        }
        Ok(())
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// The temp directory of the parts.
    pub(super) fn temp(&self) -> PathBuf {
        self.base.join("tmp")
    }

    /// Where the test mounts.
    pub(super) fn mount_point(&self, name: &str) -> PathBuf {
        self.temp().join("002").join(name)
    }

    /// The file that both processes over pipes lock.
    pub(super) fn lock_file(&self) -> PathBuf {
        self.base.join("lock")
    }

    /// What `hangdog run` writes.
    pub(super) fn report(&self) -> PathBuf {
        self.base.join("report.json")
    }

    fn notes(&self) -> PathBuf {
        self.base.join("took-part")
    }

    /// Notes who took part. One `write` of a short line, so several processes may note at once.
    pub(super) fn note(&self, who: &TookPart) -> Result<(), DemoError> {
        let path = self.notes();
        let line = match who {
            TookPart::Process { pid, comm } => format!("process {pid} {comm}\n"),
            TookPart::Fuse(connection) => format!("fuse {connection}\n"),
        };
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(|source| DemoError::Stage { path, source })
    }

    /// Takes a short name and notes this process under it.
    pub(super) fn enter(&self, comm: &str) -> Result<(), DemoError> {
        let name = std::ffi::CString::new(comm).expect("names of parts hold no NUL");
        nix::sys::prctl::set_name(&name).map_err(DemoError::call("prctl(PR_SET_NAME)"))?;
        self.note(&TookPart::Process { pid: std::process::id(), comm: comm.to_owned() })
    }

    /// Who took part.
    pub(super) fn took_part(&self) -> Vec<TookPart> {
        let text = fs::read_to_string(self.notes()).unwrap_or_default();
        text.lines().filter_map(parse_note).collect()
    }

    /// The process that took part under this name.
    pub(super) fn pid_of(&self, name: &str) -> Option<u32> {
        self.took_part().into_iter().find_map(|who| match who {
            TookPart::Process { pid, comm } if comm == name => Some(pid),
            _ => None,
        })
    }

    /// What stays of those who took part, in words.
    pub(super) fn left_behind(&self) -> Vec<String> {
        let begin = Instant::now();
        loop {
            let left = self.still_there();
            if left.is_empty() || begin.elapsed() > PUT_AWAY {
                return left;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn still_there(&self) -> Vec<String> {
        let mut left: Vec<String> = self.took_part().iter().filter_map(still_there).collect();
        left.extend(self.mounts().into_iter().map(|at| format!("the mount {}", at.display())));
        left
    }

    /// Mounts below the stage, deepest first.
    fn mounts(&self) -> Vec<PathBuf> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut mounts: Vec<PathBuf> = table
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .map(|field| PathBuf::from(super::mount::unescape(field)))
            .filter(|point| point.starts_with(&self.base))
            .collect();
        mounts.reverse();
        mounts
    }

    /// Takes mounts that were left out of the tree; returns those that would not go.
    pub(super) fn detach_mounts(&self) -> Vec<String> {
        let detach = |point: PathBuf| {
            let error = super::mount::detach(&point).err()?;
            Some(format!("the mount {}: {error}", point.display()))
        };
        self.mounts().into_iter().filter_map(detach).collect()
    }

    /// Removes everything; returns what would not go.
    pub(super) fn strike(self) -> Vec<String> {
        let mut stuck = self.detach_mounts();
        // Below a mount that stays, removing would reach into somebody's file system.
        if stuck.is_empty()
            && let Err(error) = fs::remove_dir_all(&self.base)
        {
            stuck.push(format!("the directory {}: {error}", self.base.display()));
        }
        stuck
    }
}

fn parse_note(line: &str) -> Option<TookPart> {
    let mut words = line.split(' ');
    match (words.next()?, words.next()?.parse().ok()?, words.next()) {
        ("process", pid, Some(comm)) => Some(TookPart::Process { pid, comm: comm.to_owned() }),
        ("fuse", connection, None) => Some(TookPart::Fuse(connection)),
        _ => None,
    }
}

fn still_there(who: &TookPart) -> Option<String> {
    match who {
        TookPart::Process { pid, comm } => {
            let now = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            (now.trim_end() == comm).then(|| format!("the process {comm}[{pid}]"))
        }
        TookPart::Fuse(connection) => Path::new("/sys/fs/fuse/connections")
            .join(connection.to_string())
            .exists()
            .then(|| format!("the FUSE connection {connection}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let stage = Stage::new().unwrap();
        let process = TookPart::Process { pid: std::process::id(), comm: "indexd".to_owned() };
        stage.note(&process).unwrap();
        stage.note(&TookPart::Fuse(41)).unwrap();
        assert_eq!(stage.took_part(), [process, TookPart::Fuse(41)]);
        assert_eq!(stage.pid_of("indexd"), Some(std::process::id()));
        assert_eq!(stage.pid_of("nobody"), None);
        let base = stage.base().to_owned();
        assert_eq!(stage.strike(), Vec::<String>::new());
        assert!(!base.exists());
    }
}
