//! The file system of the test: what is written to `send` goes to the server when the file is closed.
//!
//! ```text
//!     /              listed once by the test; from then on the kernel answers for it from its cache
//!     ├── conversation/   empty; never cached, so each look-up is asked of the session loop
//!     └── send            write, then close: FLUSH becomes POST /api/conversations/new
//! ```
//!
//! The session loop takes one request at a time: while FLUSH waits for the reply to its POST, nobody
//! answers for `conversation`.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, LockOwner, OpenFlags,
    ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};

use super::indexd::Address;

/// Attributes may be kept for the life of the mount.
const LONG: Duration = Duration::from_hours(1);
/// Names may not.
const NEVER: Duration = Duration::ZERO;

const CONVERSATION: INodeNo = INodeNo(2);
const SEND: INodeNo = INodeNo(3);

/// The file system.
#[derive(Debug)]
pub(super) struct Outbox {
    server: Address,
    /// `fuse:MOUNT`, as phases name it.
    key: String,
    /// What was written to `send` and not yet sent.
    text: Mutex<Vec<u8>>,
}

impl Outbox {
    /// One that is to be mounted at `point` and sends to `server`.
    pub(super) fn new(server: Address, point: &Path) -> Self {
        Self { server, key: format!("fuse:{}", point.display()), text: Mutex::default() }
    }

    /// Sends what was written. Blocks until the server answers, without a limit: the mistake.
    fn send(&self, text: &[u8]) -> Result<(), Errno> {
        let phase = tracing::info_span!(
            "flush send",
            hang.serve = self.key,
            hang.wait = %self.server.resource(),
            bytes = text.len(),
        );
        let _open = phase.enter();
        match ureq::post(self.server.url("/api/conversations/new")).send(text) {
            Ok(_) => Ok(()),
            Err(error) => {
                eprintln!("fuse.test: POST /api/conversations/new: {error}");
                Err(Errno::EIO)
            }
        }
    }

    fn attributes(&self, node: INodeNo) -> Option<FileAttr> {
        let (kind, perm) = match node {
            INodeNo::ROOT | CONVERSATION => (FileType::Directory, 0o755),
            SEND => (FileType::RegularFile, 0o644),
            _ => return None,
        };
        let size = if node == SEND { self.written().len() as u64 } else { 0 };
        Some(FileAttr {
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
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            rdev: 0,
            blksize: 512,
            flags: 0,
        })
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.text.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Filesystem for Outbox {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let node = match (parent, name.to_str()) {
            (INodeNo::ROOT, Some("conversation")) => CONVERSATION,
            (INodeNo::ROOT, Some("send")) => SEND,
            _ => return reply.error(Errno::ENOENT),
        };
        match self.attributes(node) {
            Some(attributes) => reply.entry_with_ttls(&NEVER, &LONG, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(node) {
            Some(attributes) => reply.attr(&LONG, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    /// Truncation by `>` of a shell.
    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<std::time::SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<std::time::SystemTime>,
        _chgtime: Option<std::time::SystemTime>,
        _bkuptime: Option<std::time::SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        if let (SEND, Some(0)) = (node, size) {
            self.written().clear();
        }
        match self.attributes(node) {
            Some(attributes) => reply.attr(&LONG, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    /// "Not implemented" tells the kernel that it need not ask and may keep listings (`no_opendir`).
    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn readdir(&self, _: &Request, node: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let entries: &[(INodeNo, FileType, &str)] = match node {
            INodeNo::ROOT => &[
                (INodeNo::ROOT, FileType::Directory, "."),
                (INodeNo::ROOT, FileType::Directory, ".."),
                (CONVERSATION, FileType::Directory, "conversation"),
                (SEND, FileType::RegularFile, "send"),
            ],
            CONVERSATION => &[(CONVERSATION, FileType::Directory, "."), (INodeNo::ROOT, FileType::Directory, "..")],
            _ => return reply.error(Errno::ENOTDIR),
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (index, (inode, kind, name)) in entries.iter().enumerate().skip(from) {
            let next = index as u64 + 1;
            if reply.add(*inode, next, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let written = self.written();
        let from = usize::try_from(offset).map_or(written.len(), |from| from.min(written.len()));
        let to = from.saturating_add(size as usize).min(written.len());
        reply.data(&written[from..to]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut written = self.written();
        if offset != written.len() as u64 || written.len() + data.len() > 1 << 20 {
            return reply.error(Errno::EFBIG);
        }
        written.extend_from_slice(data);
        reply.written(data.len() as u32);
    }

    fn flush(&self, _: &Request, node: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        let text = if node == SEND { std::mem::take(&mut *self.written()) } else { Vec::new() };
        if text.is_empty() {
            return reply.ok();
        }
        match self.send(&text) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }
}
