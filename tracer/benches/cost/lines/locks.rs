//! Locks that nobody else wants: what the tracing adds to each lock and unlock.

use crate::clock::{Effort, warm};
use crate::line::{Line, Measured, Target};
use crate::work::recorded;

const STD: &str = "lock: std `Mutex`";
const STD_READ: &str = "lock: std `RwLock`, to read";
const PARKING_LOT: &str = "lock: parking_lot `Mutex`";
/// Nobody panics in a lock here.
const FINE: &str = "not poisoned";
const NESTED: &str = "lock within a lock: std `Mutex`, each";

pub(crate) const LINES: &[Line] = &[
    Line::new(STD, |effort| {
        let lock = std::sync::Mutex::new(0_u64);
        Ok(each(effort, || *lock.lock().expect(FINE) += 1))
    }),
    Line::new("lock: hangdog `sync::Mutex`", hangdog_std).beside(STD).wanted(Target::over(2.0)),
    Line::new("lock: hangdog `sync::Mutex`, with the order of locks", hangdog_std)
        .with(&[("HANGDOG_LOCK_ORDER", "1")])
        .beside(STD)
        .wanted(Target::over(7.0)),
    Line::new("lock: tracing-mutex over std", |effort| {
        let lock = tracing_mutex::stdsync::tracing::Mutex::new(0_u64);
        Ok(each(effort, || *lock.lock().expect(FINE) += 1))
    })
    .beside(STD),
    Line::new(PARKING_LOT, |effort| {
        let lock = parking_lot::Mutex::new(0_u64);
        Ok(each(effort, || *lock.lock() += 1))
    }),
    Line::new("lock: hangdog `parking_lot::Mutex`", |effort| {
        let lock = hangdog_tracer::parking_lot::Mutex::new(0_u64);
        recorded(each(effort, || *lock.lock() += 1))
    })
    .beside(PARKING_LOT)
    .wanted(Target::over(5.0)),
    Line::new("lock: parking_lot with deadlock_detection", |effort| {
        let lock = parking_lot_with_detection::Mutex::new(0_u64);
        Ok(each(effort, || *lock.lock() += 1))
    })
    .beside(PARKING_LOT),
    Line::new("lock: tracing-mutex over parking_lot", |effort| {
        let lock = tracing_mutex::parkinglot::tracing::Mutex::new(0_u64);
        Ok(each(effort, || *lock.lock() += 1))
    })
    .beside(PARKING_LOT),
    Line::new(NESTED, |effort| {
        let (outer, inner) = (std::sync::Mutex::new(0_u64), std::sync::Mutex::new(0_u64));
        Ok(each(effort, || {
            let _held = outer.lock().expect(FINE);
            *inner.lock().expect(FINE) += 1;
        }) / 2.0)
    }),
    Line::new("lock within a lock: hangdog, with the order of locks, each", |effort| {
        let outer = hangdog_tracer::sync::Mutex::new(0_u64);
        let inner = hangdog_tracer::sync::Mutex::new(0_u64);
        let nested = each(effort, || {
            let _held = outer.lock().expect(FINE);
            *inner.lock().expect(FINE) += 1;
        });
        recorded(nested / 2.0)
    })
    .with(&[("HANGDOG_LOCK_ORDER", "1")])
    .beside(NESTED)
    .wanted(Target::over(7.0)),
    Line::new("lock within a lock: tracing-mutex over std, each", |effort| {
        let outer = tracing_mutex::stdsync::tracing::Mutex::new(0_u64);
        let inner = tracing_mutex::stdsync::tracing::Mutex::new(0_u64);
        let nested = each(effort, || {
            let _held = outer.lock().expect(FINE);
            *inner.lock().expect(FINE) += 1;
        });
        Ok(nested / 2.0)
    })
    .beside(NESTED),
    Line::new(STD_READ, |effort| {
        let lock = std::sync::RwLock::new(0_u64);
        Ok(each(effort, || *lock.read().expect(FINE)))
    }),
    Line::new("lock: hangdog `sync::RwLock`, to read", |effort| {
        let lock = hangdog_tracer::sync::RwLock::new(0_u64);
        recorded(each(effort, || *lock.read().expect(FINE)))
    })
    .beside(STD_READ),
];

fn hangdog_std(effort: Effort) -> Measured {
    let lock = hangdog_tracer::sync::Mutex::new(0_u64);
    recorded(each(effort, || *lock.lock().expect(FINE) += 1))
}

fn each<T>(effort: Effort, lock_and_unlock: impl Fn() -> T) -> f64 {
    warm(effort, |rounds| {
        for _ in 0..rounds {
            std::hint::black_box(lock_and_unlock());
        }
    })
}
