//! A FUSE file system that takes requests and never answers them.
//!
//! It has one file, `data`, that can be opened and read. Nobody ever gets an answer to a look-up of another name, nor
//! to a write.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use hangdog_tests::Undo;
use nix::mount::{MsFlags, mount};
use tempfile::TempDir;

const LONG: Duration = Duration::from_hours(1);
const DATA: INodeNo = INodeNo(2);
const PAGE: usize = 4096;

/// The mount. Dropping it lets all waiters go and unmounts.
pub(crate) struct SilentMount {
    _abort: Undo,
    directory: TempDir,
}

/// All waiters go with the connection.
const ABORT: &str = r#"echo 1 > "/sys/fs/fuse/connections/$2/abort"; umount -l "$1"; rmdir "$1""#;

impl SilentMount {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("hangdog-tests-").tempdir().expect("a directory");
        let device = File::options().read(true).write(true).custom_flags(libc::O_CLOEXEC).open("/dev/fuse");
        let device = device.expect("looked for before");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("silent"), directory.path(), Some("fuse.silent"), flags, Some(options.as_str())).expect("a mount");
        let config = fuser::Config::default();
        let session = fuser::Session::from_fd(Silent::default(), device.into(), fuser::SessionACL::Owner, config);
        // It ends when the connection is aborted.
        let _server = session.and_then(fuser::Session::spawn).expect("a server");
        let device = fs::metadata(directory.path()).expect("the root is answered for").dev();
        let connection = rustix::fs::minor(device).to_string();
        let abort = Undo::by(ABORT, [directory.path().as_os_str(), connection.as_ref()]);
        Self { _abort: abort, directory }
    }

    /// A path that is never found, nor not found.
    pub(crate) fn never(&self) -> PathBuf {
        self.directory.path().join("never")
    }

    /// The file that is never written to.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

#[derive(Debug, Default)]
struct Silent {
    opened: AtomicU64,
    kept: Mutex<Vec<Kept>>,
}

/// A reply that is dropped would be an error.
#[derive(Debug)]
#[expect(dead_code, reason = "kept, never used")]
enum Kept {
    Entry(ReplyEntry),
    Write(ReplyWrite),
}

impl Silent {
    fn keep(&self, reply: Kept) {
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(reply);
    }
}

fn attributes(node: INodeNo) -> FileAttr {
    let (kind, perm, size) =
        if node == DATA { (FileType::RegularFile, 0o600, PAGE as u64) } else { (FileType::Directory, 0o700, 0) };
    FileAttr {
        ino: node,
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 512,
        flags: 0,
    }
}

impl Filesystem for Silent {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == "data" {
            reply.entry(&LONG, &attributes(DATA), Generation(0));
        } else {
            self.keep(Kept::Entry(reply));
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&LONG, &attributes(node));
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<FileHandle>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        reply.attr(&LONG, &attributes(node));
    }

    /// The second time without the page cache.
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let first = self.opened.fetch_add(1, Ordering::Relaxed) == 0;
        reply.opened(FileHandle(0), if first { FopenFlags::empty() } else { FopenFlags::FOPEN_DIRECT_IO });
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        reply.data(&[0; PAGE][..PAGE.min(size as usize)]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.keep(Kept::Write(reply));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: fuser::ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }
}
