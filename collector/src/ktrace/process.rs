//! The helper process: has the instance, reads it when asked, removes it when nobody asks any more.
//!
//! It may wait for the kernel's tracing locks as long as it must; the main loop does not wait for it.
//!
//! | from the main loop | what follows | answer |
//! | --- | --- | --- |
//! | `F` pid | this process is the run's first | an empty line, when all is on |
//! | `R` count, threads | the ring is read; these threads are the run's | a line each record, an empty line |
//! | the end of the socket | the instance is removed | |

use std::collections::VecDeque;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hangdog_schemas::record::{KernelEvent, Lost};
use hangdog_schemas::{Record, When};

use super::belonging::Belonging;
use super::decode::{Layouts, decode};
use super::events::{CALLS, OFTEN, RARE, RESULTS};
use super::leftover;
use super::ring::{self, RawEvent};
use super::tracefs::{Instance, Tracefs};
use crate::calls::numbers;
use crate::clock::RunClock;
use crate::observe::syscalls::number_of;
use crate::run::KernelTrace;

/// A process to follow.
pub(super) const FOLLOW: u8 = b'F';
/// Read.
pub(super) const READ: u8 = b'R';
/// Threads that are named in one [`READ`].
pub(super) const MOST_THREADS: usize = 16 << 10;

/// The newest events of one look are kept.
const MOST_EVENTS: usize = 20_000;
/// The same where results of calls are kept: a run is compared as a whole.
const MOST_RESULTS: usize = 200_000;
/// What all rings together may take, bytes; each has this much at least.
const ALL_RINGS: usize = 16 << 20;
const SMALLEST_RING: usize = 64 << 10;
/// What a new instance has for each processor (`TRACE_BUF_SIZE_DEFAULT` of kernel/trace/trace.c). Another size has the
/// kernel wait for its processors, so where this one fits it stays.
const USUAL_RING: usize = 1_441_792;
/// An instance is removed when nobody has a file of it open; somebody who looks at it has this long.
const LEAVE: Duration = Duration::from_secs(2);

/// What the helper is to do.
pub(super) struct Plan {
    pub(super) tracefs: Tracefs,
    pub(super) name: String,
    pub(super) mode: KernelTrace,
    pub(super) clock: RunClock,
}

/// Runs until the socket ends.
pub(super) fn main(socket: &UnixStream, plan: &Plan) -> i32 {
    // Decoding is never more urgent than the command.
    let _ = rustix::process::setpriority_process(None, 5);
    let served = match Instance::create(&plan.tracefs, &plan.name) {
        Ok(instance) => {
            let mut work =
                Work { plan, instance, layouts: Layouts::new(), belonging: Belonging::default(), overwritten: 0 };
            work.serve(socket)
        }
        Err(error) => Err(error),
    };
    i32::from(remove(plan).is_err() || served.is_err())
}

/// Removes the instance, if need be after those who look at it.
fn remove(plan: &Plan) -> io::Result<()> {
    let step = Duration::from_millis(50);
    let mut left = LEAVE;
    loop {
        match plan.tracefs.remove(&plan.name) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && !left.is_zero() => {
                std::thread::sleep(step);
                left = left.saturating_sub(step);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(()),
        }
    }
}

impl KernelTrace {
    /// Whether the kernel leaves out what others do. Looks at every switch, so only where much is recorded.
    fn is_followed(self) -> bool {
        matches!(self, Self::Results | Self::Syscalls)
    }
}

struct Work<'a> {
    plan: &'a Plan,
    instance: Instance,
    layouts: Layouts,
    belonging: Belonging,
    overwritten: u64,
}

