//! Children, stopped and frozen processes, terminals.

use super::scene::{check, check_sentence, report};

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
