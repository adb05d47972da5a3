//! What the kernel's recorder saw, by time and by thread.

use hangdog_schemas::ProcessId;
use hangdog_schemas::record::{Doer, KernelDeed, KernelEvent, ThreadSample};

use super::*;

fn event(t: u64, tid: u32, what: KernelDeed) -> Record {
    Record::KernelEvent(KernelEvent { when: ms(t), tid: Tid(tid), by: Doer::Thread, what })
}

fn sent(t: u64, tid: u32, target: u32) -> Record {
    let comm = String::new();
    event(t, tid, KernelDeed::SignalSent { signal: 9, code: 0, target: Tid(target), comm, result: 0 })
}

fn call(t: u64, tid: u32) -> Record {
    event(t, tid, KernelDeed::ExitCall { code: 0 })
}

/// A thread of this number, which another process may have had.
fn thread(tid: u32, start: u64) -> ThreadId {
    ThreadId { process: ProcessId { pid: Pid(tid), start: Big(start) }, tid: Tid(tid) }
}

fn seen(t: u64, thread: ThreadId) -> Record {
    let sample = ThreadSample { thread, comm: None, state: TaskState::S, cpu_ns: None, vol: 0, invol: 0 };
    Record::Sample(Sample { when: ms(t), threads: vec![sample], gone: Vec::new() })
}

fn gone(t: u64, thread: ThreadId) -> Record {
    Record::Sample(Sample { when: ms(t), threads: Vec::new(), gone: vec![thread] })
}

#[test]
fn events_come_in_the_order_of_their_times() {
    let timeline = build([call(30, 7), call(10, 7), sent(20, 8, 7)]);
    let times = |events: &[KernelEvent]| events.iter().map(|event| event.when.t.0 / 1_000_000).collect::<Vec<_>>();
    assert_eq!(times(timeline.kernel_events()), [10, 20, 30]);
    assert_eq!(times(timeline.kernel_events_between(at(11), at(30))), [20, 30]);
    assert_eq!(times(timeline.kernel_events_between(at(31), at(12))), [0; 0]);
    assert_eq!(timeline.end(), at(30));
}

#[test]
fn a_thread_has_what_it_did_and_what_was_done_to_it() {
    let (first, second, other) = (thread(7, 1), thread(7, 2), thread(8, 1));
    let samples = [seen(10, first), gone(30, first), seen(50, second), seen(5, other)];
    let events = [call(8, 7), sent(20, 8, 7), call(29, 7), call(45, 7), call(60, 7)];
    let timeline = build(samples.into_iter().chain(events));
    let times =
        |thread| -> Vec<u64> { timeline.kernel_events_of(thread).map(|event| event.when.t.0 / 1_000_000).collect() };
    assert_eq!(times(first), [8, 20, 29]);
    assert_eq!(times(second), [45, 60]);
    assert_eq!(times(other), [20]);
    assert_eq!(times(thread(9, 1)), [0; 0]);
    assert_eq!(timeline.thread_of_number(Tid(9), at(1)), None);
}
