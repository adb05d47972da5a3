//! A FUSE server that takes requests and never answers one kind of them. It speaks the protocol itself, version 7.31.
//!
//! It has `file`, `dir` and `link`; no other name is there.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::Stdio;

use crate::{Outcome, role};

/// Kinds of requests, by their numbers in `linux/fuse.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Lookup = 1,
    Forget = 2,
    GetAttr = 3,
    SetAttr = 4,
    ReadLink = 5,
    Open = 14,
    Read = 15,
    Write = 16,
    StatFs = 17,
    Release = 18,
    Fsync = 20,
    Flush = 25,
    Init = 26,
    OpenDir = 27,
    ReadDir = 28,
    ReleaseDir = 29,
    SetLockWait = 33,
    Access = 34,
    Interrupt = 36,
    Ioctl = 39,
    Poll = 40,
    BatchForget = 42,
    /// None of the protocol: nothing is even read but the first request.
    All = 999,
}

impl Op {
    const KNOWN: [Self; 23] = [
        Self::Lookup,
        Self::Forget,
        Self::GetAttr,
        Self::SetAttr,
        Self::ReadLink,
        Self::Open,
        Self::Read,
        Self::Write,
        Self::StatFs,
        Self::Release,
        Self::Fsync,
        Self::Flush,
        Self::Init,
        Self::OpenDir,
        Self::ReadDir,
        Self::ReleaseDir,
        Self::SetLockWait,
        Self::Access,
        Self::Interrupt,
        Self::Ioctl,
        Self::Poll,
        Self::BatchForget,
        Self::All,
    ];

    pub(super) fn number(self) -> u32 {
        self as u32
    }

    fn of(number: u32) -> Option<Self> {
        Self::KNOWN.into_iter().find(|op| op.number() == number)
    }
}

const ROOT: u64 = 1;
/// Each name with its node and mode.
const NAMES: [(&[u8], u64, u32); 3] =
    [(b"file", 2, libc::S_IFREG | 0o755), (b"dir", 3, libc::S_IFDIR | 0o755), (b"link", 4, libc::S_IFLNK | 0o777)];
const SIZE: u64 = 4096;
/// `FUSE_ASYNC_READ`: without it who reads ahead waits for the answer itself, and not for the page.
const ASYNC_READ: u32 = 1 << 0;
/// `FUSE_POSIX_LOCKS`: without it locks are the kernel's own business.
const POSIX_LOCKS: u32 = 1 << 1;
/// `FOPEN_DIRECT_IO`.
const DIRECT: u64 = 1;

/// A connection, and how it is served.
struct Server {
    device: File,
    log: File,
    silent: Op,
    /// Which of the opens go past the page cache: all, or all but the first.
    direct_from: u32,
    opened: u32,
    /// Seconds for which attributes hold.
    valid: u64,
}

/// `stuck-server NAME OP LOG`, with the device as standard input.
pub(crate) fn serve(arguments: &[String]) -> Outcome {
    let [name, op, log] = arguments else { return Err("a name, a kind of request and a log are needed".into()) };
    role::take("server")?;
    let silent = Op::of(op.parse()?).ok_or("no such kind of request")?;
    let direct_from = match name.as_str() {
        "read-direct" | "write-direct" => 0,
        "inside-mmap" => 1,
        _ => u32::MAX,
    };
    let valid = if silent == Op::GetAttr { 0 } else { 3600 };
    let device = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let log = File::options().create(true).append(true).open(log)?;
    let mut server = Server { device, log, silent, direct_from, opened: 0, valid };
    let mut request = vec![0; 1 << 20];
    loop {
        let n = (&server.device).read(&mut request)?;
        server.take(&request[..n])?;
        if silent == Op::All {
            break;
        }
    }
    if name == "server-died" {
        // The holder has the device as its standard input, and nobody reads from it.
        role::part("stuck-holder")?.stdin(Stdio::from(server.device)).spawn()?;
        return Ok(());
    }
    loop {
        nix::unistd::pause();
    }
}

impl Server {
    /// Notes a request, and answers it if it is to be answered.
    fn take(&mut self, request: &[u8]) -> io::Result<()> {
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().expect("four bytes"));
        let node = u64::from(word(16)) | u64::from(word(20)) << 32;
        let op = Op::of(word(4));
        // Nodes are forgotten when the kernel needs memory, not because somebody looks.
        if matches!(op, Some(Op::Forget | Op::BatchForget)) {
            return Ok(());
        }
        let mut line = String::new();
        std::fmt::Write::write_fmt(&mut line, format_args!("{}\n", word(4))).expect("a string grows");
        self.log.write_all(line.as_bytes())?;
        // The rest of a look-up is the name, with a NUL at its end.
        let known = NAMES.iter().find(|(name, ..)| request.get(40..request.len() - 1) == Some(*name));
        let is_silent = op == Some(self.silent) && !(op == Some(Op::Lookup) && known.is_some());
        if is_silent || op == Some(Op::Interrupt) {
            return Ok(());
        }
        let body = self.answer(op, node, known.map(|(_, node, mode)| (*node, *mode)));
        let (error, body) = body.map_or_else(|errno| (-errno, Vec::new()), |body| (0, body));
        let mut reply = (16 + body.len() as u32).to_ne_bytes().to_vec();
        reply.extend(error.to_ne_bytes());
        reply.extend(&request[8..16]);
        reply.extend(body);
        // Whoever asked may be gone.
        let _ = (&self.device).write_all(&reply);
        Ok(())
    }

    fn answer(&mut self, op: Option<Op>, node: u64, found: Option<(u64, u32)>) -> Result<Vec<u8>, i32> {
        let mode =
            NAMES.iter().find(|(_, known, _)| *known == node).map_or(libc::S_IFDIR | 0o755, |(.., mode)| *mode);
        Ok(match op.ok_or(libc::ENOSYS)? {
            // Version, read-ahead, flags, background requests, bytes of one write, grain of time.
            Op::Init => {
                let words = [7, 31, 4096, ASYNC_READ | POSIX_LOCKS, 0, 4096, 1];
                words.into_iter().chain([0; 9]).flat_map(u32::to_ne_bytes).collect()
            }
            Op::Lookup => {
                let (node, mode) = found.filter(|_| node == ROOT).ok_or(libc::ENOENT)?;
                [long(&[node, 0, 3600, self.valid, 0]), attributes(node, mode)].concat()
            }
            Op::GetAttr | Op::SetAttr => [long(&[self.valid, 0]), attributes(node, mode)].concat(),
            Op::Open => {
                self.opened += 1;
                long(&[1, if self.opened > self.direct_from { DIRECT } else { 0 }])
            }
            Op::OpenDir => long(&[1, 0]),
            Op::Read => vec![0; SIZE as usize],
            Op::Write => long(&[SIZE]),
            Op::ReadDir | Op::Release | Op::ReleaseDir | Op::Fsync => Vec::new(),
            _ => return Err(libc::ENOSYS),
        })
    }
}

fn long(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// `struct fuse_attr`.
fn attributes(node: u64, mode: u32) -> Vec<u8> {
    let size = if mode & libc::S_IFMT == libc::S_IFREG { SIZE } else { 0 };
    let mut out = long(&[node, size, 8, 0, 0, 0]);
    out.extend([0, 0, 0, mode, 1, 0, 0, 0, 4096, 0_u32].iter().flat_map(|word| word.to_ne_bytes()));
    out
}
