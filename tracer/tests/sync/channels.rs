//! What traced channels say of themselves: who serves each side, who waits at it.

use std::thread;

use crate::seen::{self, check, is_waited_for, runtime, started, until};
use hangdog_tracer::sync::mpsc;
use hangdog_tracer::{InPhaseExt, open_phase, tokio as traced};

async fn until_async(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn each_end_has_a_phase_and_closes_it() {
    started();
    let (sender, receiver) = mpsc::channel_named::<u8>("plain");
    let sends = "sends to plain: serve chan:plain/item channel";
    check("plain", &[sends]);
    let another = sender.clone();
    check("plain", &[sends, sends]);
    drop(sender);
    another.send(1).unwrap();
    assert_eq!(receiver.recv(), Ok(1));
    check("plain", &[sends]);
    drop((another, receiver));
    check("plain", &[]);
    let (sender, receiver) = mpsc::sync_channel_named::<u8>("bounded", 1);
    check(
        "bounded",
        &[
            "receives from bounded: serve chan:bounded/space channel",
            "sends to bounded: serve chan:bounded/item channel",
        ],
    );
    drop((sender, receiver));
    check("bounded", &[]);
}

#[test]
fn an_end_is_whose_used_it_last() {
    started();
    let (sender, receiver) = mpsc::channel_named("used");
    let user = || seen::seen("used")[0].tid;
    assert_eq!(user(), 0, "nobody yet");
    sender.send(1).unwrap();
    let own = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    assert_eq!(user(), own);
    let other = thread::spawn(move || {
        sender.send(2).unwrap();
        (sender, rustix::thread::gettid().as_raw_nonzero().get() as u32)
    });
    let (sender, other) = other.join().unwrap();
    assert_eq!(user(), other);
    assert_eq!(receiver.iter().take(2).collect::<Vec<_>>(), [1, 2]);
    drop(sender);
    assert!(receiver.recv().is_err());
}

#[test]
fn threads_wait_for_items_and_for_space() {
    started();
    let (sender, receiver) = mpsc::sync_channel_named("full", 0);
    let thread = thread::spawn(move || {
        sender.send(1).unwrap();
        sender
    });
    until(|| is_waited_for("full"));
    let (sends, receives) =
        ("sends to full: serve chan:full/item channel", "receives from full: serve chan:full/space channel");
    check("full", &[sends, receives, "send: wait chan:full/space channel"]);
    assert_eq!(receiver.recv(), Ok(1));
    let sender = thread.join().unwrap();
    let thread = thread::spawn(move || receiver.into_iter().collect::<Vec<_>>());
    until(|| is_waited_for("full"));
    check("full", &[sends, receives, "recv: wait chan:full/item channel"]);
    sender.send(2).unwrap();
    drop(sender);
    assert_eq!(thread.join().unwrap(), [2]);
    check("full", &[]);
}

#[test]
fn tasks_wait_for_items_and_for_space() {
    started();
    runtime().block_on(async {
        let (sender, mut receiver) = traced::sync::mpsc::channel_named("jobs", 1);
        let (sends, receives) =
            ("sends to jobs: serve chan:jobs/item channel", "receives from jobs: serve chan:jobs/space channel");
        check("jobs", &[sends, receives]);
        let producer = tokio::spawn(
            async move {
                for n in 0..3 {
                    sender.send(n).await.unwrap();
                }
                sender
            }
            .in_phase(open_phase!("produce")),
        );
        until_async(|| is_waited_for("jobs")).await;
        check("jobs", &[sends, receives, "produce > send: wait chan:jobs/space channel"]);
        let user = seen::seen("jobs").into_iter().find(|phase| phase.name == "sends to jobs").unwrap();
        assert_eq!(user.task.map(|task| task.to_string()), Some(producer.id().to_string()));
        assert_eq!((receiver.recv().await, receiver.recv().await), (Some(0), Some(1)));
        let sender = producer.await.unwrap();
        assert_eq!(receiver.recv().await, Some(2));
        let consumer = tokio::spawn(async move { receiver.recv().await }.in_phase(open_phase!("consume")));
        until_async(|| is_waited_for("jobs")).await;
        check("jobs", &[sends, receives, "consume > recv: wait chan:jobs/item channel"]);
        drop(sender);
        assert_eq!(consumer.await.unwrap(), None);
        check("jobs", &[]);
    });
}

#[test]
fn a_reserved_place_can_end_the_wait_for_space() {
    started();
    runtime().block_on(async {
        let (sender, mut receiver) = traced::sync::mpsc::channel_named("reserved", 1);
        let permit = sender.reserve().await.unwrap();
        let place = "has a place in the channel: serve chan:reserved/space channel";
        assert!(seen::seen("reserved").iter().any(|phase| phase.name == "has a place in the channel"));
        permit.send(1);
        let (sends, receives) = (
            "sends to reserved: serve chan:reserved/item channel",
            "receives from reserved: serve chan:reserved/space channel",
        );
        check("reserved", &[sends, receives]);
        assert_eq!(receiver.recv().await, Some(1));
        let permit = sender.reserve_owned().await.unwrap();
        check("reserved", &[sends, receives, place]);
        let sender = permit.release();
        check("reserved", &[sends, receives]);
        assert_eq!(sender.capacity(), 1);
    });
}

/// One waits for what another sends: oneshot, watch, broadcast, unbounded mpsc, notify.
#[track_caller]
fn one_way<W: Send + 'static>(
    name: &'static str,
    wait: impl Future<Output = W> + Send + 'static,
    expected: &[&str],
    send: impl FnOnce(),
) {
    started();
    runtime().block_on(async {
        let waiter = tokio::spawn(wait.in_phase(open_phase!("waiter")));
        until_async(|| is_waited_for(name)).await;
        check(name, expected);
        send();
        drop(waiter.await.unwrap());
        check(name, &[]);
    });
}

