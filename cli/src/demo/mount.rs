//! Mounting a FUSE file system without help from set-uid programs where the kernel lets us, as root or not.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sched::{CloneFlags, unshare};

use super::DemoError;
use super::stage::{Stage, TookPart};

/// How a FUSE file system is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Way {
    /// `mount(2)` in the mount namespace we were started in: root.
    Direct,
    /// `mount(2)` in a user and mount namespace of one's own: anybody, where `/dev/fuse` may be opened.
    Namespace,
    /// The set-uid program `fusermount3`, where it is installed.
    Fusermount,
}

impl Way {
    /// All, in the order in which they are tried.
    pub(super) const ALL: [Self; 3] = [Self::Direct, Self::Namespace, Self::Fusermount];

    /// Its word on the command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Namespace => "namespace",
            Self::Fusermount => "fusermount",
        }
    }

    /// How it is done, for people.
    pub(super) fn explained(self) -> &'static str {
        match self {
            Self::Direct => "mounted directly",
            Self::Namespace => "mounted in a user and mount namespace of its own",
            Self::Fusermount => "mounted by fusermount3",
        }
    }

    /// What must happen before this process has threads or children.
    pub(super) fn prepare(self) -> Result<(), DemoError> {
        match self {
            Self::Namespace => own_namespace(),
            Self::Direct | Self::Fusermount => Ok(()),
        }
    }
}

/// A mounted file system, served by a thread of this process. Dropping it does not unmount: only
/// [`Mounted::unmount`] does, while the session loop still answers.
pub(super) struct Mounted {
    session: fuser::BackgroundSession,
    point: PathBuf,
    way: Way,
}

impl Mounted {
    /// Mounts `file_system` and serves it in the background, one request at a time.
    pub(super) fn new<F: fuser::Filesystem>(file_system: F, point: &Path, way: Way) -> Result<Self, DemoError> {
        let failed = |source| DemoError::Call { call: "mounting", source };
        let mut config = fuser::Config::default();
        let session = match way {
            Way::Fusermount => {
                config.mount_options = vec![fuser::MountOption::FSName("outbox".to_owned())];
                fuser::Session::new(file_system, point, &config).map_err(failed)?
            }
            Way::Direct | Way::Namespace => {
                let device = mount(point).map_err(failed)?;
                fuser::Session::from_fd(file_system, device, fuser::SessionACL::Owner, config).map_err(failed)?
            }
        };
        let session = session.spawn().map_err(failed)?;
        Ok(Self { session, point: point.to_owned(), way })
    }

    /// The FUSE connection, as `/sys/fs/fuse/connections` counts them.
    pub(super) fn connection(&self) -> Option<u32> {
        let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
        table.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(2);
            let device = fields.next()?;
            let point = fields.nth(1)?;
            (Path::new(&unescape(point)) == self.point).then(|| device.split_once(':')?.1.parse().ok())?
        })
    }

    /// Unmounts and waits for the session loop to end.
    pub(super) fn unmount(self) -> Result<(), DemoError> {
        let failed = |source| DemoError::Call { call: "unmounting", source };
        match self.way {
            Way::Fusermount => self.session.umount_and_join().map_err(failed),
            Way::Direct | Way::Namespace => {
                umount2(&self.point, MntFlags::UMOUNT_NOFOLLOW).map_err(|errno| failed(errno.into()))?;
                self.session.join().map_err(failed)
            }
        }
    }
}

