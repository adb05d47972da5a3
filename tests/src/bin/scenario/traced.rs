//! Threads of traced programs that wait for each other's locks. The recorder has a thread of its own, which wakes up
//! fifty times a second: it must not count.

use std::sync::{Barrier, Mutex};
use std::time::Duration;

use tracing::info_span;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{Outcome, role};

static ORDERS: Mutex<()> = Mutex::new(());
static STOCK: Mutex<()> = Mutex::new(());
static BOTH: Barrier = Barrier::new(2);

/// Longer than the tests' `--quiet-after`.
const QUIET: Duration = Duration::from_secs(5);

/// Two threads take two locks in different order.
pub(crate) fn mutexes(_: &[String]) -> Outcome {
    begin("booker")?;
    let order = std::thread::spawn(|| book(&ORDERS, "lock:orders", &STOCK, "lock:stock"));
    let refund = std::thread::spawn(|| book(&STOCK, "lock:stock", &ORDERS, "lock:orders"));
    join(order)?;
    join(refund)
}

fn book(first: &'static Mutex<()>, held: &str, second: &'static Mutex<()>, wanted: &str) {
    let _first = first.lock();
    let _book = info_span!("book", hang.hold = held).entered();
    BOTH.wait();
    let _wait = info_span!("take the second lock", hang.wait = wanted).entered();
    let _second = second.lock();
}

/// A thread waits without limit for a lock that another one lets go of when its time has come.
pub(crate) fn mutex_queue(_: &[String]) -> Outcome {
    begin("queue")?;
    let holder = std::thread::spawn(|| {
        let _stock = STOCK.lock();
        let _count = info_span!("count", hang.hold = "lock:stock").entered();
        BOTH.wait();
        std::thread::sleep(QUIET);
    });
    BOTH.wait();
    {
        let _wait = info_span!("sell", hang.wait = "lock:stock").entered();
        let _stock = STOCK.lock();
    }
    join(holder)
}

fn begin(role: &str) -> Outcome {
    role::take(role)?;
    tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
    Ok(())
}

fn join(thread: std::thread::JoinHandle<()>) -> Outcome {
    thread.join().map_err(|_| "a thread panicked".into())
}
