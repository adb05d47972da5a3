//! Async tasks: what they wait for while no thread polls them.

use std::fmt::Write as _;

use hangdog_schemas::FindingKind;

use super::scene::{check, check_finding, check_sentence, report, told_of};

/// A runtime whose threads are all parked: the first one in `block_on`, the last one in its poll.
const PARKED: &str = "
    proc 10 svc <5 futex(0x100,0x89,0)
    task 10.12 w1 futex(0x200,0x89,0)
    task 10.13 w2 epoll_wait(4,0,0,-1)
    fd 10.4 anon_inode:[eventpoll] epoll=5e
    fd 10.5 anon_inode:[eventfd] eventfd=7#3
";

/// The same with a listening socket: it waits for clients.
const SERVER: &str = "
    proc 10 svc <5 futex(0x100,0x89,0)
    task 10.12 w1 futex(0x200,0x89,0)
    task 10.13 w2 epoll_wait(4,0,0,-1)
    fd 10.4 anon_inode:[eventpoll] epoll=5+6
    fd 10.5 anon_inode:[eventfd] eventfd=7
    fd 10.6 socket:[90]
    tcp 90 127.0.0.1:100 0.0.0.0:0 listen
";

/// The same with a timer that is far away.
const TIMER: &str = "
    proc 10 svc <5 futex(0x100,0x89,0)
    task 10.12 w1 futex(0x200,0x89,0)
    task 10.13 w2 epoll_wait(4,0,0,50000)
    fd 10.4 anon_inode:[eventpoll] epoll=5
    fd 10.5 anon_inode:[eventfd] eventfd=7
";

const TWO_LOCKS: &str = "
    phase 10.12/7 1 0 GET /a; left
    phase 10.12/7 2 1 holds cache; hold=lock:cache as=async-mutex
    phase 10.12/7 3 1 lock; wait=lock:users as=async-mutex left
    phase 10.13/8 4 0 refill; left
    phase 10.13/8 5 4 holds users; hold=lock:users as=async-mutex
    phase 10.13/8 6 4 lock; wait=lock:cache as=async-mutex left
";

#[test]
fn two_tasks_take_two_locks_in_two_orders() {
    let scene = format!("{PARKED}{TWO_LOCKS}");
    check(&scene, "deadlock-cycle likely: t7 t8; 10>t7 event, t7>t8 lock, t8>t7 lock");
    check_sentence(
        &scene,
        "deadlock: task 7 of svc[10] (in GET /a > lock) waits for lock:users, held by task 8 (in refill > lock), which \
         waits for lock:cache, held by task 7",
    );
}

#[test]
fn a_ring_of_tasks_in_a_runtime_that_goes_on_is_a_finding_and_no_verdict() {
    for runtime in [SERVER, TIMER] {
        check(&format!("{runtime}{TWO_LOCKS}"), "nothing");
        check_finding(&format!("{runtime}{TWO_LOCKS}"), "deadlock-cycle likely: t7 t8; t7>t8 lock, t8>t7 lock");
    }
}

#[test]
fn a_client_waits_for_a_task_in_the_ring() {
    let scene = format!(
        "{}{TWO_LOCKS}
        proc 10 client <5 recvfrom(3)
        fd 10.3 socket:[80]
        fd 11.7 socket:[81]
        tcp 80 127.0.0.1:5000 127.0.0.1:100 established
        tcp 81 127.0.0.1:100 127.0.0.1:5000 established",
        SERVER.replace("proc 10 svc <5", "proc 11 svc <10").replace("10.", "11.")
    );
    let scene = scene.replace("phase 10.", "phase 11.").replace(
        "phase 11.12/7 1 0 GET /a; left",
        "phase 11.12/7 1 0 GET /a; serve=http:127.0.0.1:100 link=127.0.0.1:5000>127.0.0.1:100 left",
    );
    check(&scene, "deadlock-cycle likely: t7 t8; 10>t7 tcp-reply, t7>t8 lock, t8>t7 lock");
}

