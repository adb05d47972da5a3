//! What traced locks say of themselves while they are waited for and held: one line a phase, read from outside.
//!
//! All tests share the recorder of this process, so each looks only at resources of a name of its own.

use std::sync::Arc;
use std::thread;

use crate::seen::{self, check, is_waited_for, runtime, started, until};
use hangdog_tracer::sync::{Condvar, Mutex, RwLock};
use hangdog_tracer::{InPhaseExt, Pool, open_phase, parking_lot, phase, tokio as traced};

/// Holds what `take` takes until it is told to let go, on a thread of its own.
fn holding<T>(take: impl FnOnce() -> T + Send + 'static) -> impl FnOnce() {
    let (holds, held) = std::sync::mpsc::channel();
    let (let_go, told) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let _phase = phase!("holder");
        let _guard = take();
        holds.send(()).unwrap();
        let _ended = told.recv();
    });
    held.recv().unwrap();
    move || {
        drop(let_go);
        thread.join().unwrap();
    }
}

/// A thread holds it and another waits: both show. Then both go, and nothing is left.
#[track_caller]
fn blocking<A, B>(
    name: &str,
    take: impl FnOnce() -> A + Send + 'static,
    wait: impl FnOnce() -> B + Send + 'static,
    expected: &[&str],
) {
    started();
    check(name, &[]);
    let let_go = holding(take);
    let waiter = thread::spawn(move || {
        let _phase = phase!("waiter");
        drop(wait());
    });
    until(|| is_waited_for(name));
    check(name, expected);
    let_go();
    waiter.join().unwrap();
    check(name, &[]);
}

macro_rules! both {
    ($lock:expr, $take:ident, $wait:ident $(, $more:ident)?) => {{
        // Guards borrow from it for as long as they like.
        let lock: &'static _ = Box::leak(Box::new($lock));
        (move || lock.$take()$(.$more())?, move || lock.$wait()$(.$more())?)
    }};
}

#[test]
fn who_waits_and_who_holds_of_the_standard_librarys() {
    let (take, wait) = both!(Mutex::named("m", 0), lock, lock, unwrap);
    blocking("m", take, wait, &["holder > holds m: hold lock:m mutex", "waiter > lock: wait lock:m mutex"]);
    let (take, wait) = both!(RwLock::named("rw", 0), read, write, unwrap);
    let expected = ["holder > holds rw: hold lock:rw rw-lock-read", "waiter > write: wait lock:rw rw-lock-write"];
    blocking("rw", take, wait, &expected);
    let (take, wait) = both!(RwLock::named("wr", 0), write, read, unwrap);
    let expected = ["holder > holds wr: hold lock:wr rw-lock-write", "waiter > read: wait lock:wr rw-lock-read"];
    blocking("wr", take, wait, &expected);
}

#[test]
fn who_waits_and_who_holds_of_parking_lot() {
    let (take, wait) = both!(parking_lot::Mutex::named("pm", 0), lock, lock);
    blocking("pm", take, wait, &["holder > holds pm: hold lock:pm mutex", "waiter > lock: wait lock:pm mutex"]);
    let (take, wait) = both!(parking_lot::RwLock::named("prw", 0), read, write);
    let expected = ["holder > holds prw: hold lock:prw rw-lock-read", "waiter > write: wait lock:prw rw-lock-write"];
    blocking("prw", take, wait, &expected);
    let (take, wait) = both!(parking_lot::RwLock::named("pu", 0), upgradable_read, write);
    let expected = ["holder > holds pu: hold lock:pu rw-lock-write", "waiter > write: wait lock:pu rw-lock-write"];
    blocking("pu", take, wait, &expected);
}

#[test]
fn who_waits_and_who_holds_of_tokio_on_threads() {
    let (take, wait) = both!(traced::sync::Mutex::named("tm", 0), blocking_lock, blocking_lock);
    let expected = ["holder > holds tm: hold lock:tm async-mutex", "waiter > lock: wait lock:tm async-mutex"];
    blocking("tm", take, wait, &expected);
    let (take, wait) = both!(traced::sync::Semaphore::named("ts", 1), blocking_acquire, blocking_acquire, unwrap);
    let expected = ["holder > holds ts: hold pool:ts semaphore", "waiter > acquire: wait pool:ts semaphore"];
    blocking("ts", take, wait, &expected);
}