#[test]
fn all_channels_of_tokio_say_who_sends_and_who_waits() {
    static NOTIFY: traced::sync::Notify = traced::sync::Notify::named("wake up");

    let (sender, receiver) = traced::sync::oneshot::channel_named("once");
    let expected = ["sends to once: serve chan:once/item channel", "waiter > recv: wait chan:once/item channel"];
    one_way("once", receiver, &expected, || sender.send(1).unwrap());
    let (sender, mut receiver) = traced::sync::watch::channel_named("state", 0);
    let expected =
        ["sends to state: serve chan:state/item channel", "waiter > changed: wait chan:state/item channel"];
    one_way("state", async move { receiver.changed().await }, &expected, move || sender.send(1).unwrap());
    let (sender, mut receiver) = traced::sync::broadcast::channel_named("news", 2);
    let expected = ["sends to news: serve chan:news/item channel", "waiter > recv: wait chan:news/item channel"];
    one_way("news", async move { receiver.recv().await }, &expected, move || {
        sender.send(1).unwrap();
    });
    let (sender, mut receiver) = traced::sync::mpsc::unbounded_channel_named("log");
    let expected = ["sends to log: serve chan:log/item channel", "waiter > recv: wait chan:log/item channel"];
    one_way("log", async move { receiver.recv().await }, &expected, move || sender.send(1).unwrap());
    one_way("wake up", NOTIFY.notified(), &["waiter > wait: wait cond:wake up notify"], || NOTIFY.notify_one());
}

#[test]
fn a_receiver_that_is_polled_by_hand_shows_its_wait() {
    started();
    runtime().block_on(async {
        let (sender, mut receiver) = traced::sync::mpsc::channel_named("by hand", 1);
        std::future::poll_fn(|context| {
            assert!(receiver.poll_recv(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        assert!(is_waited_for("by hand"));
        sender.send(1).await.unwrap();
        assert_eq!(std::future::poll_fn(|context| receiver.poll_recv(context)).await, Some(1));
        assert!(!is_waited_for("by hand"));
    });
}
