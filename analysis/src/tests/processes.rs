//! Children, stopped and frozen processes, terminals.

use super::scene::{check, check_possible, check_sentence, report};

#[test]
fn a_stopped_child() {
    let scene = "
        proc 10 shell <5 wait4(-1)
        proc 11 importer <10 read(0) T
    ";
    check(scene, "stopped-holder likely: 11; 10>11 child-exit, 11>nobody continue");
    check_sentence(scene, "shell[10] waits for the exit of importer[11], which is stopped (state T)");
}

#[test]
fn a_frozen_child() {
    check(
        "proc 10 shell <5 wait4(-1)
         proc 11 job <10 clock_nanosleep() frozen",
        "frozen likely: 11; 10>11 child-exit, 11>nobody thaw",
    );
}

#[test]
fn a_prompt_on_a_terminal_inside_the_run() {
    check(
        "proc 10 ci-step <5 read(3)
         proc 11 signtool <10 read(0)
         fd 10.3 /dev/ptmx pty=7
         fd 11.0 /dev/pts/7",
        "terminal-prompt likely: 11; 10>11 terminal-output, 11>nobody terminal-input",
    );
}

#[test]
fn a_prompt_on_the_users_own_terminal_is_no_verdict() {
    check(
        "proc 10 sh <5 wait4(-1)
         proc 11 cat <10 read(0)
         fd 11.0 /dev/pts/7",
        "nothing",
    );
}

#[test]
fn a_child_that_ended_makes_its_parent_ready() {
    check(
        "proc 10 sh <5 wait4(-1)
         proc 11 done <10 running Z",
        "nothing",
    );
}

#[test]
fn a_pidfd_leads_to_its_process() {
    check(
        "proc 10 sup <5 poll([4r],1,-1)
         proc 11 child <10 read(3)
         fd 10.4 anon_inode:[pidfd] pidfd=11
         fd 11.3 pipe:[90] r
         fd 10.5 pipe:[90] w",
        "deadlock-cycle certain: 10 11; 10>11 child-exit, 11>10 pipe-data",
    );
}

#[test]
fn what_cannot_be_read_is_never_an_accusation() {
    check("proc 10 x <5 some_new_call()", "nothing");
    check("proc 10 x <5 read(3)", "nothing");
}

#[test]
fn one_snapshot_alone_proves_nothing() {
    let scene = "
        proc 10 collect <5 read(3)
        fd 10.3 pipe:[90] r
        fd 10.4 pipe:[90] w
    ";
    let is_second = |record: &hangdog_schemas::Record| matches!(record, hangdog_schemas::Record::SnapshotBegin(begin) if begin.snapshot.0 == 2);
    let first: Vec<_> = super::scene::records(scene).into_iter().take_while(|record| !is_second(record)).collect();
    let timeline = hangdog_timeline::Timeline::build(first).unwrap();
    let alone = crate::analyse(&timeline, &crate::Options::default());
    assert!(alone.verdict.is_none());
    assert!(report(scene).verdict.is_some());
}

#[test]
fn a_full_terminal_whose_reader_waits_for_its_writer() {
    let scene = "proc 10 expect <5 wait4(11)
         proc 11 yes <10 write(1)
         fd 10.4 /dev/ptmx pty=7
         fd 11.1 /dev/pts/7";
    check(scene, "deadlock-cycle likely: 10 11; 10>11 child-exit, 11>10 terminal-room");
    check(&scene.replace("wait4(11)", "clock_nanosleep()"), "nothing");
    // It reads, and there is no room all the same: the output was stopped (Ctrl-S).
    check(&scene.replace("wait4(11)", "read(4)"), "nothing");
    check_possible(
        &format!("{}\ndeclared", scene.replace("wait4(11)", "read(4)")),
        "external-wait possible: 11; 10>11 terminal-output, 11>nobody terminal-room",
    );
    // Somebody else shows the terminal, or one who has a terminal of his own.
    let outside = scene.replace("fd 10.4 /dev/ptmx", "proc 9 sshd <1 poll([4r],1,-1) outside\nfd 9.4 /dev/ptmx");
    check(&outside, "nothing");
    check_possible(
        &format!("{outside}\ndeclared"),
        "external-wait possible: 11; 10>11 child-exit, 11>nobody terminal-room",
    );
}

#[test]
fn a_ring_that_only_the_outside_could_break_is_told_when_a_hang_is_declared() {
    // An event loop hears of signals; the reader of a FIFO hears of whoever opens it.
    let scene = "proc 10 shell <5 wait4(11)
         proc 11 cat <10 read(0)
         fd 11.0 /tmp/f r
         fd 10.9 /tmp/f w";
    let scene = scene.replace("read(0)", "read(0) @pipe_read");
    check(&scene, "nothing");
    let declared = format!("{scene}\ndeclared");
    check_possible(&declared, "deadlock-cycle possible: 10 11; 10>11 child-exit, 11>10 pipe-data");
    check_sentence(
        &declared,
        "deadlock: shell[10] waits for the exit of cat[11], which waits for data or the end of FIFO /tmp/f, whose write end is \
         held by shell[10]; only whoever opens the FIFO could break that",
    );
    let event_loop = "proc 10 node <5 epoll_wait(3,0,8,-1) caught=4602
         proc 11 child <10 read(0)
         fd 10.3 anon_inode:[eventpoll] epoll=4+5
         fd 10.4 anon_inode:[eventfd] eventfd=7
         fd 10.5 pipe:[80] r
         fd 11.1 pipe:[80] w
         fd 11.0 pipe:[81] r
         fd 10.6 pipe:[81] w";
    check(event_loop, "nothing");
    check_possible(
        &format!("{event_loop}\ndeclared"),
        "deadlock-cycle possible: 10 11; 10>11 pipe-data, 11>10 pipe-data, 10>10 event",
    );
    // The pipe by which an event loop wakes itself is no ring; a connection to itself is.
    let server = "proc 10 server <5 epoll_wait(3,0,8,-1) caught=4602
         task 10.12 server futex(0x500,0x189,0,0,0,-1)
         fd 10.3 anon_inode:[eventpoll] epoll=4+5
         fd 10.4 pipe:[80] r
         fd 10.6 pipe:[80] w
         fd 10.5 socket:[90]
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen
         declared";
    check_possible(server, "external-wait possible: 10; 10>nobody new-client");
    check_sentence(
        server,
        "server[10] waits for a client of 127.0.0.1:100, which only a new client could end; all its other threads (1) are parked \
         at futexes",
    );
}
