//! A time that was recorded is never later than the real one, and at most its error earlier.

use hangdog_flight::{ClockSource, OpenPhase, Options, Size, begin, close};
use rustix::time::{ClockId, clock_gettime};

use super::support::{read, recorder_with, site};

fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Looks at the clock before and after a phase begins, again and again over so many ms.
#[track_caller]
fn check(clock: ClockSource, ms: u64) {
    let recorder = recorder_with(Options { size: Some(Size::LEAST), clock, ..Options::default() });
    assert_eq!(recorder.clock(), clock);
    recorder.with(|| {
        let begin_of_all = monotonic();
        let mut began = Vec::new();
        while monotonic() - begin_of_all < ms * 1_000_000 {
            let before = monotonic();
            let phase = begin(site!("p")).unwrap().publish();
            let after = monotonic();
            if began.len() < 500 {
                began.push((before, phase, after));
                // Spread over the whole time.
                while monotonic() < begin_of_all + ms * 2_000 * began.len() as u64 {
                    std::hint::spin_loop();
                }
            } else {
                close(phase);
            }
        }
        // A gap of the tick is known once it is over.
        let last = began.last().unwrap().2;
        let mut recording = read(recorder);
        while clock == ClockSource::Tick && newest(&recording.open) <= last {
            let newer = begin(site!("newer")).unwrap().publish();
            recording = read(recorder);
            close(newer);
        }
        for (before, phase, after) in began {
            let seen = recording.open.iter().find(|open| open.id == phase.word()).unwrap();
            let (start, latest) = (seen.start_monotonic_ns, seen.start_monotonic_ns + seen.err_ns);
            // The coarse clock stands still while the kernel's own tick is kept from coming, which nobody writes down.
            let is_known = clock != ClockSource::Coarse;
            assert!(latest >= before || !is_known, "{clock:?}: {} ns more than its error", before - latest);
            let early = if clock == ClockSource::Tsc { seen.err_ns } else { 0 };
            assert!(start <= after + early, "{clock:?}: {} ns before it happened", start - after);
        }
    });
}

fn newest(open: &[OpenPhase]) -> u64 {
    open.iter().map(|phase| phase.start_monotonic_ns).max().unwrap_or(0)
}

#[test]
fn monotonic_is_exact() {
    check(ClockSource::Monotonic, 20);
}

#[test]
fn coarse_is_so_coarse() {
    check(ClockSource::Coarse, 50);
}

#[test]
fn the_tick_knows_its_gaps() {
    check(ClockSource::Tick, 400);
}

#[test]
fn the_counter_is_told_by_two_anchors() {
    let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let source = source.unwrap_or_default();
    if !["tsc", "kvm-clock", "hyperv_clocksource_tsc_page"].contains(&source.trim()) || !cfg!(target_arch = "x86_64")
    {
        println!("SKIPPED: the kernel takes its time from {source:?}, not from the time stamp counter");
        return;
    }
    check(ClockSource::Tsc, 1_200);
}