#[test]
fn tasks_that_go_on_or_may_make_nothing_dead() {
    let scene = format!("{PARKED}{TWO_LOCKS}");
    // One was polled between the looks.
    check(
        &scene.replace(
            "6 4 lock; wait=lock:cache as=async-mutex left",
            "6 4 lock; wait=lock:cache as=async-mutex moved",
        ),
        "nothing",
    );
    // One is being polled, by a thread that computes, or that reads from somewhere else.
    for call in ["running", "read(3)", "futex(0x200,0x80,2,0x7f)", "futex(0x200,0x89,2) moved"] {
        let polled = scene.replace("6 4 lock; wait=lock:cache as=async-mutex left", "6 4 compute; polled");
        check(&polled.replace("w2 epoll_wait(4,0,0,-1)", &format!("w2 {call}")), "nothing");
    }
    // One waits for what it does not say, and the runtime waits for clients or for a timer.
    for runtime in [SERVER, TIMER] {
        let unsaid = TWO_LOCKS.replace("6 4 lock; wait=lock:cache as=async-mutex left", "6 4 fetch; left");
        check(&format!("{runtime}{unsaid}"), "nothing");
        check_finding(&format!("{runtime}{unsaid}"), "nothing");
        // It waits for the lock or for something else (join!, select!).
        let both = format!("{runtime}{TWO_LOCKS} phase 10.13/8 7 4 fetch; left");
        check_finding(&both, "nothing");
    }
}

#[test]
fn a_runtime_with_a_thread_that_computes_is_alive() {
    // block_on waits, a blocking thread computes: for whom is not recorded.
    let opaque = "
        phase 10.10 1 0 main; left
        phase 10.12/7 2 0 lock; wait=lock:cache as=async-mutex left
        phase 10.13/8 3 0 holds cache; hold=lock:cache as=async-mutex
    ";
    check(&format!("{PARKED}{opaque} task 10.14 blocking running"), "nothing");
    check_finding(&format!("{PARKED}{opaque} task 10.14 blocking running"), "nothing");
}

#[test]
fn a_lock_of_tasks_taken_again() {
    let scene = |runtime: &str, more: &str| {
        format!(
            "{runtime}
             phase 10.12/7 1 0 GET /a; left
             phase 10.12/7 2 1 holds cache; hold=lock:cache as=async-mutex
             phase 10.12/7 3 1 lock; wait=lock:cache as=async-mutex left
             {more}"
        )
    };
    check(&scene(PARKED, ""), "self-deadlock likely: t7; 10>t7 event, t7>t7 lock");
    check_sentence(
        &scene(PARKED, ""),
        "self-deadlock: task 7 of svc[10] (in GET /a > lock) waits for lock:cache, which it took itself",
    );
    // The guard may have been handed to a task that waits for a client or a timer, or to one that is known.
    check_finding(&scene(SERVER, ""), "nothing");
    check_finding(&scene(TIMER, ""), "nothing");
    let found = report(&scene(PARKED, "phase 10.13/8 4 0 job; left")).verdict;
    assert_eq!(found.map(|verdict| verdict.kind), Some(FindingKind::OrphanWait));
}

#[test]
fn the_first_future_of_a_thread_is_told_as_the_thread() {
    let scene = "
        proc 10 svc <5 epoll_wait(4,0,0,-1)
        fd 10.4 anon_inode:[eventpoll] epoll=5
        fd 10.5 anon_inode:[eventfd] eventfd=7
        phase 10.10 1 0 main; left
        phase 10.10 2 1 holds map; hold=lock:map as=async-read
        phase 10.10 3 1 write; wait=lock:map as=async-write left
    ";
    check(scene, "self-deadlock likely: 10; 10>10 lock");
    check_sentence(scene, "self-deadlock: svc[10] (in main > write) waits for lock:map, which it took itself");
}

