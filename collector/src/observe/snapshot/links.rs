//! Descriptors as a snapshot keeps them while it is taken: fifty thousand of them are to fit in a few MiB, so a pipe or
//! socket is its number, and a name and an ordinary `fdinfo` stand once for all that share it.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use hangdog_schemas::fact::{Access, FdDetail, FdLock};
use hangdog_schemas::{Big, Fd, Inode, Observed};

use super::scene::Seen;
use crate::observe::parse::fdinfo::{FdInfo, access, fdinfo};
use crate::observe::parse::text::{number, text};
use crate::observe::worker::{Kind, parts};

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// `pipe:[N]`
    Pipe(u64),
    /// `socket:[N]`
    Socket(u64),
    /// Anything else: one word wide, where `Rc<str>` has two.
    Name(Rc<String>),
}

impl Target {}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipe(number) => write!(f, "pipe:[{number}]"),
            Self::Socket(number) => write!(f, "socket:[{number}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What was seen so far and is the same in many places, once each.
#[derive(Debug, Default)]
pub(super) struct Names {
    words: HashMap<String, Rc<String>>,
    /// By the bytes that they were read from.
    lists: HashMap<(ListOf, Vec<u8>), Rc<Vec<String>>>,
    infos: HashMap<Plain, Rc<Info>>,
    /// By what the owner of a link may do.
    opened: HashMap<u32, Rc<Info>>,
}

/// What a list of names is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ListOf {
    /// Functions of a kernel stack.
    Frames,
    /// Control groups.
    Groups,
    /// A command line.
    Words,
}

impl Names {
    /// A descriptor, by the text of its link.
    fn link(&mut self, fd: Fd, bytes: &[u8]) -> Link {
        let inner =
            |kind: &[u8]| number(bytes.strip_prefix(kind)?.strip_suffix(b"]")?).filter(|number: &u32| *number > 0);
        let (number, name) = match (inner(b"pipe:["), inner(b"socket:[")) {
            (Some(number), _) => (number, None),
            (None, Some(number)) => (number, Some(self.name(b"socket"))),
            (None, None) => (0, Some(self.name(bytes))),
        };
        Link { fd, number, name, info: None }
    }

    /// A name by its bytes.
    pub(super) fn name(&mut self, bytes: &[u8]) -> Rc<String> {
        if let Some(known) = std::str::from_utf8(bytes).ok().and_then(|name| self.words.get(name)) {
            return Rc::clone(known);
        }
        let name = Rc::new(text(bytes));
        self.words.insert(String::clone(&name), Rc::clone(&name));
        name
    }

    /// A list by the bytes that it is read from.
    pub(super) fn list(
        &mut self,
        of: ListOf,
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> Vec<String>,
    ) -> Rc<Vec<String>> {
        Rc::clone(self.lists.entry((of, bytes.to_vec())).or_insert_with(|| Rc::new(read(bytes))))
    }

    fn opened(&mut self, mode: u32) -> Rc<Info> {
        let mode = mode & (libc::S_IRUSR | libc::S_IWUSR);
        Rc::clone(self.opened.entry(mode).or_insert_with(|| Rc::new(Info::Opened(access_by_mode(mode)))))
    }

    fn info(&mut self, info: FdInfo, number: Option<u64>) -> Rc<Info> {
        match (info.position, info.inode, info.flags, info.mount) {
            (Some(position), Some(inode), Some(flags), Some(mount))
                if info.detail.is_plain() && info.locks.is_empty() =>
            {
                let inode = Some(inode).filter(|inode| number != Some(inode.0));
                let plain = Plain { position, inode, flags, mount };
                Rc::clone(self.infos.entry(plain).or_insert_with(|| Rc::new(Info::Plain(plain))))
            }
            _ => Rc::new(Info::Other(info)),
        }
    }
}

/// What `fdinfo` says of every open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plain {
    /// Where the next read or write is.
    position: u64,
    /// Of the file; that of a pipe is its number, and not said again.
    inode: Option<Inode>,
    /// How it was opened.
    flags: u32,
    /// Number of the mount on which it lies.
    mount: u32,
}

/// What `fdinfo` says, or the link itself.
#[derive(Debug)]
pub(super) enum Info {
    /// For what a pipe was opened, by the mode of the link.
    Opened(Access),
    /// What it says of every open file, and nothing more.
    Plain(Plain),
    /// More than that, or less.
    Other(FdInfo),
}

/// A descriptor.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) fd: Fd,
    /// That of a pipe or socket: the kernel gives numbers of 32 bits (fs/inode.c, `get_next_ino`). Else 0.
    number: u32,
    /// `None` of a pipe; of a socket the same for all.
    name: Option<Rc<String>>,
    /// `None`: it was not read.
    info: Option<Rc<Info>>,
}

impl Link {
    pub(super) fn target(&self) -> Target {
        match (&self.name, self.number) {
            (Some(name), 0) => Target::Name(Rc::clone(name)),
            (Some(_), number) => Target::Socket(number.into()),
            (None, number) => Target::Pipe(number.into()),
        }
    }

    /// What its link says when it is neither a pipe nor a socket.
    pub(super) fn name(&self) -> &str {
        self.name.as_ref().filter(|_| self.number == 0).map_or("", |name| name.as_str())
    }

