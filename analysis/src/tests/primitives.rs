//! Traced locks and channels of threads.

use super::scene::{check, check_sentence};

const TWO_LOCKS: &str = "
    proc 10 svc <5 futex(0x7f00,0x109,12;12)
    task 10.12 a futex(0x100,0x89,2)
    task 10.13 b futex(0x200,0x89,2)
    phase 10.12 1 0 GET /a
    phase 10.12 2 1 holds cache; hold=lock:cache as=mutex
    phase 10.12 3 1 lock; wait=lock:users as=mutex
    phase 10.13 4 0 refill
    phase 10.13 5 4 holds users; hold=lock:users as=mutex
    phase 10.13 6 4 lock; wait=lock:cache as=mutex
";

#[test]
fn two_locks_in_two_orders() {
    check(TWO_LOCKS, "deadlock-cycle certain: 12 13; 10>12 thread-exit, 12>13 lock, 13>12 lock");
    check_sentence(
        TWO_LOCKS,
        "deadlock: svc[10/12] (in GET /a > lock) waits for lock:users, held by svc[10/13] (in refill > lock), which waits \
         for lock:cache, held by svc[10/12]; behind it svc[10] waits for the end of thread svc[10/12]",
    );
}

#[test]
fn a_holder_that_works_is_no_hang() {
    for call in ["clock_nanosleep()", "running", "futex(0x200,0x80,2,0x7f)", "futex(0x200,0x89,2) moved"] {
        check(&TWO_LOCKS.replace("task 10.13 b futex(0x200,0x89,2)", &format!("task 10.13 b {call}")), "nothing");
    }
}

#[test]
fn what_the_recorder_lost_may_be_another_holder() {
    // With everything at rest the ring stays the only story; a thread that goes on may be the one who holds it.
    let lost = format!("{TWO_LOCKS} lost phases of 10");
    check(&lost, "deadlock-cycle likely: 12 13; 10>12 thread-exit, 12>13 lock, 13>12 lock");
    check(&format!("{lost}\n task 10.14 heartbeat clock_nanosleep() moved"), "nothing");
    let elsewhere = format!("{TWO_LOCKS} lost phases of 11");
    check(&elsewhere, "deadlock-cycle certain: 12 13; 10>12 thread-exit, 12>13 lock, 13>12 lock");
}

#[test]
fn a_lock_taken_again() {
    let scene = "
        proc 10 svc <5 futex(0x100,0x89,2)
        task 10.12 heartbeat clock_nanosleep()
        phase 10.10 1 0 reload
        phase 10.10 2 1 holds cache; hold=lock:cache as=mutex
        phase 10.10 3 1 lock; wait=lock:cache as=mutex
    ";
    check(scene, "self-deadlock likely: 10; 10>10 lock");
    check_sentence(scene, "self-deadlock: svc[10] (in reload > lock) waits for lock:cache, which it took itself");
    let alone = scene.replace("task 10.12 heartbeat clock_nanosleep()", "");
    check(&alone, "self-deadlock certain: 10; 10>10 lock");
    // The same name, another lock.
    check(&scene.replace("hold=lock:cache", "hold=lock:cache#2"), "nothing");
}

#[test]
fn a_reader_that_wants_to_write() {
    check(
        "proc 10 svc <5 futex(0x100,0x89,2)
         phase 10.10 1 0 upgrade
         phase 10.10 2 1 holds map; hold=lock:map as=read
         phase 10.10 3 1 write; wait=lock:map as=write",
        "self-deadlock certain: 10; 10>10 lock",
    );
}

#[test]
fn a_writer_waits_for_all_readers_and_one_that_cannot_go_on_is_enough() {
    let scene = |second: &str| {
        format!(
            "proc 10 svc <5 futex(0x7f00,0x109,12;12)
             task 10.12 writer futex(0x100,0x89,2)
             task 10.13 reader1 clock_nanosleep()
             task 10.14 reader2 {second}
             phase 10.12 1 0 write; wait=lock:map as=write
             phase 10.12 2 0 holds log; hold=lock:log as=mutex
             phase 10.13 3 0 holds map; hold=lock:map as=read
             phase 10.14 4 0 holds map; hold=lock:map as=read
             phase 10.14 5 0 lock; wait=lock:log as=mutex"
        )
    };
    check(&scene("futex(0x200,0x89,2)"), "deadlock-cycle likely: 12 14; 10>12 thread-exit, 12>14 lock, 14>12 lock");
    check(&scene("clock_nanosleep()"), "nothing");
}

