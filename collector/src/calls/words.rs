#![expect(unsafe_code, reason = "another process' memory is read by a system call without a safe form")]
//! The words of a held call: whose it is, the paths, the flags, the address.
//!
//! The caller waits in the kernel meanwhile, but its other threads do not: what is read may be changed at once. A read
//! of memory can block for good (a page of a file on FUSE, a lock on the memory): see `helper` for why that holds
//! nobody up.

use std::fs;

use hangdog_schemas::record::Call;
use hangdog_schemas::visit::PHASES;
use hangdog_schemas::{Fd, Pid, Tid, When, redact};

use super::table::{Flags, Held, Names, PathAt, flag_words};
use crate::observe::syscalls::Pointee;
use crate::observe::{argument, printable, status};

/// As long as a path can be.
const LONGEST_PATH: usize = 4096;
/// What is looked at of a message.
const MESSAGE: usize = 256;
/// Longest line of a request that is kept.
const LONGEST_REQUEST: usize = 200;
const PAGE: usize = 4096;

/// A call of which the words are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) tid: u32,
    pub(super) held: &'a Held,
    pub(super) args: [u64; 6],
}

/// Reads the words. `None` when it names nothing worth a line, or the caller has gone.
pub(super) fn words(asked: Asked<'_>, when: When) -> Option<Call> {
    let mut call = Call {
        when,
        pid: Pid(asked.tid),
        tid: Tid(asked.tid),
        parent: Pid(0),
        inner: None,
        comm: String::new(),
        name: asked.held.name.to_owned(),
        number: asked.held.number,
        paths: Vec::new(),
        flags: Vec::new(),
        address: None,
        fd: None,
        request: None,
        held_ns: 0,
    };
    let fd = || Some(Fd(asked.args[0] as u32));
    match asked.held.names {
        Names::Paths(paths, flags) => {
            call.paths = paths.iter().filter_map(|at| path(asked, *at)).collect();
            call.flags = flag_words(flags, &asked.args, how(asked, flags));
            let changes = !call.flags.is_empty() && !call.has("O_RDONLY");
            let is_phase = call.paths.first().is_some_and(|path| path.starts_with(PHASES));
            if call.paths.is_empty() || !is_phase && call.paths.iter().all(|path| is_of_system(path)) && !changes {
                return None;
            }
        }
        Names::Address => {
            call.fd = fd();
            let length = asked.args[2].min(128) as usize;
            let bytes = memory(asked.tid, asked.args[1], length)?;
            let argument = argument(Pointee::SocketAddress(length as u64), &bytes)?;
            let hangdog_schemas::fact::Argument::SocketAddress(address) = argument else { return None };
            call.address = Some(address);
        }
        Names::Place(_) => return None,
        Names::Socket => call.fd = fd(),
        Names::Message => {
            call.fd = fd();
            call.request = Some(request(&memory(asked.tid, asked.args[1], (asked.args[2] as usize).min(MESSAGE))?)?);
        }
    }
    let caller = status(&fs::read(format!("/proc/{}/status", asked.tid)).ok()?)?;
    // What a status names in each namespace is the thread: only of the first one is it the process too.
    let inner = caller.ns_pids.last().filter(|_| caller.ns_pids.len() > 1 && caller.tgid.0 == asked.tid);
    call.inner = inner.copied().map(Pid);
    (call.pid, call.parent, call.comm) = (caller.tgid, caller.parent, caller.comm);
    Some(call)
}

