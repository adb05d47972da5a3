//! The first facts after a trigger: what each blocked thread of the run waits in. They are there in some milliseconds,
//! before the long look at everybody, for the case that nothing more comes.

use hangdog_schemas::{Observed, Record, SnapshotId, ThreadId};

use super::detail::{members, parsed_bytes, task};
use super::emit::thread;
use super::links::Names;
use super::out::Out;
use super::reader::Reader;
use crate::clock::RunClock;
use crate::observe::parse::status;
use crate::observe::worker::{Ask, Row};

/// Most threads: a read that gets stuck holds up only those that share its batch.
pub(super) const MOST: usize = 256;
/// Threads that a worker gets at a time.
const BATCH: usize = 16;

/// Reads them. What is stuck or gone is left to the snapshot.
pub(super) async fn first_facts(
    reader: Reader,
    clock: RunClock,
    out: Out,
    snapshot: SnapshotId,
    threads: Vec<ThreadId>,
) {
    let asks = threads.into_iter().take(MOST).map(|id| (id, Ask::row(id.process.pid, Some(id.tid), Row::Thread)));
    let mut names = Names::default();
    let mut before = clock.now();
    let read = reader.each_by(BATCH, asks, |id, answer| {
        let [status, schedstat, children, wchan, call, stack] = members(&answer);
        let Observed::Seen(status) = parsed_bytes(status, status::status, "no status") else { return };
        let when = clock.since(before);
        let task = task((id.tid, when), &status, [schedstat, children, wchan, call, stack], &mut names);
        out.add(Record::Thread(Box::new(thread(snapshot, id.process, &task))));
        before = when.t;
    });
    read.await;
}