#[test]
fn readers_do_not_wait_for_readers_but_for_writers_that_came_before_them() {
    let scene = |writer: &str| {
        format!(
            "proc 10 svc <5 futex(0x7f00,0x109,12;12)
             task 10.12 reader futex(0x100,0x89,2)
             task 10.13 writer {writer}
             phase 10.12 1 0 holds map; hold=lock:map as=read
             phase 10.12 2 0 read; wait=lock:map as=read at=800
             phase 10.13 3 0 write; wait=lock:map as=write at=700"
        )
    };
    check(
        &scene("futex(0x200,0x89,2)"),
        "deadlock-cycle likely: 12 13; 10>12 thread-exit, 12>13 lock-turn, 13>12 lock",
    );
    // A writer that gives up after a while lets the readers through.
    check(&scene("futex(0x200,0x80,2,0x7f)"), "nothing");
    // Two readers and no writer: nothing says who stands in the way, and another thread goes on.
    check(
        "proc 10 svc <5 futex(0x7f00,0x109,12;12)
         task 10.12 reader futex(0x100,0x89,2)
         task 10.13 other clock_nanosleep()
         phase 10.12 1 0 holds map; hold=lock:map as=read
         phase 10.12 2 0 read; wait=lock:map as=read",
        "nothing",
    );
}

#[test]
fn a_live_writer_lets_its_readers_go_on() {
    check(
        "proc 10 svc <5 futex(0x7f00,0x109,12;12)
         task 10.12 r1 futex(0x100,0x89,2)
         task 10.13 r2 futex(0x100,0x89,2)
         task 10.14 writer read(3)
         fd 10.3 socket:[90]
         tcp 90 127.0.0.1:100 10.9.9.9:443 established
         phase 10.12 1 0 read; wait=lock:map as=read
         phase 10.13 2 0 read; wait=lock:map as=read
         phase 10.14 3 0 holds map; hold=lock:map as=write",
        "nothing",
    );
}

#[test]
fn whoever_took_it_has_ended() {
    let scene = "
        proc 10 svc <5 futex(0x100,0x89,2)
        task 10.12 other futex(0x200,0x89,2)
        phase 10.10 1 0 lock; wait=lock:cache as=mutex
        phase 10.19 2 0 holds cache; hold=lock:cache as=mutex
    ";
    check(scene, "orphan-wait certain: ; 10>nobody lock");
    check_sentence(
        scene,
        "svc[10] (in lock) waits for lock:cache, held by a thread that has ended: it was not given back",
    );
    check(&scene.replace("other futex(0x200,0x89,2)", "other clock_nanosleep()"), "nothing");
}

const FULL: &str = "
    proc 10 pipeline <5 futex(0x7f00,0x109,12;12)
    task 10.12 parse futex(0x100,0x89,2)
    task 10.13 store futex(0x200,0x89,2)
    phase 10.12 1 0 send; wait=chan:rows/space as=channel
    phase 10.13 2 0 send; wait=chan:acks/space as=channel
    phase 10.13 3 0 receives from rows; serve=chan:rows/space as=channel
    phase 10.12 4 0 receives from acks; serve=chan:acks/space as=channel
    phase 10.12 5 0 sends to rows; serve=chan:rows/item as=channel
    phase 10.13 6 0 sends to acks; serve=chan:acks/item as=channel
";

#[test]
fn two_full_channels_in_a_ring() {
    check(FULL, "deadlock-cycle likely: 12 13; 10>12 thread-exit, 12>13 channel-space, 13>12 channel-space");
    check_sentence(
        FULL,
        "deadlock: pipeline[10/12] (in send) waits for room in the full chan:rows, whose receiving end is held by \
         pipeline[10/13] (in send), which waits for room in the full chan:acks, whose receiving end is held by \
         pipeline[10/12]; behind it pipeline[10] waits for the end of thread pipeline[10/12]",
    );
    // Nobody has used the receiving end yet: any thread may have it, and one goes on.
    let unused = FULL.replace("phase 10.13 3 0 receives", "phase 10.- 3 0 receives");
    check(&format!("{unused}\n task 10.14 slow clock_nanosleep()"), "nothing");
}