/// Where every program looks in the same way, and no run differs.
pub(super) fn is_of_system(path: &str) -> bool {
    const SYSTEM: [&str; 8] = ["/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/bin"];
    SYSTEM.iter().any(|system| path.strip_prefix(system).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        && !path.starts_with("/dev/shm/")
}

fn how(asked: Asked<'_>, flags: Flags) -> Option<u64> {
    let Flags::OpenHow(n) = flags else { return None };
    let bytes = memory(asked.tid, asked.args[usize::from(n)], 8)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

/// A path with its directory in front. The links of `/proc` are names that the kernel keeps: nothing is looked up.
pub(super) fn path(asked: Asked<'_>, (directory, at): PathAt) -> Option<String> {
    let bytes = string(asked.tid, asked.args[usize::from(at)])?;
    let path = printable(&bytes);
    if path.starts_with('/') {
        return Some(clean(&path));
    }
    let link = match directory.map(|n| asked.args[usize::from(n)] as i32) {
        None | Some(libc::AT_FDCWD) => format!("/proc/{}/cwd", asked.tid),
        Some(fd) => format!("/proc/{}/fd/{fd}", asked.tid),
    };
    match fs::read_link(link) {
        Ok(directory) if path.is_empty() => Some(directory.to_string_lossy().into_owned()),
        Ok(directory) => Some(clean(&format!("{}/{path}", directory.to_string_lossy()))),
        Err(_) => Some(path),
    }
}

/// `a/./b//c` is `a/b/c`, and `a/b/../c` is `a/c`: where a link is in between this may be another file, as a name it is
/// the same in every run.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// `GET /front`, of a message that begins an HTTP request. A query may hold secrets and is left out.
fn request(bytes: &[u8]) -> Option<String> {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];
    let line = bytes.split(|byte| *byte == b'\r' || *byte == b'\n').next()?;
    let text = printable(line);
    let (method, rest) = text.split_once(' ')?;
    let target = METHODS.contains(&method).then(|| rest.split(' ').next())??;
    let target = target.split(['?', '#']).next().unwrap_or_default();
    let text: String = format!("{method} {target}").chars().take(LONGEST_REQUEST).collect();
    Some(redact::arguments(&[text.as_str()]).value.into_iter().next().unwrap_or_default())
}

/// A string up to its NUL, page by page: what follows it may not be there.
fn string(tid: u32, address: u64) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    while found.len() < LONGEST_PATH {
        let at = address.checked_add(found.len() as u64)?;
        let room = PAGE - (at as usize % PAGE);
        let bytes = memory(tid, at, room.min(LONGEST_PATH - found.len()))?;
        if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
            found.extend_from_slice(&bytes[..end]);
            return Some(found);
        }
        found.extend_from_slice(&bytes);
    }
    None
}

fn memory(tid: u32, address: u64, length: usize) -> Option<Vec<u8>> {
    if length == 0 || address == 0 {
        return None;
    }
    let mut bytes = vec![0_u8; length];
    let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length };
    // SAFETY: `local` is memory of ours of that length; the other process' memory is only read, and by the kernel.
    let read = unsafe { libc::process_vm_readv(tid as i32, &raw const local, 1, &raw const remote, 1, 0) };
    bytes.truncate(usize::try_from(read).ok().filter(|read| *read > 0)?);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_lose_their_query() {
        assert_eq!(request(b"GET /front?token=1 HTTP/1.1\r\nHost: x\r\n").as_deref(), Some("GET /front"));
        assert_eq!(request(b"POST /a HTTP/1.0\n").as_deref(), Some("POST /a"));
        assert_eq!(request(b"\x16\x03\x01"), None);
        assert_eq!(request(b"GETTING /x"), None);
    }

    #[test]
    fn paths_are_plain() {
        assert_eq!(clean("/a/./b//c/"), "/a/b/c");
        assert_eq!(clean("/a/b/../c"), "/a/c");
        assert_eq!(clean("/../.."), "/");
    }

    #[test]
    fn places_of_the_system_are_known() {
        assert!(is_of_system("/usr/lib/x"));
        assert!(is_of_system("/dev"));
        assert!(!is_of_system("/dev/shm/x"));
        assert!(!is_of_system("/users/x"));
    }

    #[test]
    fn own_memory_is_read_to_the_end_of_a_string() {
        let text = c"/tmp/leader";
        assert_eq!(string(std::process::id(), text.as_ptr() as u64).as_deref(), Some(&b"/tmp/leader"[..]));
        assert_eq!(string(std::process::id(), 8), None);
    }
}
