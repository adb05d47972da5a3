//! Memory: of open phases, of closed ones, of threads and futures.

use hangdog_tracer::{InPhaseExt as _, Phase, open_phase, phase};
use tracing::{Span, info_span};
use tracing_subscriber::prelude::*;

use super::phases::{Forgets, fastrace_rounds};
use super::stacks;
use crate::clock::Effort;
use crate::line::{Line, Measured, Target, Unit};
use crate::memory::{faults, heap, recorder_resident, touched};
use crate::work::{ThreePolls, pair, recorded, text};

/// Open at a time.
const OPEN: u64 = 50_000;
/// Closed, one after the other.
const CLOSED: u64 = 1_000_000;

pub(crate) const LINES: &[Line] = &[
    Line::new("heap of an open span: Registry + no-op layer", |_| {
        stacks::registry().init();
        Ok(heap_of_open(|number, text| info_span!("open", number, text)))
    })
    .in_unit(Unit::Bytes),
    Line::new("heap of an open span: Registry + fmt", |_| {
        tracing_subscriber::registry().with(stacks::log()).init();
        Ok(heap_of_open(|number, text| info_span!("open", number, text)))
    })
    .in_unit(Unit::Bytes),
    Line::new("heap of an open span: Registry + hangdog layer", |_| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        Ok(heap_of_open(|number, text| info_span!("open", number, text)))
    })
    .beside("heap of an open span: Registry + no-op layer")
    .in_unit(Unit::Bytes)
    .wanted(Target::over(0.0)),
    Line::new("heap of an open span: hangdog subscriber, alone", |_| {
        hangdog_tracer::subscriber().init();
        Ok(heap_of_open(|number, text| info_span!("open", number, text)))
    })
    .beside("heap of an open span: Registry + no-op layer")
    .in_unit(Unit::Bytes)
    .wanted(Target::itself(0.0)),
    Line::new("heap of an open phase", |_| Ok(heap_of_open(|number, text| open_phase!("open", number, text))))
        .in_unit(Unit::Bytes)
        .wanted(Target::itself(0.0)),
    Line::new("recorder's file for an open phase", |_| {
        file_of_open(1 << 15, |number, text| open_phase!("open", number, text))
    })
    .in_unit(Unit::Bytes)
    .wanted(Target::itself(64.0)),
    Line::new("recorder's file for an open phase with `hang.wait`", |_| {
        file_of_open(1 << 14, |number, text| open_phase!("open", number, hang.wait = text))
    })
    .in_unit(Unit::Bytes)
    .wanted(Target::itself(128.0)),
    Line::new("allocations for a phase", |_| {
        let text = text();
        let work = |number| drop(phase!("closed", number, text));
        work(0);
        Ok(heap(|| (0..CLOSED).for_each(work)).asked / CLOSED as f64)
    })
    .in_unit(Unit::Count)
    .wanted(Target::itself(0.0)),
    Line::new("allocations for a span: Registry + hangdog layer", |_| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        Ok(allocations_of_a_span())
    })
    .in_unit(Unit::Count)
    .wanted(Target::itself(0.0)),
    Line::new("allocations for a span: Registry + fmt", |_| {
        tracing_subscriber::registry().with(stacks::log()).init();
        Ok(allocations_of_a_span())
    })
    .in_unit(Unit::Count),
    Line::new("growth with each closed phase", |_| {
        let text = text();
        growth(|number| drop(phase!("closed", number, text)))
    })
    .in_unit(Unit::Bytes)
    .wanted(Target::itself(0.0)),
    Line::new("growth with each closed span: Registry + hangdog layer", |_| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        let text = text();
        growth(|number| drop(info_span!("closed", number, text).entered()))
    })
    .in_unit(Unit::Bytes)
    .wanted(Target::itself(0.0)),
    Line::new("growth with each closed span until collected: fastrace", |_| {
        let never = fastrace::collector::Config::default().report_interval(std::time::Duration::from_hours(1));
        fastrace::set_reporter(Forgets, never);
        let held = heap(|| {
            fastrace_rounds(10_000, |number, text| {
                let fields = || [("number", number.to_string()), ("text", text.to_string())];
                let _closed = fastrace::local::LocalSpan::enter_with_local_parent("closed").with_properties(fields);
            });
        });
        Ok(held.in_use / 10_000.0)
    })
    .in_unit(Unit::Bytes),
    Line::new("page faults of a million phases", |_| {
        let text = text();
        let work = |number| drop(phase!("closed", number, text));
        (0..10_000).for_each(work);
        let before = faults()?;
        (0..CLOSED).for_each(work);
        Ok(faults()? - before)
    })
    .in_unit(Unit::Count)
    .wanted(Target::itself(0.0)),
    Line::new("recorder's file for a thread that records", of_a_thread)
        .in_unit(Unit::KiB)
        .with(&[("HANGDOG_HISTORY", "all")])
        .wanted(Target::itself(256.0)),
    Line::new("`.in_phase()`, in the future", |_| {
        let plain = size_of::<ThreePolls>().next_multiple_of(align_of::<Phase>());
        Ok((size_of_val(&ThreePolls::default().in_phase(Phase::default())) - plain) as f64)
    })
    .in_unit(Unit::Bytes)
    .wanted(Target::itself(24.0)),
    Line::new("`Instrumented` of tracing, in the future", |_| {
        let plain = size_of::<ThreePolls>().next_multiple_of(align_of::<Span>());
        Ok((size_of::<tracing::instrument::Instrumented<ThreePolls>>() - plain) as f64)
    })
    .in_unit(Unit::Bytes),
];

fn heap_of_open<T>(open: impl Fn(u64, &'static str) -> T) -> f64 {
    let text = text();
    let mut held = Vec::with_capacity(OPEN as usize + 1);
    // The recorder and the names come with the first.
    held.push(open(0, text));
    heap(|| held.extend((0..OPEN).map(|number| open(number, text)))).in_use / OPEN as f64
}

/// What some phases touch and twice as many: what is touched besides, the history or memory that the thread is given
/// in advance, is in both.
fn file_of_open(some: u64, open: impl Fn(u64, &'static str) -> Phase) -> Measured {
    let text = text();
    let mut held = Vec::new();
    let mut more = |count| touched(|| held.extend((0..count).map(|number| open(number, text))));
    more(some)?;
    let (once, twice) = (more(some)?, more(2 * some)?);
    // Pages are not bytes: a page more or less at the ends is a fraction of a byte.
    recorded(((twice - once) / some as f64).round())
}

fn allocations_of_a_span() -> f64 {
    let text = text();
    pair(0, text);
    heap(|| (0..CLOSED / 10).for_each(|number| pair(number, text))).asked / (CLOSED / 10) as f64 / 2.0
}

/// Of heap and file together.
fn growth(closed: impl Fn(u64)) -> Measured {
    (0..100_000).for_each(&closed);
    let before = recorder_resident()?;
    let heap = heap(|| (0..CLOSED).for_each(&closed)).in_use;
    Ok((recorder_resident()? - before + heap) / CLOSED as f64)
}

fn of_a_thread(_effort: Effort) -> Measured {
    const THREADS: u16 = 8;
    let record = || {
        let text = text();
        (0..20_000).for_each(|number| drop(phase!("closed", number, text)));
    };
    record();
    let before = recorder_resident()?;
    // All at once: what a thread leaves is used again.
    let at_the_end = std::sync::Barrier::new(usize::from(THREADS));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                record();
                at_the_end.wait();
            });
        }
    });
    Ok((recorder_resident()? - before) / f64::from(THREADS) / 1024.0)
}
