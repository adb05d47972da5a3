//! Hangs of traced locks, channels and pools, and programs that only look like them.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use hangdog_tracer::sync::{Condvar, Mutex, RwLock, mpsc};
use hangdog_tracer::tokio::sync as tasks;
use hangdog_tracer::{InPhaseExt, Pool, open_phase, parking_lot, phase};
use tokio::runtime::{Builder, Runtime};

use crate::{Outcome, role};

/// How long the healthy ones are quiet.
/// So long that the recorder's clock tells two things apart.
const APART: Duration = Duration::from_millis(300);
const QUIET: Duration = Duration::from_secs(5);

/// The recorder is made before there are threads: while one makes it, others go without.
fn begin() -> Outcome {
    role::take("traced")?;
    drop(phase!("begin"));
    Ok(())
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Two threads in two phases, at once.
fn two(one: impl FnOnce() + Send, other: impl FnOnce() + Send) {
    thread::scope(|scope| {
        scope.spawn(move || {
            let _phase = phase!("import");
            one();
        });
        scope.spawn(move || {
            let _phase = phase!("export");
            other();
        });
    });
}

/// Two tasks in two phases, at once.
fn two_tasks(
    one: impl Future<Output = ()> + Send + 'static,
    other: impl Future<Output = ()> + Send + 'static,
) -> Outcome {
    runtime()?.block_on(async {
        let one = tokio::spawn(one.in_phase(open_phase!("import")));
        let other = tokio::spawn(other.in_phase(open_phase!("export")));
        one.await?;
        other.await?;
        Ok(())
    })
}

/// One task in a phase.
fn one_task(work: impl Future<Output = ()> + Send + 'static) -> Outcome {
    runtime()?.block_on(async { Ok(tokio::spawn(work.in_phase(open_phase!("handler"))).await?) })
}

macro_rules! abba {
    ($lock:path $(, $ok:ident)?) => {{
        begin()?;
        let (orders, stock, both) = (<$lock>::named("orders", ()), <$lock>::named("stock", ()), Barrier::new(2));
        let take = |first: &$lock, then: &$lock| {
            let _first = first.lock()$(.$ok())?;
            both.wait();
            let _then = then.lock()$(.$ok())?;
        };
        two(|| take(&orders, &stock), || take(&stock, &orders));
        Ok(())
    }};
}

/// Two threads take two locks in different order.
pub(crate) fn abba_std(_: &[String]) -> Outcome {
    abba!(Mutex<()>, unwrap)
}

/// The same with locks of parking_lot.
pub(crate) fn abba_parking_lot(_: &[String]) -> Outcome {
    abba!(parking_lot::Mutex<()>)
}

/// Two tasks take two locks in different order.
pub(crate) fn abba_tokio(_: &[String]) -> Outcome {
    begin()?;
    let (orders, stock) = (Arc::new(tasks::Mutex::named("orders", ())), Arc::new(tasks::Mutex::named("stock", ())));
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let take = |first: &Arc<tasks::Mutex<()>>, then: &Arc<tasks::Mutex<()>>| {
        let (first, then, both) = (first.clone(), then.clone(), both.clone());
        async move {
            let _first = first.lock().await;
            both.wait().await;
            let _then = then.lock().await;
        }
    };
    two_tasks(take(&orders, &stock), take(&stock, &orders))
}

/// A thread takes a lock that it holds.
pub(crate) fn reentrant(_: &[String]) -> Outcome {
    begin()?;
    let cache = Mutex::named("cache", ());
    let _phase = phase!("refresh");
    let _first = cache.lock();
    let _second = cache.lock();
    Ok(())
}

/// A thread writes to what it reads.
pub(crate) fn read_then_write(_: &[String]) -> Outcome {
    begin()?;
    let settings = RwLock::named("settings", ());
    let _phase = phase!("reload");
    let _reader = settings.read();
    let _writer = settings.write();
    Ok(())
}

/// Two threads send to each other before they receive, more than there is room for.
pub(crate) fn channel_ring_std(_: &[String]) -> Outcome {
    begin()?;
    let (requests, asked) = mpsc::sync_channel_named::<u8>("requests", 1);
    let (replies, answered) = mpsc::sync_channel_named::<u8>("replies", 1);
    let both = Barrier::new(2);
    let exchange = |to: mpsc::SyncSender<u8>, from: mpsc::Receiver<u8>| {
        // Whoever receives is on record from the first time on.
        let _nothing = from.try_recv();
        both.wait();
        let sent = (0..2).try_for_each(|n| to.send(n));
        assert!(sent.is_err() || from.recv().is_ok());
    };
    two(|| exchange(requests, answered), || exchange(replies, asked));
    Ok(())
}

/// Two tasks do so.
pub(crate) fn channel_ring_tokio(_: &[String]) -> Outcome {
    begin()?;
    let (requests, asked) = tasks::mpsc::channel_named::<u8>("requests", 1);
    let (replies, answered) = tasks::mpsc::channel_named::<u8>("replies", 1);
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let exchange = |to: tasks::mpsc::Sender<u8>, mut from: tasks::mpsc::Receiver<u8>| {
        let both = both.clone();
        async move {
            let _nothing = from.try_recv();
            both.wait().await;
            for n in 0..2 {
                let _gone = to.send(n).await;
            }
            let _ended = from.recv().await;
        }
    };
    two_tasks(exchange(requests, answered), exchange(replies, asked))
}

/// Two tasks have one of a pool of two each, and each wants another one.
pub(crate) fn pool(_: &[String]) -> Outcome {
    begin()?;
    let (pool, plain) = (Pool::new("db", 2), Arc::new(tokio::sync::Semaphore::new(2)));
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let query = || {
        let (pool, plain, both) = (pool.clone(), plain.clone(), both.clone());
        async move {
            let _first = pool.acquire(plain.acquire()).await;
            both.wait().await;
            let _second = pool.acquire(plain.acquire()).await;
        }
    };
    two_tasks(query(), query())
}

/// A branch of a `select!` has taken a lock, and is not polled while the task waits for that lock.
pub(crate) fn select_holds(_: &[String]) -> Outcome {
    begin()?;
    one_task(async {
        let cache = tasks::Mutex::named("cache", ());
        let mut refresh = std::pin::pin!(async {
            let _held = cache.lock().await;
            tokio::task::yield_now().await;
        });
        tokio::select! {
            biased;
            () = &mut refresh => {}
            () = std::future::ready(()) => {}
        }
        drop(cache.lock().await);
        refresh.await;
    })
}

/// A branch of a `select!` was granted a lock, and is not polled while the task waits for that lock.
pub(crate) fn select_granted(_: &[String]) -> Outcome {
    begin()?;
    one_task(async {
        let cache = tasks::Mutex::named("cache", ());
        let held = cache.lock().await;
        let mut refresh = std::pin::pin!(async { drop(cache.lock().await) });
        tokio::select! {
            biased;
            () = &mut refresh => {}
            () = std::future::ready(()) => {}
        }
        drop(held);
        drop(cache.lock().await);
        refresh.await;
    })
}

/// The notification comes before anybody waits for it.
pub(crate) fn notify_before_wait(_: &[String]) -> Outcome {
    begin()?;
    let (lock, ready) = (Mutex::named("state", ()), Condvar::named("ready"));
    let _phase = phase!("start up");
    ready.notify_one();
    thread::sleep(APART);
    let guard = lock.lock().map_err(|_| "poisoned")?;
    let _woken = ready.wait(guard);
    Ok(())
}

/// The same with tasks.
pub(crate) fn notify_before_wait_tokio(_: &[String]) -> Outcome {
    begin()?;
    one_task(async {
        let ready = tasks::Notify::named("ready");
        ready.notify_waiters();
        tokio::time::sleep(APART).await;
        ready.notified().await;
    })
}

/// A permit is forgotten, and somebody waits for it.
pub(crate) fn permit_forgotten(_: &[String]) -> Outcome {
    begin()?;
    one_task(async {
        let uploads = tasks::Semaphore::named("uploads", 1);
        if let Ok(permit) = uploads.acquire().await {
            permit.forget();
        }
        let _never = uploads.acquire().await;
    })
}

/// Threads queue up at locks that each holds for a while.
pub(crate) fn lock_queue(_: &[String]) -> Outcome {
    begin()?;
    let (orders, stock) = (Mutex::named("orders", ()), parking_lot::RwLock::named("stock", ()));
    let work = || {
        let _order = orders.lock();
        let _stock = stock.write();
        thread::sleep(QUIET / 2);
    };
    two(work, work);
    Ok(())
}

/// Tasks queue up at a lock whose holder waits for a timer.
pub(crate) fn task_queue(_: &[String]) -> Outcome {
    begin()?;
    let orders = Arc::new(tasks::Mutex::named("orders", ()));
    let work = || {
        let orders = orders.clone();
        async move {
            let _held = orders.lock().await;
            tokio::time::sleep(QUIET / 2).await;
        }
    };
    two_tasks(work(), work())
}

/// A consumer that takes its time: the channel is full most of the while.
pub(crate) fn slow_receiver(_: &[String]) -> Outcome {
    begin()?;
    let (sender, receiver) = mpsc::sync_channel_named("jobs", 1);
    let produce = move || assert!((0..5).try_for_each(|n| sender.send(n)).is_ok());
    two(produce, move || receiver.iter().for_each(|_: u8| thread::sleep(QUIET / 4)));
    Ok(())
}

/// Two tasks and a pool of one, whose users take their time.
pub(crate) fn busy_pool(_: &[String]) -> Outcome {
    begin()?;
    let (pool, plain) = (Pool::new("db", 1), Arc::new(tokio::sync::Semaphore::new(1)));
    let query = || {
        let (pool, plain) = (pool.clone(), plain.clone());
        async move {
            let _connection = pool.acquire(plain.acquire()).await;
            tokio::time::sleep(QUIET / 2).await;
        }
    };
    two_tasks(query(), query())
}

/// A notification and a permit come in the end, from a thread that nobody knows to be the one.
pub(crate) fn late_notification(_: &[String]) -> Outcome {
    begin()?;
    let (ready, uploads) = (Arc::new(tasks::Notify::named("ready")), Arc::new(tasks::Semaphore::named("uploads", 0)));
    let giver = thread::spawn({
        let (ready, uploads) = (ready.clone(), uploads.clone());
        move || {
            thread::sleep(QUIET);
            ready.notify_one();
            uploads.add_permits(1);
        }
    });
    two_tasks(async move { ready.notified().await }, async move {
        let _permit = uploads.acquire().await;
    })?;
    giver.join().map_err(|_| "the giver panicked")?;
    Ok(())
}

/// A branch of a `select!` holds the lock and goes on being polled.
pub(crate) fn select_polled(_: &[String]) -> Outcome {
    begin()?;
    one_task(async {
        let cache = tasks::Mutex::named("cache", ());
        let refresh = async {
            let _held = cache.lock().await;
            tokio::time::sleep(QUIET).await;
        };
        tokio::join!(refresh, async { drop(cache.lock().await) });
    })
}
