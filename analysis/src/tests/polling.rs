//! What looks alive and may still wait: threads that compute, polling, a zombie that is polled for.

use super::scene::{check_possible, check_sentence};

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