#[test]
fn a_sender_that_joins_its_receiver_before_it_drops_the_sending_end() {
    let scene = "
        proc 10 pool <5 futex(0x7f00,0x109,12;12)
        task 10.12 worker futex(0x100,0x89,2)
        phase 10.12 1 0 recv; wait=chan:jobs/item as=channel
        phase 10.10 2 0 sends to jobs; serve=chan:jobs/item as=channel
        phase 10.12 3 0 receives from jobs; serve=chan:jobs/space as=channel
    ";
    check(scene, "deadlock-cycle likely: 10 12; 10>12 thread-exit, 12>10 channel-item");
    check_sentence(
        scene,
        "deadlock: pool[10] waits for the end of thread pool[10/12] (in recv), which waits for something from chan:jobs, \
         whose sending end is held by pool[10]",
    );
    // The thread that used the sending end last has ended; whoever has it now may be any.
    let ended = scene.replace("phase 10.10 2 0 sends", "phase 10.19 2 0 sends");
    check(&format!("{ended} task 10.14 reader clock_nanosleep()"), "nothing");
    // A sending end is shared: another thread that goes on may send.
    check(&format!("{scene} task 10.14 reader clock_nanosleep()"), "nothing");
    // All senders have gone: it is about to return.
    let dropped = scene.replace("phase 10.10 2 0 sends to jobs; serve=chan:jobs/item as=channel", "");
    check(&format!("{dropped} task 10.14 reader clock_nanosleep()"), "nothing");
}

#[test]
fn workers_that_wait_for_work_beside_a_server_are_no_hang() {
    check(
        "proc 10 pool <5 accept(4)
         task 10.12 worker futex(0x100,0x89,2)
         task 10.13 worker futex(0x100,0x89,2)
         fd 10.4 socket:[90]
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen
         phase 10.12 1 0 recv; wait=chan:jobs/item as=channel
         phase 10.13 2 0 wait; wait=cond:ready as=condvar
         phase 10.10 3 0 sends to jobs; serve=chan:jobs/item as=channel",
        "nothing",
    );
}

#[test]
fn nobody_is_left_to_notify() {
    let scene = "
        proc 10 svc <5 futex(0x100,0x89,2)
        task 10.12 other futex(0x200,0x89,2)
        phase 10.10 1 0 start up
        phase 10.10 2 1 wait; wait=cond:ready as=condvar
    ";
    check(scene, "orphan-wait likely: ; 10>nobody notification");
    check_sentence(
        scene,
        "svc[10] (in start up > wait) waits to be notified at cond:ready: nobody in its process is left who could notify it",
    );
    check(&format!("{scene} task 10.13 loader read(3)"), "nothing");
}

#[test]
fn a_notification_that_came_before_the_wait() {
    let scene = |more: &str| {
        format!(
            "proc 10 svc <5 futex(0x100,0x89,2)
             task 10.12 other futex(0x200,0x89,2)
             phase 10.10 1 0 start up
             phase 10.10 2 1 wait; wait=cond:ready as=condvar at=300
             phase 10.12 3 0 notify ready; serve=cond:ready as=condvar at=100 until=120
             {more}"
        )
    };
    check(&scene(""), "lost-wakeup likely: ; 10>nobody notification");
    check_sentence(
        &scene(""),
        "svc[10] (in start up > wait) waits to be notified at cond:ready: that came before the wait began, and nobody is \
         left who could do it again",
    );
    // Somebody else got it; and one that comes after the wait began was no help.
    let other = "phase 10.12 4 0 wait; wait=cond:ready as=condvar at=50 until=130";
    check(&scene(other), "orphan-wait likely: ; 10>nobody notification");
    let later = scene("").replace("at=100 until=120", "at=400 until=420");
    check(&later, "orphan-wait likely: ; 10>nobody notification");
}
