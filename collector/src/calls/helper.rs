#![expect(unsafe_code, reason = "the ioctls of seccomp have no safe form")]
//! The helper process: hears of held calls, notes them, lets them go on.
//!
//! ```text
//! reader:  hear ─▶ words ─▶ note ─▶ go on, or ─▶ held for later ─┐
//! keeper:  every held call that is due goes on ◀─────────────────┘
//!          a reader that is stuck in somebody's memory: its call goes on, and another reader takes its place
//! ```
//!
//! Lines go to memory that the main loop reads when it wants to: nobody waits for anybody.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hangdog_schemas::record::{Call, Lost, Visit};
use hangdog_schemas::{Disturbance, Place, Record, When};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, memfd_create};

use super::chance::Chance;
use super::filter::{Installer, receive};
use super::table::{Extent, Held, Names, held};
use super::visit::{Owners, phase, visit};
use super::words::{Asked, words};
use crate::clock::RunClock;
use crate::kernel::{Helper, fork_helper};

/// What is kept of one run, bytes.
const MOST: u64 = 96 << 20;
/// A line is not longer: two paths of 4096 bytes, escaped.
const BLOCK: usize = 256 << 10;
/// A reader that has been in somebody's memory for so long is stuck there.
const STUCK: Duration = Duration::from_millis(200);
/// So often a thread is noted at the same place, where that says nothing but that it was there; and so many in all.
const MOST_TIMES: u32 = 20;
const MOST_VISITS: u32 = 6000;
/// After so many stuck readers nothing is read any more.
const MOST_STUCK: u32 = 8;

/// The main loop's side.
#[derive(Debug)]
pub(crate) struct Calls {
    helper: Helper,
    lines: File,
    at: u64,
}

impl Calls {
    /// Starts the helper. `seed` decides who is late; without one nobody is.
    pub(crate) fn start(clock: RunClock, seed: Option<u64>) -> io::Result<(Self, Installer)> {
        let lines = File::from(memfd_create("hangdog-calls", MemfdFlags::CLOEXEC)?);
        let (ours, theirs) = UnixStream::pair()?;
        let sees_all = seed.is_some_and(|seed| Disturbance::of(seed).sees_all());
        let calls = held(if sees_all { Extent::Places } else { Extent::Named });
        let installer = Installer::new(ours, &calls);
        let work = || main(&theirs, &lines, clock, calls, seed);
        let helper = fork_helper(c"hangdog-calls", &[theirs.as_fd(), lines.as_fd()], work)?;
        Ok((Self { helper, lines, at: 0 }, installer))
    }

    /// The helper's process number.
    pub(crate) fn helper(&self) -> u32 {
        self.helper.pid
    }

    /// Whole lines that were noted since the last call, at most a block of them. `None` when there are no more now.
    pub(crate) fn lines(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut block = vec![0; BLOCK];
        let read = self.lines.read_at(&mut block, self.at).ok()?;
        let whole = block[..read].iter().rposition(|byte| *byte == b'\n')? + 1;
        self.at += whole as u64;
        Some(block[..whole - 1].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }
}

fn main(socket: &UnixStream, lines: &File, clock: RunClock, calls: Vec<Held>, seed: Option<u64>) -> i32 {
    let Some(listener) = receive(socket) else { return 0 };
    // A caller waits for each answer.
    let _ = rustix::process::setpriority_process(None, -10);
    wake_up_here(&listener);
    let Ok(lines) = lines.try_clone() else { return 1 };
    let chance = seed.map(Chance::new);
    let state = State { lines, written: 0, visits: 0, chance, reader: 0, busy: None, held: Vec::new() };
    let desk = Arc::new(Desk { listener, clock, calls, state: Mutex::new(state), due: Condvar::new() });
    start_reader(&desk, 0);
    desk.keep();
    0
}

fn start_reader(desk: &Arc<Desk>, number: u32) {
    let desk = Arc::clone(desk);
    // Without a thread the keeper hears by itself, and reads nothing.
    let _ = std::thread::Builder::new().name("reader".to_owned()).spawn(move || desk.read(number));
}

/// What all threads of the helper share.
struct Desk {
    listener: OwnedFd,
    clock: RunClock,
    calls: Vec<Held>,
    state: Mutex<State>,
    due: Condvar,
}

struct State {
    lines: File,
    written: u64,
    visits: u32,
    chance: Option<Chance>,
    /// The number of the reader whose turn it is; those before are stuck.
    reader: u32,
    /// The call that the reader looks at, and since when.
    busy: Option<(u64, Instant)>,
    /// Calls that go on later.
    held: Vec<(Instant, u64)>,
}

impl Desk {
    /// A panic of ours is no reason to keep a caller.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way of a reader, until it is no longer its turn or there is nobody left to hear of.
    fn read(self: &Arc<Self>, number: u32) {
        let mut owners = Owners::default();
        while let Some(notice) = hear(self.listener.as_raw_fd()) {
            {
                let mut state = self.state();
                if state.reader != number {
                    // The keeper took this reader for stuck; what it has just heard must go on all the same.
                    drop(state);
                    go_on(self.listener.as_raw_fd(), notice.id);
                    return;
                }
                state.busy = Some((notice.id, Instant::now()));
            }
            let when = When::exactly(self.clock.now());
            let held = self.calls.iter().find(|held| i64::from(held.number) == i64::from(notice.data.nr));
            let asked = held.map(|held| Asked { tid: notice.pid, held, args: notice.data.args });
            let heard = asked.filter(|_| number < MOST_STUCK).and_then(|asked| heard(asked, when, &mut owners));
            let mut state = self.state();
            if state.reader != number {
                return;
            }
            state.busy = None;
            match heard.map_or(0, |heard| state.note(heard, notice.pid)) {
                0 => {
                    drop(state);
                    go_on(self.listener.as_raw_fd(), notice.id);
                }
                ns => {
                    state.held.push((Instant::now() + Duration::from_nanos(ns), notice.id));
                    drop(state);
                    self.due.notify_one();
                }
            }
        }
        // Nobody is left under the filter: the keeper sees it too.
        self.due.notify_one();
    }