    pub(super) fn has_info(&self) -> bool {
        self.info.is_some()
    }

    pub(super) fn position(&self) -> Option<u64> {
        match self.info.as_deref()? {
            Info::Opened(_) => None,
            Info::Plain(plain) => Some(plain.position),
            Info::Other(info) => info.position,
        }
    }

    /// Of the file, by `fdinfo`.
    pub(super) fn inode(&self) -> Option<Inode> {
        match self.info.as_deref()? {
            Info::Opened(_) => self.number().map(Big),
            Info::Plain(plain) => plain.inode.or_else(|| self.number().map(Big)),
            Info::Other(info) => info.inode,
        }
    }

    pub(super) fn flags(&self) -> Option<u32> {
        match self.info.as_deref()? {
            Info::Opened(_) => None,
            Info::Plain(plain) => Some(plain.flags),
            Info::Other(info) => info.flags,
        }
    }

    pub(super) fn mount(&self) -> Option<u32> {
        match self.info.as_deref()? {
            Info::Opened(_) => None,
            Info::Plain(plain) => Some(plain.mount),
            Info::Other(info) => info.mount,
        }
    }

    /// For what it was opened.
    pub(super) fn access(&self) -> Option<Access> {
        if let Some(Info::Opened(access)) = self.info.as_deref() { Some(*access) } else { self.flags().map(access) }
    }

    pub(super) fn detail(&self) -> Option<&FdDetail> {
        match self.info.as_deref()? {
            Info::Opened(_) | Info::Plain(_) => Some(&FdDetail::Plain),
            Info::Other(info) => Some(&info.detail),
        }
    }

    pub(super) fn locks(&self) -> &[FdLock] {
        if let Some(Info::Other(info)) = self.info.as_deref() { &info.locks } else { &[] }
    }

    pub(super) fn is_epoll(&self) -> bool {
        self.name() == "anon_inode:[eventpoll]"
    }

    /// Whether its fdinfo can say anything, and cannot get stuck.
    pub(super) fn has_plain_info(&self) -> bool {
        self.socket().is_none() && !self.is_epoll()
    }

    /// Whether its name is a path, which more than one may have open.
    pub(super) fn has_path(&self) -> bool {
        self.name().starts_with('/')
    }

    /// Whether it is a file with a path, and no device.
    pub(super) fn is_file(&self) -> bool {
        let name = self.name();
        name.starts_with('/') && !name.starts_with("/dev/")
    }

    /// The number of a socket.
    pub(super) fn socket(&self) -> Option<u64> {
        self.number().filter(|_| self.name.is_some())
    }

    /// The number of a pipe or socket.
    pub(super) fn number(&self) -> Option<u64> {
        Some(self.number.into()).filter(|number| *number > 0)
    }
}

/// For what a file was opened, by the mode of its link (fs/proc/fd.c, `tid_fd_update_inode`).
fn access_by_mode(mode: u32) -> Access {
    match (mode & libc::S_IRUSR != 0, mode & libc::S_IWUSR != 0) {
        (true, true) => Access::ReadWrite,
        (true, false) => Access::Read,
        (false, true) => Access::Write,
        (false, false) => Access::Path,
    }
}

/// What became of an answer about the descriptors of a process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// There are more, from this one on.
    pub(super) more: Option<u32>,
    /// An `fdinfo` was refused.
    pub(super) info_denied: bool,
}

impl Seen {
    /// Takes over an answer about its descriptors.
    pub(super) fn take_links(&mut self, bytes: &[u8], names: &mut Names) -> Taken {
        let mut taken = Taken::default();
        let count = parts(bytes).filter(|part| part.kind == Kind::Link).count();
        self.links.reserve_exact(count);
        for part in parts(bytes) {
            match (part.kind, part.value) {
                (Kind::Link, Observed::Seen(bytes)) => {
                    self.links.push(names.link(Fd(part.number), bytes));
                }
                (Kind::Info, Observed::Seen(bytes)) => self.take_info(Fd(part.number), bytes, names),
                (Kind::Mode, Observed::Seen(bytes)) => {
                    let mode = bytes.try_into().ok().map(u32::from_ne_bytes);
                    let link = self.links.last_mut().filter(|link| link.fd == Fd(part.number));
                    if let (Some(link), Some(mode)) = (link, mode) {
                        link.info = Some(names.opened(mode));
                    }
                }
                (Kind::Info, why) => taken.info_denied |= why == Observed::Denied,
                (Kind::More, _) => taken.more = Some(part.number),
                (_, Observed::Seen(_) | Observed::Vanished) => {}
                // Some links are missing for one reason: it stands for all of them.
                (_, why) => self.no_links = Some(why.map(|_| ())),
            }
        }
        taken
    }

    /// Takes over what `fdinfo` says of a descriptor.
    pub(super) fn take_info(&mut self, fd: Fd, bytes: &[u8], names: &mut Names) {
        if let Some(link) = self.links.iter_mut().rfind(|link| link.fd == fd) {
            link.info = Some(names.info(fdinfo(link.name(), bytes), link.number()));
        }
    }
}
