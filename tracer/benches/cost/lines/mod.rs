//! All lines, in the order of the table.

mod async_locks;
mod background;
mod cold;
mod floors;
mod futures;
mod limits;
mod locks;
mod memory;
mod phases;
mod scaling;
mod spans;
mod stacks;
mod survival;

use crate::line::Line;
pub(crate) use stacks::registry;
pub(crate) use survival::victim;

/// Headings and what stands under them.
pub(crate) const GROUPS: &[(&str, &[Line])] = &[
    ("The machine", limits::LINES),
    ("Spans: a number and a 16-byte text, per span", spans::LINES),
    ("Phases without a subscriber, the same fields, per phase", phases::LINES),
    ("Futures polled three times", futures::LINES),
    ("Cold: 4 MB swept before each pair, per span or phase", cold::LINES),
    ("Locks, lock and unlock without contention", locks::LINES),
    ("Async locks, the same", async_locks::LINES),
    ("Memory", memory::LINES),
    ("Several threads", scaling::LINES),
    ("In the background", background::LINES),
    ("After SIGKILL", survival::LINES),
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Line> {
    GROUPS.iter().flat_map(|(_, lines)| lines.iter())
}
