//! Phases and how they stood at each look.

use hangdog_schemas::record::*;
use hangdog_schemas::*;

use super::lines::id;

pub(super) fn phase(line: &str) -> Vec<Record> {
    let (head, meaning) = line.split_once("; ").unwrap_or((line, ""));
    let mut words = head.splitn(5, ' ').skip(1);
    let who = words.next().unwrap();
    let (who, task) = who.split_once('/').map_or((who, None), |(who, task)| (who, task.parse().ok()));
    let (pid, tid) = who.split_once('.').expect("PID.TID");
    let number: u64 = words.next().unwrap().parse().unwrap();
    let parent: u64 = words.next().unwrap().parse().unwrap();
    let id = PhaseId { process: id(pid.parse().unwrap()), phase: Big(number) };
    let mut open = PhaseOpen {
        when: When::exactly(RunNs(500_000_000)),
        id,
        parent: (parent != 0).then_some(Big(parent)),
        tid: tid.parse().ok().map(Tid),
        task: task.map(Big),
        name: words.next().unwrap().to_owned(),
        fields: vec![],
        hang: PhaseMeaning::default(),
    };
    let (mut looks, mut close) = (Vec::new(), None);
    for word in meaning.split(' ').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "serve" => open.hang.serve = value.parse().ok(),
            "wait" => open.hang.wait = value.parse().ok(),
            "hold" => open.hang.hold = value.parse().ok(),
            "link" => open.hang.link = Some(value.to_owned()),
            "as" => open.hang.primitive = Some(primitive(value)),
            "at" => open.when.t = RunNs(value.parse::<u64>().unwrap() * 1_000_000),
            "forgotten" => open.fields.push(("forgotten".to_owned(), "true".to_owned())),
            "until" => close = Some(RunNs(value.parse::<u64>().unwrap() * 1_000_000)),
            "err" => open.when.err = value.parse::<u64>().unwrap() * 1_000_000,
            "left" => looks = vec![(false, 1), (false, 1)],
            "moved" => looks = vec![(false, 1), (false, 2)],
            "polled" => looks = vec![(true, 1), (true, 1)],
            other => panic!("no field is called {other:?}"),
        }
    }
    let looks = [1_000_000_000, 2_000_000_000].into_iter().zip(looks).map(|(t, (polled_now, polls))| {
        let left = (!polled_now).then_some(open.when.t);
        Record::PhaseState(PhaseState { when: When::exactly(RunNs(t)), id, polled_now, polls, left })
    });
    let looks: Vec<Record> = looks.collect();
    let close = close.map(|t| Record::PhaseClose(PhaseClose { when: When::exactly(t), id, outcome: None }));
    std::iter::once(Record::PhaseOpen(Box::new(open))).chain(looks).chain(close).collect()
}

fn primitive(word: &str) -> Primitive {
    match word {
        "mutex" => Primitive::Mutex,
        "read" => Primitive::RwLockRead,
        "write" => Primitive::RwLockWrite,
        "async-mutex" => Primitive::AsyncMutex,
        "async-read" => Primitive::AsyncRwLockRead,
        "async-write" => Primitive::AsyncRwLockWrite,
        "semaphore" => Primitive::Semaphore,
        "pool" => Primitive::Pool,
        "channel" => Primitive::Channel,
        "condvar" => Primitive::Condvar,
        "notify" => Primitive::Notify,
        other => panic!("no primitive is called {other:?}"),
    }
}
