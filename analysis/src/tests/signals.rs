//! Waits that a signal handler or a timer may end, and helpers beside a command that goes on.

use super::scene::check;

const OWN_PIPE: &str = "
    fd 10.3 pipe:[90] r
    fd 10.4 pipe:[90] w
";

#[test]
fn a_self_pipe_is_written_by_a_handler() {
    // SIGTERM, SIGUSR1, SIGALRM, a real-time signal.
    for caught in ["4000", "200", "2000", "200000000"] {
        check(&format!("proc 10 daemon <5 read(3) caught={caught} {OWN_PIPE}"), "nothing");
    }
    // SIGSEGV and SIGBUS of the Rust runtime, SIGINT of CPython: nobody waits for these.
    for caught in ["440", "2", "0"] {
        check(
            &format!("proc 10 daemon <5 read(3) caught={caught} {OWN_PIPE}"),
            "self-deadlock certain: 10; 10>10 pipe-data",
        );
    }
}

#[test]
fn an_event_loop_hears_of_its_child_by_its_own_eventfd() {
    let scene = |child: &str| {
        format!(
            "proc 10 node <5 epoll_wait(4,0,0,-1) caught=14002
             proc 11 sleep <10 {child}
             fd 10.4 anon_inode:[eventpoll] epoll=5
             fd 10.5 anon_inode:[eventfd] eventfd=7"
        )
    };
    check(&scene("clock_nanosleep()"), "nothing");
}

#[test]
fn a_timer_of_the_process_may_end_any_of_its_waits() {
    check(&format!("proc 10 x <5 read(3) timers=1 {OWN_PIPE}"), "nothing");
}

#[test]
fn a_parked_helper_beside_a_live_child_is_a_finding_and_no_verdict() {
    let scene = "
        proc 10 bash <5 wait4(-1)
         proc 11 helper <10 read(3)
         proc 12 sleep <10 clock_nanosleep()
         fd 11.3 pipe:[90] r
         fd 11.4 pipe:[90] w";
    check(scene, "nothing");
    let findings = super::scene::report(scene).findings;
    assert_eq!(findings.iter().map(|finding| finding.kind.name()).collect::<Vec<_>>(), ["self-deadlock"]);
}

#[test]
fn a_stopped_child_that_somebody_may_continue_is_no_verdict() {
    check(
        "proc 10 parent <5 wait4(11)
         proc 11 child <10 read(0) T
         proc 12 helper <10 clock_nanosleep()",
        "nothing",
    );
}

#[test]
fn a_fifo_that_is_open_for_both_may_still_be_opened_by_others() {
    check(
        "proc 10 bash <5 read(3) @anon_pipe_read
         fd 10.3 /tmp/ctl ino=5",
        "nothing",
    );
}

#[test]
fn a_quiet_daemon_outside_the_run_is_not_to_blame() {
    check(
        "proc 10 client <5 recvfrom(3)
         proc 30 postgres <1 epoll_wait(4,0,0,-1) outside
         fd 10.3 socket:[70]
         fd 30.4 anon_inode:[eventpoll] epoll=5+6
         fd 30.5 socket:[90]
         fd 30.6 socket:[71]
         unix 70 71
         unix 71 70
         unix 90 0 /run/pg listen",
        "nothing",
    );
}

#[test]
fn an_event_loop_that_waits_for_a_live_child_is_not_set_aside() {
    check(
        "proc 10 client <5 recvfrom(3)
         proc 11 server <10 read(0)
         task 11.21 loop epoll_wait(4,0,0,-1)
         proc 12 worker <11 clock_nanosleep()
         fd 10.3 socket:[80]
         fd 10.9 pipe:[91] w
         fd 11.0 pipe:[91] r
         fd 11.4 anon_inode:[eventpoll] epoll=5+6+7
         fd 11.5 socket:[81]
         fd 11.6 socket:[90]
         fd 11.7 pipe:[92] r
         fd 12.1 pipe:[92] w
         tcp 80 127.0.0.1:5000 127.0.0.1:100 established
         tcp 81 127.0.0.1:100 127.0.0.1:5000 established
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen",
        "nothing",
    );
}

/// Two who wait for each other's words.
fn ring(caught: &str, more: &str) -> String {
    format!(
        "proc 10 one <5 recvfrom(3) caught={caught}
         proc 11 other <10 recvfrom(4)
         fd 10.3 socket:[70]
         fd 11.4 socket:[71]
         unix 70 71
         unix 71 70
         {more}"
    )
}

#[test]
fn an_alarm_may_break_a_ring_and_leaves_no_trace() {
    let edges = "10 11; 10>11 unix-socket-data, 11>10 unix-socket-data";
    check(&ring("0", ""), &format!("deadlock-cycle likely: {edges}"));
    check(&ring("2000", ""), "nothing");
    // The runtime of Go catches whatever can be caught.
    check(&ring("fffffffd7fc1feff", ""), &format!("deadlock-cycle likely: {edges}"));
}

#[test]
fn whoever_goes_on_may_send_the_signal_that_breaks_a_ring() {
    let edges = "10 11; 10>11 unix-socket-data, 11>10 unix-socket-data";
    let sleeper = "proc 12 sleeper <10 clock_nanosleep()";
    check(&ring("200", ""), &format!("deadlock-cycle likely: {edges}"));
    check(&ring("200", sleeper), "nothing");
    check(&ring("0", sleeper), &format!("deadlock-cycle likely: {edges}"));
}