#[test]
fn a_lock_was_granted_to_a_branch_that_is_no_longer_polled() {
    let scene = |runtime: &str, other: &str| {
        format!(
            "{runtime}
             phase 10.12/7 1 0 serve; left
             phase 10.12/7 2 1 lock; wait=lock:cache as=async-mutex left at=300 err=10
             phase {other} 3 1 lock; wait=lock:cache as=async-mutex left at=400 err=10"
        )
    };
    let same = |runtime: &str| scene(runtime, "10.12/7");
    for runtime in [PARKED, SERVER, TIMER] {
        let found = told_of(&same(runtime));
        assert!(found.starts_with("self-deadlock likely: t7; ") && found.ends_with("t7>t7 lock-turn"), "{found}");
    }
    check_sentence(
        &same(PARKED),
        "self-deadlock: task 7 of svc[10] (in serve > lock) waits for lock:cache, which is reserved for another future of \
         its own that is no longer polled",
    );
    // A worker that is busy may keep the task from being polled.
    check_finding(&format!("{}\n task 10.14 w3 running", same(PARKED)), "nothing");
    // Another task waits behind it; nobody polls the first.
    let two = scene(PARKED, "10.13/8");
    check(&two, "orphan-wait likely: ; 10>t8 event, t8>t7 lock-turn, t7>nobody poll");
    check_sentence(
        &two,
        "svc[10] waits for a wake-up at 0x100 from task 8 (in serve > lock), which waits for lock:cache behind task 7 (in \
         serve > lock), which is polled by nobody, although lock:cache was granted to it: its future was begun, and \
         neither polled to its end nor dropped",
    );
    // It may wait for a timer before it polls the lock again.
    check_finding(&scene(TIMER, "10.13/8"), "nothing");
    // Which came first cannot be told.
    check(&scene(PARKED, "10.13/8").replace("at=300", "at=395"), "orphan-wait likely: ; 10>nobody event");
}

#[test]
fn a_pool_is_used_up_by_those_who_wait_for_it() {
    let scene = |runtime: &str, more: &str| {
        format!(
            "{runtime}
             phase 10.12/7 1 0 GET /a; left
             phase 10.12/7 2 1 holds db; hold=pool:db as=pool
             phase 10.12/7 3 1 get; wait=pool:db as=pool left
             phase 10.13/8 4 0 GET /b; left
             phase 10.13/8 5 4 holds db; hold=pool:db as=pool
             phase 10.13/8 6 4 get; wait=pool:db as=pool left
             {more}"
        )
    };
    check(&scene(PARKED, ""), "pool-exhausted likely: t7 t8; 10>t7 event, t7>t7 pool, t7>t8 pool");
    check_sentence(
        &scene(PARKED, ""),
        "pool:db is used up: task 7 of svc[10] (in GET /a > get) and task 8 of svc[10] (in GET /b > get) hold all that was \
         taken of it, and each waits for more",
    );
    // The future that spawned them stood there before anything was taken; a task that came later may have been given it.
    let first = "phase 10.10 9 0 main; left at=100";
    check(&scene(PARKED, first), "pool-exhausted likely: t7 t8; 10>t7 event, t7>t7 pool, t7>t8 pool");
    check_finding(&scene(PARKED, "phase 10.10/9 9 0 job; left at=600"), "orphan-wait likely: ; 10>nobody event");
    // A connection may have been handed on, or be on its way.
    check_finding(&scene(SERVER, ""), "nothing");
    check_finding(&scene(TIMER, ""), "nothing");
    // A holder that says what else it waits for, or does not say.
    let third = "phase 10.12/9 7 0 GET /c; left
                 phase 10.12/9 8 7 holds db; hold=pool:db as=pool";
    check_finding(&scene(SERVER, third), "nothing");
}

#[test]
fn one_task_asks_for_more_than_the_pool_has() {
    let scene = "
        phase 10.10 1 0 load; left
        phase 10.10 2 1 holds slots; hold=pool:slots as=semaphore
        phase 10.10 3 1 holds slots; hold=pool:slots as=semaphore
        phase 10.10 4 1 acquire; wait=pool:slots as=semaphore left
    ";
    check(&format!("{PARKED}{scene}"), "pool-exhausted likely: 10; 10>10 pool");
    check_sentence(
        &format!("{PARKED}{scene}"),
        "pool:slots is used up: svc[10] (in load > acquire) holds all that was taken of it, and waits for more",
    );
    // Take the next permit and spawn a task with it: the tasks talk to a remote host, or sleep.
    check_finding(&format!("{SERVER}{scene}"), "nothing");
    check_finding(&format!("{TIMER}{scene}"), "nothing");
}

#[test]
fn permits_that_nobody_holds_may_be_given_by_anybody() {
    let scene = "phase 10.12/7 1 0 acquire; wait=pool:slots as=semaphore left";
    check(&format!("{PARKED}{scene}"), "orphan-wait likely: ; 10>t7 event, t7>nobody pool");
    for runtime in [SERVER, TIMER] {
        check_finding(&format!("{runtime}{scene}"), "nothing");
    }
    let forgotten = format!("{scene}\n phase 10.12/7 2 0 holds slots; hold=pool:slots as=semaphore forgotten");
    check(&format!("{PARKED}{forgotten}"), "orphan-wait likely: ; 10>t7 event, t7>nobody pool");
    check_finding(&format!("{TIMER}{forgotten}"), "nothing");
}