#[test]
fn a_pool_is_waited_for_when_all_of_it_is_out() {
    let pool = Pool::new("db", 1);
    let (one, other) = (pool.clone(), pool.clone());
    let (back, taken) = std::sync::mpsc::channel::<()>();
    let take = move || (one.get(|| Ok::<_, ()>("connection")).unwrap(), back);
    let wait = move || {
        other
            .get(|| {
                let _gone = taken.recv();
                Ok::<_, ()>("connection")
            })
            .unwrap()
    };
    blocking("db", take, wait, &["holder > holds db: hold pool:db pool", "waiter > get: wait pool:db pool"]);
    assert_eq!(pool.out(), 0);
}

#[test]
fn a_condition_is_waited_for_without_the_mutex() {
    static READY: Mutex<bool> = Mutex::named("ready", false);
    static CHANGED: Condvar = Condvar::named("changed");
    started();
    let waiter = thread::spawn(|| drop(CHANGED.wait_while(READY.lock().unwrap(), |ready| !*ready).unwrap()));
    until(|| is_waited_for("changed"));
    check("ready", &[]);
    check("changed", &["wait: wait cond:changed condvar"]);
    *READY.lock().unwrap() = true;
    CHANGED.notify_all();
    waiter.join().unwrap();
    check("changed", &[]);
    // Noted only when nobody waits for it.
    let lost = ("hang.serve".to_owned(), "cond:changed".to_owned());
    assert!(!seen::notes().contains(&lost));
    CHANGED.notify_one();
    assert!(seen::notes().contains(&lost));
}

#[test]
fn a_guard_that_a_panic_drops_is_let_go_and_the_lock_is_poisoned() {
    started();
    let lock = Mutex::named("poisoned", 1);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = lock.lock();
        check("poisoned", &["holds poisoned: hold lock:poisoned mutex"]);
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(caught.is_err() && lock.is_poisoned());
    check("poisoned", &[]);
    let guard = lock.lock().unwrap_err().into_inner();
    check("poisoned", &["holds poisoned: hold lock:poisoned mutex"]);
    drop(guard);
    lock.clear_poison();
    assert_eq!(lock.into_inner().unwrap(), 1);
}

#[test]
fn locks_are_called_by_their_place_and_counted() {
    static CONSTANT: Mutex<u8> = Mutex::new(0);
    let line = line!() - 1;
    let name = |line: u32| format!("sync/locks.rs:{line}");
    started();
    let guard = CONSTANT.lock().unwrap();
    check(&name(line), &[&format!("holds {0}: hold lock:{0} mutex", name(line))]);
    drop(guard);
    let many: Vec<Mutex<u8>> = (0..2).map(|_| Mutex::named("many", 0)).collect();
    let guards: Vec<_> = many.iter().map(|lock| lock.lock().unwrap()).collect();
    check("many", &["holds many#2: hold lock:many#2 mutex", "holds many: hold lock:many mutex"]);
    drop(guards);
    check("many", &[]);
}

/// A task holds it and another waits; `given_up` drops the one that waits.
#[track_caller]
fn of_tasks<A: Send + 'static, B: Send + 'static>(
    name: &'static str,
    take: impl Future<Output = A> + Send + 'static,
    wait: impl Future<Output = B> + Send + 'static,
    expected: &[&str],
) {
    started();
    runtime().block_on(async {
        let (let_go, told) = tokio::sync::oneshot::channel::<()>();
        let holder = tokio::spawn(
            async move {
                let _guard = take.await;
                let _ended = told.await;
            }
            .in_phase(open_phase!("holder")),
        );
        until_async(move || !seen::seen(name).is_empty()).await;
        let waiter = tokio::spawn(async move { drop(wait.await) }.in_phase(open_phase!("waiter")));
        until_async(move || is_waited_for(name)).await;
        check(name, expected);
        for phase in seen::seen(name) {
            let task = if phase.hang.wait.is_some() { waiter.id() } else { holder.id() };
            assert_eq!(phase.task.map(|task| task.to_string()), Some(task.to_string()), "{phase:?}");
            assert!(!phase.polled_now, "{phase:?}");
        }
        drop(let_go);
        holder.await.unwrap();
        waiter.await.unwrap();
        check(name, &[]);
    });
}

