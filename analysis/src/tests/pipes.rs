//! Pipes and FIFOs.

use super::scene::{check, check_finding, check_possible, check_sentence};

#[test]
fn a_parent_that_waits_before_it_reads() {
    let scene = "
        proc 10 build <5 wait4(11)
        proc 11 compiler <10 write(1) @pipe_write
        fd 10.3 pipe:[90] r
        fd 11.1 pipe:[90] w
    ";
    check(scene, "deadlock-cycle certain: 10 11; 10>11 child-exit, 11>10 pipe-room");
    check_sentence(
        scene,
        "deadlock: build[10] waits for the exit of compiler[11], which waits for room in the full pipe:[90], which is \
         not read by build[10]",
    );
}

#[test]
fn a_reader_that_holds_the_write_end_itself() {
    check(
        "proc 10 collect <5 read(3)
         fd 10.3 pipe:[90] r
         fd 10.4 pipe:[90] w",
        "self-deadlock certain: 10; 10>10 pipe-data",
    );
}

#[test]
fn a_daemon_keeps_the_write_end() {
    let scene = "
        proc 10 run <5 read(3)
        proc 12 cached <5 accept(4)
        fd 10.3 pipe:[90] r
        fd 12.1 pipe:[90] w
        fd 12.4 socket:[70]
        unix 70 0 /run/cached.sock listen
    ";
    check(scene, "idle-holder likely: 12; 10>12 pipe-data, 12>nobody new-client");
}

#[test]
fn a_slow_or_working_writer_is_no_hang() {
    let scene = |call: &str| {
        format!(
            "proc 10 run <5 read(3)
             proc 12 gen <10 {call}
             fd 10.3 pipe:[90] r
             fd 12.1 pipe:[90] w"
        )
    };
    for call in ["nanosleep()", "running", "read(7)", "futex(0x100,0x80,2) moved"] {
        check(&scene(call), "nothing");
    }
}

#[test]
fn a_daemon_whose_starter_lives_is_no_verdict() {
    check(
        "proc 10 run <5 read(3)
         proc 12 tail <10 read(4)
         fd 10.3 pipe:[90] r
         fd 12.1 pipe:[90] w
         fd 12.4 /dev/pts/9",
        "nothing",
    );
}

#[test]
fn a_fifo_that_nobody_opens() {
    let scene = "
        proc 10 run <5 wait4(-1)
        proc 11 wc <10 openat(-100,\"/tmp/events\",0) @wait_for_partner
    ";
    check(scene, "orphan-wait likely: ; 10>11 child-exit, 11>nobody fifo-peer");
    check_sentence(
        scene,
        "run[10] waits for the exit of wc[11], which is in openat(\"/tmp/events\") and waits for a writer of the FIFO \
         /tmp/events: no other process has it open",
    );
}

#[test]
fn a_fifo_whose_writer_may_still_come_is_no_verdict() {
    check(
        "proc 10 run <5 wait4(-1)
         proc 11 wc <10 openat(-100,\"/tmp/events\",0) @wait_for_partner
         proc 12 producer <10 nanosleep()",
        "nothing",
    );
}

#[test]
fn a_hidden_holder_makes_it_no_verdict() {
    check(
        "proc 10 collect <5 read(3)
         proc 11 sudo <10 pause()
         fd 10.3 pipe:[90] r
         fd 10.4 pipe:[90] w
         gap 11 fd",
        "nothing",
    );
}

#[test]
fn a_sleeper_beyond_patience_keeps_the_pipe() {
    let scene = |ms: &str, parent: u32| {
        format!(
            "proc 10 run <5 read(3)
             proc 12 cached <{parent} poll([4r],1,{ms})
             fd 10.3 pipe:[90] r
             fd 12.1 pipe:[90] w
             fd 12.4 /dev/pts/9"
        )
    };
    check(&scene("100000000", 5), "idle-holder likely: 12; 10>12 pipe-data, 12>nobody timer");
    check(&scene("10000", 5), "nothing");
    check(&scene("100000000", 10), "nothing");
}

#[test]
fn a_pipe_without_a_visible_writer_has_a_hidden_one() {
    check(
        "proc 10 run <5 read(3)
         fd 10.3 pipe:[90] r",
        "nothing",
    );
}

#[test]
fn a_child_that_splices_waits_at_the_end_that_the_kernel_names() {
    check(
        "proc 10 filler <5 write(4) @anon_pipe_write
         proc 11 copier <10 splice(0,0,1) @pipe_wait_writable
         fd 10.4 pipe:[90] w
         fd 10.5 pipe:[91] r
         fd 11.0 pipe:[90] r
         fd 11.1 pipe:[91] w",
        "deadlock-cycle certain: 10 11; 10>11 pipe-room, 11>10 pipe-room",
    );
}

#[test]
fn holders_that_were_left_out_make_it_no_verdict() {
    check(
        "proc 10 collect <5 read(3)
         fd 10.3 pipe:[90] r
         fd 10.4 pipe:[90] w
         gap - fd holders: 9 left out",
        "nothing",
    );
}

#[test]
fn a_process_whose_first_thread_has_ended_may_hold_what_nobody_sees() {
    let scene = |second: &str| {
        format!(
            "proc 10 reader <5 read(3)
             proc 11 headless <10 read(0) Z
             {second}
             fd 10.3 pipe:[90] r
             fd 10.4 pipe:[90] w"
        )
    };
    check(&scene("task 11.12 headless clock_nanosleep()"), "nothing");
    // One that has ended as a whole holds nothing, and an ordinary user may not even look.
    check(&scene(""), "self-deadlock certain: 10; 10>10 pipe-data");
    check(&scene("gap 11 fd"), "self-deadlock certain: 10; 10>10 pipe-data");
}

#[test]
fn an_end_that_is_in_flight_in_a_socket_is_had_by_whoever_may_receive_it() {
    let scene = |receiver: &str, flight: &str| {
        format!(
            "proc 10 reader <5 read(3)
             proc 11 receiver <10 {receiver}
             fd 10.3 pipe:[90] r
             fd 11.4 socket:[70]{flight}
             fd 11.5 pipe:[91] r
             fd 11.6 pipe:[91] w"
        )
    };
    check_finding(&scene("read(5)", " flight=1"), "self-deadlock possible: 11; 10>11 pipe-data, 11>11 pipe-data");
    check(&scene("nanosleep()", " flight=1"), "nothing");
    // Nobody has it, and nothing is in flight: somebody who is not seen has it.
    check(&scene("read(5)", ""), "nothing");
}

#[test]
fn a_copy_of_an_end_may_be_in_flight() {
    let scene = |receiver: &str| {
        format!(
            "proc 10 reader <5 read(3)
             proc 11 receiver <10 {receiver}
             fd 10.3 pipe:[90] r
             fd 10.4 pipe:[90] w
             fd 11.4 socket:[70] flight=2"
        )
    };
    // Without the descriptor of the socket nobody could know of the copy.
    check_possible(&scene("nanosleep()"), "nothing");
    // The receiver is stuck too, by itself: without the reader's own end it would be the one that is named.
    check_finding(&scene("futex(0x100,0x89,2)"), "self-deadlock certain: 10; 10>10 pipe-data");
}

#[test]
fn the_kernel_may_write_for_whoever_has_a_ring() {
    let scene = "proc 10 reader <5 read(3)
         fd 10.3 pipe:[90] r
         fd 10.4 pipe:[90] w
         fd 10.5 anon_inode:[io_uring]";
    check_possible(scene, "nothing");
}