#[test]
fn a_task_waits_for_messages_of_an_idle_acceptor() {
    for user in ["10.12/9", "10.-"] {
        let scene = format!(
            "phase 10.12/7 1 0 writer; left
             phase 10.12/7 2 1 recv; wait=chan:out/item as=channel left
             phase 10.12/7 3 0 receives from out; serve=chan:out/space as=channel
             phase 10.12/9 4 0 accept; left
             phase {user} 5 0 sends to out; serve=chan:out/item as=channel"
        );
        check(&format!("{SERVER}{scene}"), "nothing");
        check_finding(&format!("{SERVER}{scene}"), "nothing");
    }
}

#[test]
fn a_long_poll_waits_to_be_notified() {
    let scene = "
        phase 10.12/7 1 0 GET /events; left
        phase 10.12/7 2 1 notified; wait=cond:news as=notify left
        phase 10.12/7 3 1 holds hub; hold=lock:hub as=async-read
        phase 10.13/8 4 0 read; wait=lock:hub as=async-write left
    ";
    check(&format!("{SERVER}{scene}"), "nothing");
    check_finding(&format!("{SERVER}{scene}"), "nothing");
    check(&format!("{PARKED}{scene}"), "deadlock-cycle likely: t8 t7; 10>t8 event, t8>t7 lock, t7>t8 notification");
}

#[test]
fn all_that_the_first_thread_waits_for_ends_at_a_channel() {
    let scene = "
        phase 10.10 1 0 collect; left
        phase 10.10 2 1 recv; wait=chan:results/item as=channel left
        phase 10.- 3 0 sends to results; serve=chan:results/item as=channel
    ";
    check(&format!("{PARKED}{scene}"), "orphan-wait likely: ; 10>nobody channel-item");
    check_sentence(
        &format!("{PARKED}{scene}"),
        "svc[10] (in collect > recv) waits for something from chan:results: an end that could send is still open, and \
         nobody is left who would",
    );
}

#[test]
fn tasks_fill_each_others_channels() {
    let scene = "
        phase 10.12/7 1 0 send; wait=chan:a/space as=channel left
        phase 10.13/8 2 0 send; wait=chan:b/space as=channel left
        phase 10.13/8 3 0 receives from a; serve=chan:a/space as=channel
        phase 10.12/7 4 0 receives from b; serve=chan:b/space as=channel
    ";
    check(
        &format!("{PARKED}{scene}"),
        "deadlock-cycle likely: t7 t8; 10>t7 event, t7>t8 channel-space, t8>t7 channel-space",
    );
}

#[test]
fn a_guard_of_threads_is_kept_over_an_await() {
    // The only thread of the runtime waits for the lock of a task that only it could poll.
    let scene = "
        proc 10 svc <5 futex(0x100,0x89,2)
        phase 10.10/7 1 0 GET /a; polled
        phase 10.10/7 2 1 lock; wait=lock:cache as=mutex polled
        phase 10.10/8 3 0 GET /b; left
        phase 10.10/8 4 3 holds cache; hold=lock:cache as=mutex
    ";
    check(scene, "deadlock-cycle likely: 10 t8; 10>t8 lock, t8>10 poll");
    check_sentence(
        scene,
        "deadlock: svc[10] (in GET /a > lock) waits for lock:cache, held by task 8 (in GET /b), which waits to be woken or \
         polled by svc[10]",
    );
    check(&format!("{scene} task 10.12 worker epoll_wait(4,0,0,5000)"), "nothing");
}

#[test]
fn what_is_held_in_a_branch_beside() {
    // The guard is kept by a branch that is not polled while the other one waits for the lock.
    let scene = |runtime: &str| {
        format!(
            "{runtime}
             phase 10.12/7 1 0 serve; left
             phase 10.12/7 2 1 refill; left at=300
             phase 10.12/7 3 2 holds cache; hold=lock:cache as=async-mutex
             phase 10.12/7 4 1 lock; wait=lock:cache as=async-mutex left at=400"
        )
    };
    check(&scene(PARKED), "self-deadlock likely: t7; 10>t7 event, t7>t7 lock");
    check_finding(&scene(SERVER), "nothing");
}

