//! Processes that ran already: there is no command that they would have to keep waiting.

use super::scene::check;

const RING: &str = "
    proc 11 build <1 wait4(12)
    proc 12 compiler <11 write(1) @pipe_write
    fd 11.3 pipe:[90] r
    fd 12.1 pipe:[90] w
";

#[test]
fn a_ring_counts_wherever_it_is() {
    check(&format!("attached\n{RING}"), "deadlock-cycle certain: 11 12; 11>12 child-exit, 12>11 pipe-room");
    // Under a command that goes on it is a finding and no verdict.
    check(&format!("proc 10 shell <5 running\n{RING}"), "nothing");
    // Besides one that was named and goes on.
    check(
        &format!("attached\nproc 10 shell <5 running\n{RING}"),
        "deadlock-cycle certain: 11 12; 11>12 child-exit, 12>11 pipe-room",
    );
}

#[test]
fn somebody_who_can_never_be_read_may_hold_the_other_end() {
    check(
        &format!("attached\nproc 2 init <0 running\ngap 2 fd\n{RING}"),
        "deadlock-cycle likely: 11 12; 11>12 child-exit, 12>11 pipe-room",
    );
}

#[test]
fn a_server_without_clients_is_no_hang() {
    check(
        "attached
         proc 11 server <1 accept(3)
         fd 11.3 socket:[70]
         unix 70 0 /run/server.sock listen
         proc 12 logger <1 read(0)
         fd 12.0 pipe:[91] r
         fd 11.1 pipe:[91] w",
        "nothing",
    );
}

#[test]
fn a_wait_that_nobody_can_end_counts() {
    check(
        "attached
         proc 11 collect <1 read(3)
         proc 12 other <1 running
         fd 11.3 pipe:[90] r
         fd 11.4 pipe:[90] w",
        "self-deadlock certain: 11; 11>11 pipe-data",
    );
}

#[test]
fn what_is_shared_by_fork_may_be_shared_with_one_who_is_not_looked_at() {
    let scene = "proc 11 job <1 futex(0x100,0x109,0;0+0+0+0+0+0) map=fork";
    check(&format!("attached\n{scene}"), "nothing");
    let semaphore = "proc 11 job <1 semop(5,#0-1,1)
         semaphore 5 0 0 40";
    check(&format!("attached\n{semaphore}"), "nothing");
}
