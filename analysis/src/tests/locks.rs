//! File locks.

use super::scene::{check, check_sentence};

#[test]
fn a_flock_inherited_by_a_daemon() {
    let scene = "
        proc 10 run <5 wait4(-1)
        proc 11 flock <10 flock(9,2)
        proc 12 agent <5 pause()
        fd 11.9 /tmp/deploy.lock ino=77
        fd 12.9 /tmp/deploy.lock ino=77 lock=flock:8:1:77:7
        locked flock 11 8:1:77
    ";
    check(scene, "idle-holder likely: 12; 10>11 child-exit, 11>12 file-lock, 12>nobody signal");
    check_sentence(
        scene,
        "run[10] waits for the exit of flock[11], which waits for the flock on /tmp/deploy.lock, held by agent[12] (holds \
         the lock through fd 9), a daemon left over from a program that has ended; it waits for a signal",
    );
}

#[test]
fn a_queue_that_moves_is_no_hang() {
    check(
        "proc 10 queue <5 wait4(-1)
         proc 11 worker1 <10 clock_nanosleep()
         proc 12 worker2 <10 flock(3,2)
         fd 11.3 /tmp/x.lock ino=77 lock=flock:8:1:77:11
         fd 12.3 /tmp/x.lock ino=77
         locked flock 12 8:1:77",
        "nothing",
    );
}

#[test]
fn two_programs_take_two_locks_in_two_orders() {
    check(
        "proc 10 run <5 wait4(-1)
         proc 11 a <10 flock(4,2)
         proc 12 b <10 flock(3,2)
         fd 11.3 /tmp/1 ino=71 lock=flock:8:1:71:11
         fd 11.4 /tmp/2 ino=72
         fd 12.3 /tmp/1 ino=71
         fd 12.4 /tmp/2 ino=72 lock=flock:8:1:72:12
         locked flock 11 8:1:72
         locked flock 12 8:1:71",
        "deadlock-cycle certain: 11 12; 10>11 child-exit, 11>12 file-lock, 12>11 file-lock, 10>12 child-exit",
    );
}

#[test]
fn one_of_two_readers_that_never_unlocks_is_enough() {
    // The writer needs both readers; one sleeps with a limit, the other waits for the writer.
    check(
        "proc 10 writer <5 fcntl(3,7)
         proc 11 reader1 <10 clock_nanosleep()
         proc 12 reader2 <10 read(4)
         fd 10.3 /tmp/1 ino=71
         fd 10.5 pipe:[90] w
         fd 11.3 /tmp/1 ino=71 lock=posix:8:1:71:11
         fd 12.3 /tmp/1 ino=71 lock=posix:8:1:71:12
         fd 12.4 pipe:[90] r
         locked posix 10 8:1:71",
        "deadlock-cycle certain: 10 12; 10>12 file-lock, 12>10 pipe-data",
    );
}

#[test]
fn a_holder_that_is_not_visible_is_no_verdict() {
    check(
        "proc 10 worker <5 flock(3,2)
         fd 10.3 /tmp/x.lock ino=77
         locked flock 10 8:1:77",
        "nothing",
    );
}

#[test]
fn another_part_of_the_file_stands_in_nobodys_way() {
    // 10 holds byte 5 and waits for its child, which waits for byte 1 of 12, who sleeps with a limit.
    check(
        "proc 10 parent <5 wait4(11)
         proc 11 child <10 fcntl(3,7)
         proc 12 third <10 clock_nanosleep()
         fd 10.3 /tmp/db ino=71 lock=posix:8:1:71:10:5-5
         fd 11.3 /tmp/db ino=71
         fd 12.3 /tmp/db ino=71 lock=posix:8:1:71:12:1-1
         locked posix 11 8:1:71 1-1",
        "nothing",
    );
}

#[test]
fn readers_do_not_wait_for_readers() {
    check(
        "proc 10 a <5 fcntl(3,7)
         proc 11 b <10 wait4(10)
         proc 12 w <10 clock_nanosleep()
         fd 10.3 /tmp/db ino=71
         fd 11.3 /tmp/db ino=71 lock=posix:8:1:71:11:0-9:r
         fd 12.3 /tmp/db ino=71 lock=posix:8:1:71:12:0-9
         locked posix 10 8:1:71 0-9 r",
        "nothing",
    );
}