#[test]
fn what_a_task_waits_for_may_be_written_by_hand() {
    let scene = "
        phase 10.12/7 1 0 export; hold=db:orders left
        phase 10.12/7 2 1 upload; wait=db:quota left
        phase 10.13/8 3 0 bill; hold=db:quota left
        phase 10.13/8 4 3 read; wait=db:orders left
    ";
    check(
        &format!("{PARKED}{scene}"),
        "deadlock-cycle likely: t7 t8; 10>t7 event, t7>t8 named-resource, t8>t7 named-resource",
    );
}

/// As clients in other languages write them: tasks, one thread for all, and no word of who is polled.
const EVENT_LOOP: &str = "
    proc 10 py <5 epoll_wait(4,0,0,-1)
    fd 10.4 anon_inode:[eventpoll] epoll=5
    fd 10.5 anon_inode:[eventfd] eventfd=7
    phase 10.10/7 1 0 fetch; hold=lock:b
    phase 10.10/7 2 1 wait; wait=lock:a
    phase 10.10/8 3 0 store; hold=lock:a
    phase 10.10/8 4 3 wait; wait=lock:b
";

#[test]
fn tasks_wait_while_their_event_loop_does() {
    check(EVENT_LOOP, "deadlock-cycle likely: t7 t8; 10>t7 event, t7>t8 named-resource, t8>t7 named-resource");
    let reads = EVENT_LOOP.replace("epoll_wait(4,0,0,-1)", "read(3)");
    check(&reads, "nothing");
    check(&EVENT_LOOP.replace("epoll_wait(4,0,0,-1)", "epoll_wait(4,0,0,-1) moved"), "nothing");
}

#[test]
fn tasks_that_say_nothing_are_listed_where_their_event_loop_waits_for_nothing() {
    let scene = EVENT_LOOP.replace("; wait=lock:a", "").replace("; wait=lock:b", "");
    check(&scene, "self-deadlock certain: 10; 10>10 event");
    let verdict = report(&scene).verdict.expect("a verdict");
    assert_eq!(verdict.culprits[0].phase, None);
    assert_eq!(
        verdict.unknown,
        ["what task 7 of py[10] (in fetch > wait) waits for", "what task 8 of py[10] (in store > wait) waits for"]
    );
}

/// Waits of thousands of tasks at one lock: more than linear time would make this the slowest test by far.
#[test]
fn many_tasks_wait_for_one_lock() {
    let mut scene = format!("{PARKED}{TWO_LOCKS}");
    for task in 100..5_000 {
        writeln!(scene, "phase 10.12/{task} {task} 0 lock; wait=lock:cache as=async-mutex left").unwrap();
    }
    assert_eq!(told_of(&scene).split(';').next(), Some("deadlock-cycle likely: t7 t8"));
    // Nobody holds it, and all came at once: which of them is the first is not said.
    let free = scene.replace("hold=lock:cache", "hold=lock:other").replace("wait=lock:cache", "wait=lock:free");
    assert_eq!(told_of(&free).split(';').next(), Some("deadlock-cycle likely: t7 t8"));
}

#[test]
fn what_an_edge_triggered_poll_was_told_wakes_nobody_again() {
    // A connection whose task does not read it: its bytes, or its end, were told once.
    for state in ["established rq=40", "close_wait"] {
        let scene = format!(
            "{PARKED}{TWO_LOCKS}
             fd 10.6 socket:[81]
             proc 11 client <10 recvfrom(3)
             fd 11.3 socket:[80]
             tcp 80 127.0.0.1:5000 127.0.0.1:100 established
             tcp 81 127.0.0.1:100 127.0.0.1:5000 {state}"
        );
        let edge = scene.replace("epoll=5e", "epoll=5e+6e");
        assert!(told_of(&edge).starts_with("deadlock-cycle likely: t7 t8; 10>t7 event"), "{}", told_of(&edge));
        assert_eq!(report(&scene.replace("epoll=5e", "epoll=5e+6")).verdict, None);
    }
    check(&SERVER.replace("listen", "listen rq=1").replace("epoll=5+6", "epoll=5e+6e"), "nothing");
}