async fn until_async(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn which_tasks_wait_and_which_hold() {
    let lock = Arc::new(traced::sync::Mutex::named("am", 0));
    let expected = ["holder > holds am: hold lock:am async-mutex", "waiter > lock: wait lock:am async-mutex"];
    of_tasks("am", lock.clone().lock_owned(), lock.lock_owned(), &expected);
    let lock = Arc::new(traced::sync::RwLock::named("arw", 0));
    let expected =
        ["holder > holds arw: hold lock:arw async-rw-lock-read", "waiter > write: wait lock:arw async-rw-lock-write"];
    of_tasks("arw", lock.clone().read_owned(), lock.write_owned(), &expected);
    let permits = Arc::new(traced::sync::Semaphore::named("as", 2));
    let expected = ["holder > holds as: hold pool:as semaphore", "waiter > acquire: wait pool:as semaphore"];
    of_tasks("as", permits.clone().acquire_owned(), permits.acquire_many_owned(2), &expected);
    let pool: &'static Pool = Box::leak(Box::new(Pool::new("adb", 1)));
    let plain: &'static tokio::sync::Semaphore = Box::leak(Box::new(tokio::sync::Semaphore::new(1)));
    let expected = ["holder > holds adb: hold pool:adb pool", "waiter > get: wait pool:adb pool"];
    of_tasks("adb", pool.acquire(plain.acquire()), pool.acquire(plain.acquire()), &expected);
}

#[test]
fn a_wait_that_is_given_up_leaves_nothing_and_a_permit_goes_on_to_the_next() {
    started();
    let lock = Arc::new(traced::sync::Mutex::named("given up", 0));
    runtime().block_on(async {
        let guard = lock.lock().await;
        let waiter = tokio::spawn({
            let lock = lock.clone();
            async move { drop(lock.lock().await) }
        });
        until_async(|| is_waited_for("given up")).await;
        waiter.abort();
        assert!(waiter.await.unwrap_err().is_cancelled());
        check("given up", &["holds given up: hold lock:given up async-mutex"]);
        drop(guard);
        check("given up", &[]);
        assert!(lock.try_lock().is_ok());
    });
}

#[test]
fn a_lock_that_was_granted_but_is_not_polled_shows_the_wait_and_no_holder() {
    started();
    let lock = traced::sync::Mutex::named("granted", 0);
    runtime().block_on(async {
        let guard = lock.lock().await;
        let mut granted = std::pin::pin!(lock.lock());
        std::future::poll_fn(|context| {
            assert!(granted.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(guard);
        check("granted", &["lock: wait lock:granted async-mutex"]);
        assert!(lock.try_lock().is_err());
        drop(granted.await);
        check("granted", &[]);
    });
}

#[test]
fn a_permit_that_is_forgotten_stays_held_until_permits_are_added() {
    started();
    let permits = traced::sync::Semaphore::named("forgotten", 3);
    for _ in 0..3 {
        permits.try_acquire().unwrap().forget();
    }
    let held = "holds forgotten: hold pool:forgotten semaphore forgotten=true";
    check("forgotten", &[held, held, held]);
    permits.add_permits(2);
    check("forgotten", &[held]);
    assert_eq!(permits.available_permits(), 2);
    drop(permits);
    check("forgotten", &[]);
}

#[test]
fn permits_are_split_and_merged() {
    started();
    let permits = Arc::new(traced::sync::Semaphore::named("split", 5));
    let held = "holds split: hold pool:split semaphore";
    let mut permit = permits.try_acquire_many(3).unwrap();
    let part = permit.split(1).unwrap();
    check("split", &[held, held]);
    permit.merge(part);
    check("split", &[held]);
    let mut owned = permits.clone().try_acquire_many_owned(2).unwrap();
    let other = owned.split(1).unwrap();
    assert_eq!((owned.num_permits(), other.num_permits(), permits.available_permits()), (1, 1, 0));
    owned.merge(other);
    drop((permit, owned));
    assert_eq!(permits.available_permits(), 5);
    check("split", &[]);
}

#[test]
fn a_writer_becomes_a_reader() {
    started();
    let lock = parking_lot::RwLock::named("downgraded", 1);
    let alone = "holds downgraded: hold lock:downgraded rw-lock-write";
    let shared = "holds downgraded: hold lock:downgraded rw-lock-read";
    let writer = lock.write();
    check("downgraded", &[alone]);
    let reader = parking_lot::RwLockWriteGuard::downgrade(writer);
    check("downgraded", &[shared]);
    drop(reader);
    let writer = parking_lot::RwLockUpgradableReadGuard::upgrade(lock.upgradable_read());
    check("downgraded", &[alone]);
    drop(writer);
    check("downgraded", &[]);
    let lock = Arc::new(traced::sync::RwLock::named("a downgraded", 1));
    let reader = lock.clone().try_write_owned().unwrap().downgrade();
    check("a downgraded", &["holds a downgraded: hold lock:a downgraded async-rw-lock-read"]);
    drop(reader);
    check("a downgraded", &[]);
}
