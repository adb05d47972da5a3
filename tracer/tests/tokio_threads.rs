//! Workers of a tokio runtime and threads of its blocking pool, told apart.

use hangdog_flight::{Reader, ThreadRole};
use hangdog_tracer::{InPhaseExt, open_phase};

/// The recorder is made before any test records: while one thread makes it, others have none.
fn started() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| assert!(hangdog_flight::current().is_some(), "{}", hangdog_tracer::status()));
}

fn tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()
}

#[track_caller]
fn check(what: &str, tid: u32, role: Option<ThreadRole>) {
    let recorder = hangdog_flight::current().unwrap();
    let recording = Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap();
    let thread = recording.threads.iter().find(|thread| thread.tid == tid);
    assert_eq!(thread.map(|thread| thread.role), Some(role), "{what}");
}

async fn in_a_phase() -> u32 {
    async { tid() }.in_phase(open_phase!("role of a worker")).await
}

fn blocking() -> u32 {
    let _phase = open_phase!("role of a blocking thread").entered();
    tid()
}

#[test]
fn a_worker_polls_tasks_and_a_thread_of_the_pool_does_not() {
    started();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = hangdog_tracer::tokio::name_threads(builder.worker_threads(2)).build().unwrap();
    let (worker, pool) = runtime.block_on(async {
        in_a_phase().await;
        (tokio::spawn(in_a_phase()).await.unwrap(), tokio::task::spawn_blocking(blocking).await.unwrap())
    });
    check("a worker", worker, Some(ThreadRole::Worker));
    check("a thread of the pool", pool, Some(ThreadRole::Blocking));
    check("the thread of block_on", tid(), None);
}

#[test]
fn without_hooks_a_worker_is_known_and_others_are_not() {
    started();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (worker, pool) = runtime.block_on(async {
        (tokio::spawn(in_a_phase()).await.unwrap(), tokio::task::spawn_blocking(blocking).await.unwrap())
    });
    check("a worker", worker, Some(ThreadRole::Worker));
    check("a thread of the pool", pool, None);
}

#[test]
fn the_thread_that_drives_a_runtime_alone_is_its_worker() {
    started();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let worker = runtime.block_on(async { tokio::spawn(in_a_phase()).await.unwrap() });
    check("the only thread", worker, Some(ThreadRole::Worker));
}
