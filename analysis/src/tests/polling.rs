//! What looks alive and may still wait: threads that compute, polling, a zombie that is polled for.

use super::scene::{check_possible, check_sentence, report};

#[test]
fn threads_that_could_run_all_the_time() {
    let scene = "proc 10 polite <5 futex(0x7f00,0x109,12;12)
         task 10.12 a running computes
         task 10.13 b running computes
         declared";
    check_possible(scene, "spinning possible: 12 13; 10>12 thread-exit, 12>13 memory, 13>12 memory");
    // One gave up the processor, or did not get it.
    check_possible(
        &scene.replace("b running computes", "b running computes moved"),
        "spinning possible: 12; 10>12 thread-exit",
    );
    let slept =
        scene.replace("a running computes", "a clock_nanosleep() moved").replace("b running computes", "b running");
    check_possible(&slept, "polling possible: 12; ");
}

#[test]
fn a_zombie_that_somebody_polls_for() {
    let scene = "proc 10 box <5 wait4(11)
         proc 11 init <10 wait4(13)
         proc 12 service <11 exit() Z
         proc 13 stop <11 clock_nanosleep() moved
         declared";
    check_possible(scene, "zombie possible: 11; 13>12 polled, 12>11 reaping, 10>11 child-exit, 11>13 child-exit");
    check_sentence(
        scene,
        "service[12] has ended and is a zombie: its parent init[11] does not reap it, and waits for the exit of stop[13] only; \
         stop[13] polls, and who asks for a zombie is told that it exists",
    );
    // Nobody polls; its parent is about to reap it.
    check_possible(&scene.replace("clock_nanosleep() moved", "clock_nanosleep()"), "unknown possible: ; ");
    check_possible(&scene.replace("wait4(13)", "wait4(-1)"), "polling possible: 13; ");
}

const POLLER: &str = "proc 10 make <5 wait4(12)
     proc 12 publish <10 clock_nanosleep() moved
     ended 11 publish 9
     declared
     ";

#[track_caller]
fn check_lock(file: &str, expected: &str) {
    check_possible(&format!("{POLLER}{file}"), expected);
}

#[test]
fn a_lock_file_of_the_dead_while_something_polls() {
    let stale = "stale-lock possible: 11; 12>11 lock-file";
    let polls = "polling possible: 12; ";
    check_lock("lockfile /w/a.lock file 9 11-", stale);
    check_lock("lockfile /w/a.lock file 9 11- by=7-", stale);
    check_lock("lockfile /w/a.lock link 9 11-", stale);
    check_lock("lockfile /w/a.lock directory 9 by=11-", stale);
    check_sentence(
        &format!("{POLLER}lockfile /w/a.lock file 9 11-"),
        "publish[12] polls, and the lock file /w/a.lock is stale: it names publish[11], which was killed by signal 9, so nobody \
         will remove it (written 9 s ago, and nobody has it open)",
    );
    // Whoever made it for somebody else was gone at once: written at 1 s, and its maker ended at 0.9 s.
    check_lock("lockfile /w/a.lock directory 1 by=11-", polls);
    // A pid file is no lock.
    check_lock("lockfile /w/server.pid file 9 11-", polls);
    // Its owner lives, or is among several that do; nobody is named; it is open.
    check_lock("lockfile /w/a.lock file 0 12", polls);
    check_lock("lockfile /w/a.lock file 0 11- 12", polls);
    check_lock("lockfile /w/Cargo.lock file 9 by=11-", polls);
    check_lock("lockfile /w/a.lock directory 9 by=12", polls);
    check_lock("lockfile /w/a.lock file 9 11-\nfd 12.3 /w/a.lock rw", polls);
    // A zombie is dead; of two the one that the run made and that names its owner is told.
    check_lock("proc 11 publish <10 exit() Z\nlockfile /w/a.lock file 9 11", stale);
    check_lock("lockfile /w/old.lock file 99 8-\nlockfile /w/a.lock file 9 11- by=11-", stale);
    // Nobody polls.
    let still = POLLER.replace(" moved", "");
    check_possible(&format!("{still}lockfile /w/a.lock file 9 11-"), "unknown possible: ; ");
}

#[test]
fn a_lock_file_whose_number_was_used_again() {
    // Process 900 began 90 s after the machine.
    let recycled = "proc 900 other <1 pause() outside\nlockfile /w/a.lock file 0 900";
    check_lock(recycled, "stale-lock possible: ; 12>nobody lock-file");
    check_lock("proc 13 other <1 pause() outside\nlockfile /w/a.lock file 0 13", "polling possible: 12; ");
    let told = report(&format!("{POLLER}{recycled}")).verdict.unwrap();
    assert!(
        told.sentence.contains("whose number was used again: other[900], which has it now, began after"),
        "{}",
        told.sentence
    );
}

#[test]
fn who_asks_again_and_again_of_one_who_waits_for_him() {
    let scene = "proc 10 node <5 wait4(11)
         proc 11 curl <10 poll([3r],1,1000) moved
         fd 11.3 socket:[90] rw
         fd 10.4 socket:[91] rw
         tcp 90 127.0.0.1:5000 127.0.0.1:80 established rq=0
         tcp 91 127.0.0.1:80 127.0.0.1:5000 established rq=5
         declared";
    check_possible(scene, "deadlock-cycle possible: 10 11; 10>11 child-exit, 11>10 tcp-reply");
    check_sentence(
        scene,
        "deadlock: node[10] waits for the exit of curl[11], which waits for an answer over TCP 127.0.0.1:5000 -> 127.0.0.1:80 \
         from node[10]; curl[11] asked again and again, each time with a time limit",
    );
    // Nobody has said that it hangs; it slept, or stood in another call before.
    check_possible(&scene.replace("declared", ""), "nothing");
    check_possible(&scene.replace("poll([3r],1,1000)", "clock_nanosleep()"), "polling possible: 11; ");
    // Who was asked is at work.
    check_possible(&scene.replace("wait4(11)", "clock_nanosleep() moved"), "polling possible: 10 11; ");
}
