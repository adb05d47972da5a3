//! What goes on in the run of the sample: processes, phases, samples, output.

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::record::{
    ExitStatus, Output, PhaseClose, PhaseMeaning, PhaseOpen, ProcessChange, ProcessEnd, ProcessStart, Sample, Stream,
    ThreadSample,
};
use hangdog_schemas::{Big, PhaseId, Pid, Record, ResourceKey, Tid};

use super::{DOOMED, LOOP, MOUNT, SERVER, SHELL, TEST, WALKER, WORKER, at, process, thread};

pub(super) fn lives(records: &mut Vec<Record>) {
    for (ms, pid, parent, comm) in [
        (0, 4380, 4379, "cargo"),
        (1_200, TEST, 4380, "fuse.test"),
        (2_000, DOOMED, TEST, "fusermount3"),
        (2_300, SERVER, TEST, "indexd"),
        (3_100, SHELL, SERVER, "sh"),
    ] {
        let start = ProcessStart { when: at(ms), process: process(pid), parent: Pid(parent), comm: comm.to_owned() };
        records.push(Record::ProcessStart(start));
    }
    records.push(Record::ProcessChange(ProcessChange {
        when: at(3_150),
        process: process(SHELL),
        comm: "git".to_owned(),
    }));
    let how = Some(ExitStatus::Code(0));
    records.push(Record::ProcessEnd(ProcessEnd { when: at(2_200), process: process(DOOMED), how }));
}

struct Bar(u32, u32, Option<u64>, u64, Option<u64>, u64, Option<u64>, &'static str);

pub(super) fn phases(records: &mut Vec<Record>) {
    // pid, tid, task, number, parent, begin, end, name
    let bars = [
        Bar(TEST, TEST, None, 1, None, 1_300, None, "test send_creates_a_conversation"),
        Bar(TEST, TEST, None, 2, Some(1), 1_900, Some(2_250), "mount"),
        Bar(TEST, TEST, None, 3, Some(1), 2_260, Some(4_000), "start indexd"),
        Bar(TEST, TEST, None, 4, Some(1), 4_200, None, "write send"),
        Bar(TEST, LOOP, None, 5, None, 4_300, Some(4_420), "LOOKUP send"),
        Bar(TEST, LOOP, None, 6, None, 4_440, None, "FLUSH send"),
        Bar(TEST, LOOP, None, 7, Some(6), 4_500, None, "POST /api/conversations/new"),
        Bar(SERVER, WALKER, Some(7), 1, None, 4_510, None, "POST /api/conversations/new"),
        Bar(SERVER, WALKER, Some(7), 2, Some(1), 4_600, Some(5_100), "load settings"),
        Bar(SERVER, WALKER, Some(7), 3, Some(1), 5_200, None, "walk /tmp"),
        Bar(SERVER, WORKER, None, 4, None, 2_600, Some(3_900), "open index"),
        Bar(SERVER, WORKER, None, 5, None, 4_000, Some(4_400), "GET /health"),
    ];
    let mut lines: Vec<(u64, Record)> = Vec::new();
    for Bar(pid, tid, task, number, parent, begin, end, name) in bars {
        let id = PhaseId { process: process(pid), phase: Big(number) };
        let mut hang = PhaseMeaning::default();
        let mut fields = Vec::new();
        if name == "FLUSH send" {
            hang.serve = Some(ResourceKey::new("fuse", MOUNT));
        }
        if name.starts_with("POST") && pid == TEST {
            hang.wait = Some(ResourceKey::new("http", "127.0.0.1:8080"));
        }
        if name.starts_with("POST") && pid == SERVER {
            hang.serve = Some(ResourceKey::new("http", "127.0.0.1:8080"));
            fields.push(("method".to_owned(), "POST".to_owned()));
        }
        let open = PhaseOpen {
            when: at(begin),
            id,
            parent: parent.map(Big),
            tid: Some(Tid(tid)),
            task: task.map(Big),
            name: name.to_owned(),
            fields,
            hang,
        };
        lines.push((begin, Record::PhaseOpen(Box::new(open))));
        if let Some(end) = end {
            lines.push((end, Record::PhaseClose(PhaseClose { when: at(end), id, outcome: Some("ok".to_owned()) })));
        }
    }
    lines.sort_by_key(|(ms, _)| *ms);
    records.extend(lines.into_iter().map(|(_, record)| record));
}

pub(super) fn samples(records: &mut Vec<Record>) {
    use TaskState::{D, R, S};
    // pid, tid, name, begin, then (until, state): woken at each sample of a state that is followed by `~`.
    type Row = (u32, u32, &'static str, u64, &'static [(u64, TaskState, bool)]);
    let rows: [Row; 8] = [
        (4380, 4380, "cargo", 0, &[(1_200, R, true), (17_000, S, false)]),
        (TEST, TEST, "fuse.test", 1_200, &[(2_000, R, true), (4_000, S, true), (4_400, R, true), (17_000, S, false)]),
        (TEST, LOOP, "fuse-loop", 1_800, &[(4_300, S, true), (4_600, R, true), (17_000, S, false)]),
        (DOOMED, DOOMED, "fusermount3", 2_000, &[(2_200, R, true)]),
        (SERVER, SERVER, "indexd", 2_300, &[(2_800, R, true), (17_000, S, false)]),
        (SERVER, WORKER, "tokio-rt-worker", 2_500, &[(3_900, D, true), (4_600, R, true), (17_000, S, true)]),
        (SERVER, WALKER, "blocking-1", 4_500, &[(5_900, R, true), (17_000, S, false)]),
        (SHELL, SHELL, "git", 3_100, &[(3_400, R, true), (17_000, S, false)]),
    ];
    for ms in (0..16_600).step_by(200) {
        let mut sample = Sample { when: at(ms), ..Sample::default() };
        for (pid, tid, name, begin, states) in &rows {
            let end = states.last().map_or(0, |last| last.0);
            if ms < *begin || ms >= end {
                if ms >= end && ms < end + 200 {
                    sample.gone.push(thread(*pid, *tid));
                }
                continue;
            }
            let now = states.iter().position(|(until, _, _)| ms < *until).unwrap_or(0);
            let before = ms.checked_sub(200).filter(|before| before >= begin);
            let then = before.and_then(|before| states.iter().position(|(until, _, _)| before < *until));
            // Woken every other second or so, so that a lane is not the same all over.
            let woken = states[now].2 && (ms / 200 + u64::from(*tid)) % 3 != 0;
            if then == Some(now) && !woken {
                continue;
            }
            sample.threads.push(ThreadSample {
                thread: thread(*pid, *tid),
                comm: then.is_none().then(|| (*name).to_owned()),
                state: states[now].1,
                cpu_ns: Some(ms * 40_000),
                vol: ms / 10,
                invol: ms / 1000,
            });
        }
        records.push(Record::Sample(sample));
    }
}

pub(super) fn outputs(records: &mut Vec<Record>) {
    for (ms, bytes) in [(300, 412), (1_250, 90), (2_350, 64), (4_100, 38)] {
        records.push(Record::Output(Output { when: at(ms), stream: Stream::Both, bytes, text: None }));
    }
}