/// Opens `/dev/fuse` and mounts it: what `fusermount3` does.
fn mount(point: &Path) -> io::Result<OwnedFd> {
    let device = File::options().read(true).write(true).custom_flags(libc::O_CLOEXEC).open("/dev/fuse")?;
    let options = format!(
        "fd={},rootmode=40000,user_id={},group_id={}",
        device.as_raw_fd(),
        nix::unistd::geteuid(),
        nix::unistd::getegid()
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    nix::mount::mount(Some("outbox"), point, Some("fuse.outbox"), flags, Some(options.as_str()))?;
    Ok(device.into())
}

/// Moves this process into a user and mount namespace of its own, in which it keeps its user number
/// and may mount. The kernel asks for a single thread.
fn own_namespace() -> Result<(), DemoError> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(DemoError::call("unshare(CLONE_NEWUSER | CLONE_NEWNS)"))?;
    // `setgroups` must be given up before an ordinary user may map a group: user_namespaces(7).
    for (file, line) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{uid} {uid} 1")),
        ("/proc/self/gid_map", format!("{gid} {gid} 1")),
    ] {
        fs::write(file, line).map_err(|source| DemoError::Stage { path: file.into(), source })?;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(DemoError::call("making the mounts private"))
}

/// A file system with nothing in it.
struct Empty;

impl fuser::Filesystem for Empty {}

/// Mounts and unmounts once, and prints why it cannot. Run as a process of its own, since a user
/// namespace cannot be left again.
pub(super) fn probe(base: &Path, way: Way) -> Result<(), DemoError> {
    let tried = try_once(base, way);
    if let Err(error) = &tried {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        println!("{error}{cause}");
    }
    tried
}

fn try_once(base: &Path, way: Way) -> Result<(), DemoError> {
    way.prepare()?;
    let point = base.join("probe");
    fs::create_dir_all(&point).map_err(|source| DemoError::Stage { path: point.clone(), source })?;
    if way == Way::Fusermount && !has_fusermount() {
        let source = io::Error::new(io::ErrorKind::NotFound, "it is not installed");
        return Err(DemoError::Start { what: "fusermount3", source });
    }
    Mounted::new(Empty, &point, way)?.unmount()
}

/// The first way that works here, or why each does not.
pub(super) fn find_way(stage: &Stage) -> Result<Result<Way, Vec<String>>, DemoError> {
    let mut refused = Vec::new();
    for way in Way::ALL {
        let output = super::show::part(stage, "probe")?
            .args(["--way", way.word()])
            .output()
            .map_err(|source| DemoError::Start { what: "the probe for FUSE", source })?;
        if output.status.success() {
            return Ok(Ok(way));
        }
        refused.push(format!("{}: {}", way.word(), String::from_utf8_lossy(&output.stdout).trim()));
    }
    Ok(Err(refused))
}

fn has_fusermount() -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join("fusermount3").is_file()))
}

/// Takes a mount that was left out of the tree, whatever state its server is in.
pub(super) fn detach(point: &Path) -> io::Result<()> {
    match umount2(point, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        Err(nix::errno::Errno::EPERM) if has_fusermount() => {
            let status = Command::new("fusermount3").args(["-u", "-z", "--"]).arg(point).status()?;
            if status.success() { Ok(()) } else { Err(io::Error::other("fusermount3 -u -z failed")) }
        }
        result => Ok(result?),
    }
}

/// A field of mountinfo: spaces, tabs, newlines and backslashes are written in octal, `\040`.
pub(super) fn unescape(field: &str) -> OsString {
    let bytes = field.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\')
            .then(|| field.get(at + 1..at + 4))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(octal.unwrap_or(bytes[at]));
        at += if octal.is_some() { 4 } else { 1 };
    }
    OsString::from_vec(plain)
}

/// Notes the connection for the look at what is left.
pub(super) fn note_connection(stage: &Stage, mounted: &Mounted) -> Result<(), DemoError> {
    mounted.connection().map_or(Ok(()), |connection| stage.note(&TookPart::Fuse(connection)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: &str, plain: &str) {
        assert_eq!(unescape(field), OsString::from(plain));
    }

    #[test]
    fn mountinfo_writes_blanks_in_octal() {
        check("/tmp/mount", "/tmp/mount");
        check(r"/tmp/my\040mount", "/tmp/my mount");
        check(r"/tmp/a\134b", r"/tmp/a\b");
        check(r"/tmp/cut\04", r"/tmp/cut\04");
    }
}
