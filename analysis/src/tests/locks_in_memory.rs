//! Mutexes, joins, ownerless futexes.

use super::scene::check;

#[test]
fn two_mutexes_in_two_orders() {
    check(
        "proc 10 cache <5 futex(0x7f00,0x109,12;12)
         task 10.12 a futex(0x100,0x80,2;2+0+13+1+0)
         task 10.13 b futex(0x200,0x80,2;2+0+12+1+0)",
        "deadlock-cycle certain: 12 13; 10>12 thread-exit, 12>13 mutex, 13>12 mutex",
    );
}

#[test]
fn a_mutex_whose_holder_works_is_no_hang() {
    check(
        "proc 10 cache <5 futex(0x7f00,0x109,12;12)
         task 10.12 a futex(0x100,0x80,2;2+0+13+1+0)
         task 10.13 b clock_nanosleep()",
        "nothing",
    );
}

#[test]
fn an_ownerless_futex_in_a_process_without_other_threads() {
    check("proc 10 relock <5 futex(0x100,0x89,2)", "self-deadlock likely: 10; 10>10 event");
}

#[test]
fn workers_that_are_parked_beside_one_who_waits_for_clients_are_no_hang() {
    check(
        "proc 10 server <5 futex(0x100,0x89,0)
         task 10.12 w1 futex(0x200,0x89,0)
         task 10.13 io epoll_wait(4,0,0,-1)
         fd 10.4 anon_inode:[eventpoll] epoll=5
         fd 10.5 socket:[90]
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen",
        "nothing",
    );
}

#[test]
fn a_phase_says_who_holds_what_the_futex_does_not() {
    check(
        "proc 10 svc <5 futex(0x7f00,0x109,12;12)
         task 10.12 a futex(0x100,0x89,2)
         task 10.13 b futex(0x200,0x89,2)
         phase 10.12 1 0 refresh; hold=lock:one
         phase 10.12 2 1 load; wait=lock:two
         phase 10.13 3 0 evict; hold=lock:two
         phase 10.13 4 3 drop; wait=lock:one",
        "deadlock-cycle likely: 12 13; 10>12 thread-exit, 12>13 named-resource, 13>12 named-resource",
    );
}

#[test]
fn a_heartbeat_beside_a_ring_makes_it_likely() {
    check(
        "proc 10 cache <5 futex(0x7f00,0x109,12;12)
         task 10.12 a futex(0x100,0x80,2;2+0+13+1+0)
         task 10.13 b futex(0x200,0x80,2;2+0+12+1+0)
         task 10.14 heartbeat clock_nanosleep() moved",
        "deadlock-cycle likely: 12 13; 10>12 thread-exit, 12>13 mutex, 13>12 mutex",
    );
}

#[test]
fn all_threads_of_a_process_are_parked() {
    check(
        "proc 10 py <5 futex(0x100,0x189,0,0)
         task 10.12 a futex(0x200,0x189,0,0)
         task 10.13 b futex(0x300,0x189,0,0)",
        "orphan-wait likely: ; 10>nobody event",
    );
}