impl Work<'_> {
    fn serve(&mut self, mut socket: &UnixStream) -> io::Result<()> {
        self.prepare()?;
        let mut kind = [0];
        while socket.read(&mut kind)? == 1 {
            match kind[0] {
                FOLLOW => {
                    let pid = number(socket)?;
                    self.belonging.with(pid);
                    if self.plan.mode.is_followed() {
                        self.instance.write("set_event_pid", &pid.to_string())?;
                    }
                    match self.plan.mode {
                        KernelTrace::Syscalls => self.turn_on(OFTEN),
                        KernelTrace::Results => self.turn_on_results()?,
                        KernelTrace::On | KernelTrace::Off => {}
                    }
                    socket.write_all(b"\n")?;
                    leftover::remove_dead(&self.plan.tracefs);
                }
                READ => {
                    let count = (number(socket)? as usize).min(MOST_THREADS);
                    let threads = (0..count).map(|_| number(socket)).collect::<io::Result<Vec<u32>>>()?;
                    let mut out = BufWriter::new(socket);
                    self.read(&threads, &mut out)?;
                    out.write_all(b"\n")?;
                    out.flush()?;
                }
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        // Whoever looks at the instance keeps it from being removed, but not recording.
        self.instance.write("tracing_on", "0")
    }

    /// All that can be done before there is a command.
    fn prepare(&mut self) -> io::Result<()> {
        // The kernel waits for its processors here, some 25 ms on an idle machine; all else takes 6 ms.
        self.instance.write("trace_clock", "mono")?;
        let processors = self.instance.processors().len().max(1);
        if processors * USUAL_RING > ALL_RINGS {
            let kib = (ALL_RINGS / processors).max(SMALLEST_RING) >> 10;
            self.instance.write("buffer_size_kb", &kib.to_string())?;
        }
        if self.plan.mode.is_followed() {
            self.instance.write("options/event-fork", "1")?;
        }
        self.turn_on(RARE);
        Ok(())
    }

    /// What comes of calls of which the names are noted, and of no others.
    fn turn_on_results(&mut self) -> io::Result<()> {
        let wanted: Vec<String> = numbers().iter().map(|number| format!("id == {number}")).collect();
        self.instance.write(&format!("events/{RESULTS}/filter"), &wanted.join(" || "))?;
        self.turn_on(&[RESULTS]);
        // With what a process ends is in no other event.
        if let Some(number) = number_of("exit_group")
            && self.instance.write(&format!("events/{CALLS}/filter"), &format!("id == {number}")).is_ok()
        {
            self.turn_on(&[CALLS]);
        }
        Ok(())
    }

    fn turn_on(&mut self, events: &[&str]) {
        let enabled = events.iter().filter_map(|event| self.instance.enable(event));
        self.layouts.extend(enabled.map(|layout| (layout.id, layout)));
    }

    /// Takes all events out of the ring and tells those of the run.
    fn read(&mut self, threads: &[u32], out: &mut impl Write) -> io::Result<()> {
        let ring = self.drain();
        let mut garbled = ring.garbled;
        let mut events: Vec<KernelEvent> = Vec::new();
        for (t, place) in &ring.events {
            let bytes = ring.bytes.get(place.clone()).unwrap_or_default();
            match decode(&self.layouts, self.plan.clock, RawEvent { t: *t, bytes }) {
                Some(event) => events.push(event),
                None => garbled += 1,
            }
        }
        self.belonging.know(threads, events.iter());
        let mut kept: VecDeque<KernelEvent> = VecDeque::new();
        let most = if self.plan.mode == KernelTrace::Results { MOST_RESULTS } else { MOST_EVENTS };
        let mut too_many = 0;
        for event in events.into_iter().filter(|event| self.belonging.takes(event)) {
            if kept.len() == most {
                kept.pop_front();
                too_many += 1;
            }
            kept.push_back(event);
        }
        for event in kept {
            line(out, &Record::KernelEvent(event))?;
        }
        let overwritten = ring.overwritten.saturating_sub(self.overwritten);
        self.overwritten = ring.overwritten;
        let whose = match self.plan.mode {
            KernelTrace::Syscalls | KernelTrace::Results => "that newer ones took the place of",
            _ => "of the whole machine that newer ones took the place of",
        };
        for (records, what) in [
            (overwritten, whose.to_owned()),
            (too_many, format!("before the newest {most}")),
            (garbled, "that were not as the kernel says".to_owned()),
        ] {
            if records > 0 {
                let at = format!("{} {what}", Lost::KERNEL_EVENTS);
                line(out, &Record::Lost(Lost { when: When::exactly(self.plan.clock.now()), at, records }))?;
            }
        }
        Ok(())
    }

    fn drain(&self) -> Drained {
        let mut drained = Drained::default();
        for processor in self.instance.processors() {
            drained.overwritten += self.instance.overwritten(&processor);
            if let Ok(pages) = self.instance.pages(&processor) {
                drained.take(pages);
            }
        }
        // Within one processor they are in order already, which equal times keep.
        drained.events.sort_by_key(|(t, _)| *t);
        drained
    }
}

/// What was in the rings.
#[derive(Default)]
struct Drained {
    bytes: Vec<u8>,
    /// Time, and where in `bytes`.
    events: Vec<(u64, Range<usize>)>,
    overwritten: u64,
    garbled: u64,
}

impl Drained {
    /// Takes the pages of one processor, and no more than its ring can hold twice: it is being filled meanwhile.
    fn take(&mut self, pages: impl std::os::fd::AsFd) {
        let mut page = vec![0; 64 << 10];
        let mut left = 2 * USUAL_RING;
        while left > 0 {
            // EAGAIN: it is empty.
            let Ok(len @ 1..) = rustix::io::read(&pages, &mut page[..]) else { return };
            left = left.saturating_sub(len);
            let (bytes, events) = (&mut self.bytes, &mut self.events);
            let told = ring::events(&page[..len], |event| {
                let from = bytes.len();
                bytes.extend_from_slice(event.bytes);
                events.push((event.t, from..bytes.len()));
            });
            self.garbled += u64::from(told.is_none());
        }
    }
}

fn number(mut socket: &UnixStream) -> io::Result<u32> {
    let mut bytes = [0; 4];
    socket.read_exact(&mut bytes)?;
    Ok(u32::from_ne_bytes(bytes))
}

fn line(out: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}
