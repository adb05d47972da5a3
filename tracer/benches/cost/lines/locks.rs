//! Locks that nobody else wants: what the tracing adds to each lock and unlock.

use crate::clock::{Effort, warm};
use crate::line::Line;

const STD: &str = "lock: std `Mutex`";
const PARKING_LOT: &str = "lock: parking_lot `Mutex`";

pub(crate) const LINES: &[Line] = &[
    Line::new(STD, |effort| {
        let lock = std::sync::Mutex::new(0_u64);
        Ok(each(effort, || *lock.lock().expect("nobody panics in it") += 1))
    }),
    Line::new("lock: tracing-mutex over std", |effort| {
        let lock = tracing_mutex::stdsync::tracing::Mutex::new(0_u64);
        Ok(each(effort, || *lock.lock().expect("nobody panics in it") += 1))
    })
    .beside(STD),
    Line::new(PARKING_LOT, |effort| {
        let lock = parking_lot::Mutex::new(0_u64);
        Ok(each(effort, || *lock.lock() += 1))
    }),
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
];

fn each(effort: Effort, lock_and_unlock: impl Fn()) -> f64 {
    warm(effort, |rounds| (0..rounds).for_each(|_| lock_and_unlock()))
}