    /// The way of the keeper: lets go on what is due, and relieves a reader that is stuck.
    fn keep(self: &Arc<Self>) {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let (due, later): (Vec<_>, Vec<_>) = state.held.drain(..).partition(|(at, _)| *at <= now);
            state.held = later;
            for (_, id) in due {
                go_on(self.listener.as_raw_fd(), id);
            }
            if let Some((id, _)) = state.busy.take_if(|(_, since)| now.duration_since(*since) > STUCK) {
                state.reader += 1;
                go_on(self.listener.as_raw_fd(), id);
                start_reader(self, state.reader);
            }
            if is_over(&self.listener) {
                return;
            }
            let next = state.held.iter().map(|(at, _)| at.saturating_duration_since(now)).min();
            let wait = next.unwrap_or(STUCK / 2).min(STUCK / 2);
            state = self.due.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What was heard of a thread.
enum Heard {
    /// A call that names something.
    Call(Call),
    /// That it came by a place.
    Visit(Visit),
}

fn heard(asked: Asked<'_>, when: When, owners: &mut Owners) -> Option<Heard> {
    if let Names::Place(about) = asked.held.names {
        return visit(asked, about, when, owners).map(Heard::Visit);
    }
    let call = words(asked, when)?;
    Some(phase(&call).map_or(Heard::Call(call), Heard::Visit))
}

impl State {
    /// Notes what was heard, and says how long the thread is held, ns.
    fn note(&mut self, heard: Heard, tid: u32) -> u64 {
        let place = match &heard {
            Heard::Call(call) => Place::of_call(call),
            Heard::Visit(visit) => Place::of_visit(visit),
        };
        let decided = self.chance.as_mut().map(|chance| chance.come(place, tid)).unwrap_or_default();
        if let Some(nice) = self.chance.as_mut().and_then(|chance| chance.priority(tid)) {
            // To lower the priority of a process of one's own is allowed to everybody.
            let _ = rustix::process::setpriority_process(rustix::process::Pid::from_raw(tid as i32), nice);
        }
        let held_ns = decided.held_ns;
        match heard {
            Heard::Call(mut call) => {
                call.held_ns = held_ns;
                let when = call.when;
                self.line(&Record::Call(Box::new(call)), when);
            }
            Heard::Visit(mut visit) => {
                self.visits += 1;
                let tells = (1..=MOST_TIMES).contains(&decided.times) && self.visits <= MOST_VISITS;
                if tells || held_ns > 0 {
                    visit.held_ns = held_ns;
                    let when = visit.when;
                    self.line(&Record::Visit(Box::new(visit)), when);
                }
            }
        }
        held_ns
    }

    fn line(&mut self, record: &Record, when: When) {
        let Ok(mut line) = serde_json::to_vec(record) else { return };
        line.push(b'\n');
        if line.len() > BLOCK || self.written > MOST {
            return;
        }
        self.written += line.len() as u64;
        let _full = self.lines.write_all(&line);
        if self.written > MOST {
            let at = format!("system calls with names, after the first {} MiB", MOST >> 20);
            let lost = Record::Lost(Lost { when, at, records: 1 });
            let _full = serde_json::to_vec(&lost).map(|line| self.lines.write_all(&[&line[..], b"\n"].concat()));
        }
    }
}

/// Waits for a held call. `None` when nobody is left under the filter.
fn hear(listener: RawFd) -> Option<libc::seccomp_notif> {
    loop {
        // SAFETY: all-zero is a valid notification, and what the kernel asks for before it fills one in.
        let mut notice: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the listener is a seccomp descriptor, and `notice` is what this request fills in.
        if unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) } == 0 {
            return Some(notice);
        }
        // ENOENT: the caller was killed meanwhile. ENOTCONN and others: there is nobody left, which poll says as well.
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::ENOENT | libc::EINTR) => {
                // SAFETY: the descriptor lives as long as the helper.
                let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(listener) };
                if is_over(&fd) {
                    return None;
                }
            }
            _ => return None,
        }
    }
}

/// Lets a call go on as its caller made it. One that has been killed meanwhile is nobody's matter.
fn go_on(listener: RawFd, id: u64) {
    let answer =
        libc::seccomp_notif_resp { id, val: 0, error: 0, flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 };
    // SAFETY: the listener is a seccomp descriptor, and `answer` is what this request reads.
    let _ = unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) };
}

/// Whether all processes under the filter have ended.
fn is_over(listener: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(listener, PollFlags::empty())];
    let now = crate::kernel::timespec(Duration::ZERO);
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0) && fds[0].revents().contains(PollFlags::HUP)
}

/// Asks for a wake-up on the same processor, which makes an answer some 5 times faster (since 6.6).
fn wake_up_here(listener: &OwnedFd) {
    const SYNC_WAKE_UP: u64 = 1;
    // SAFETY: the listener is a seccomp descriptor; this request takes a number and keeps nothing.
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
}
