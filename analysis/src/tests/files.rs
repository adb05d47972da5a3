//! FUSE.

use hangdog_schemas::FindingKind;

use super::scene::{check, check_sentence, report};

const WALK: &str = "
    proc 10 fuse.test <5 futex(0x7f00,0x109,13;13)
    task 10.13 writer close(9) @request_wait_answer
    task 10.12 fuse recvfrom(8) @wait_woken
    fd 10.3 /dev/fuse fuse=41
    fd 10.8 socket:[80]
    proc 11 indexd <10 epoll_wait(4,0,0,-1) @ep_poll
    task 11.15 tokio-worker futex(0x100,0x80,0) @futex_wait_queue
    task 11.16 tokio-worker openat(-100,\"/tmp/x/mount/conversation\",0) @request_wait_answer
    fd 11.4 anon_inode:[eventpoll] epoll=5+6
    fd 11.5 socket:[81]
    fd 11.6 socket:[82]
    tcp 80 127.0.0.1:5000 127.0.0.1:8080 established
    tcp 82 127.0.0.1:8080 127.0.0.1:5000 established
    tcp 81 127.0.0.1:8080 0.0.0.0:0 listen
    mount / ext4 1
    mount /tmp/x/mount fuse.test 41
    fuse 41 2
";

#[test]
fn a_server_walks_into_the_mount_of_its_client() {
    check(
        WALK,
        "deadlock-cycle likely: 12 16; 10>13 thread-exit, 13>12 fuse-reply, 12>16 tcp-reply, 16>12 fuse-reply, \
         13>10 fuse-reply, 16>10 fuse-reply",
    );
}

#[test]
fn phases_name_the_request_and_who_serves_it() {
    let scene = format!(
        "{WALK}
        phase 11.15 1 0 POST /api/conversations/new; serve=http:127.0.0.1:8080 link=127.0.0.1:5000>127.0.0.1:8080
        phase 11.16 2 1 walk /tmp/x
        phase 10.12 1 0 flush send; serve=fuse:/tmp/x/mount wait=http:127.0.0.1:8080"
    );
    check_sentence(
        &scene,
        "deadlock through a FUSE mount: indexd[11/16] (in POST /api/conversations/new > walk /tmp/x) is in \
         openat(\"/tmp/x/mount/conversation\") on a FUSE mount served by fuse.test[10/12] (in flush send), which waits for \
         the reply to POST /api/conversations/new from indexd[11/16]; behind it fuse.test[10/13] is in close(fd 9) on a \
         FUSE mount served by fuse.test[10/12]",
    );
}

#[test]
fn a_walk_that_a_timer_ends_is_no_hang() {
    check(&WALK.replace("task 10.12 fuse recvfrom(8) @wait_woken", "task 10.12 fuse poll([8r],1,5000)"), "nothing");
}

#[test]
fn a_daemon_that_asks_its_own_mount() {
    check(
        "proc 10 run <5 wait4(-1)
         proc 11 quotad <10 statfs(\"/mnt\") @request_wait_answer
         proc 12 cat <10 openat(-100,\"/mnt/report\",0) @request_wait_answer
         fd 11.3 /dev/fuse fuse=41
         mount / ext4 1
         mount /mnt fuse.quotafs 41
         fuse 41 2",
        "self-deadlock certain: 11; 10>11 child-exit, 11>11 fuse-reply, 10>12 child-exit, 12>11 fuse-reply",
    );
}

#[test]
fn a_request_that_an_idle_server_has_lost() {
    check(
        "proc 10 cat <5 openat(-100,\"/mnt/report\",0) @request_wait_answer
         proc 11 lossyfs <5 read(3) @fuse_dev_do_read
         fd 11.3 /dev/fuse fuse=41
         mount / ext4 1
         mount /mnt fuse.lossyfs 41
         fuse 41 1",
        "orphan-wait likely: ; 10>nobody fuse-reply",
    );
}

#[test]
fn a_slow_server_is_no_hang() {
    check(
        "proc 10 cat <5 openat(-100,\"/mnt/report\",0) @request_wait_answer
         proc 11 slowfs <5 clock_nanosleep()
         fd 11.3 /dev/fuse fuse=41
         mount / ext4 1
         mount /mnt fuse.slowfs 41
         fuse 41 1",
        "nothing",
    );
}

#[test]
fn a_stopped_server() {
    check(
        "proc 10 cat <5 openat(-100,\"/mnt/report\",0) @request_wait_answer
         proc 11 slowfs <5 read(3) T
         fd 11.3 /dev/fuse fuse=41
         mount / ext4 1
         mount /mnt fuse.slowfs 41
         fuse 41 1",
        "stopped-holder likely: 11; 10>11 fuse-reply, 11>nobody continue",
    );
}

#[test]
fn a_helper_keeps_the_device_of_a_dead_daemon() {
    check(
        "proc 10 run <5 wait4(-1)
         proc 12 cat <10 openat(-100,\"/mnt/data\",0) @request_wait_answer
         proc 13 logship <5 read(4) @pipe_read
         fd 13.3 /dev/fuse fuse=41
         fd 13.4 pipe:[90] r
         fd 13.5 pipe:[90] w
         mount / ext4 1
         mount /mnt fuse.cachefs 41
         fuse 41 1",
        "self-deadlock certain: 13; 10>12 child-exit, 12>13 fuse-reply, 13>13 pipe-data",
    );
}

#[test]
fn without_the_kernels_counters_the_only_connection_of_the_run_is_meant() {
    check(
        &WALK.replace("fuse 41 2", ""),
        "deadlock-cycle likely: 12 16; 10>13 thread-exit, 13>12 fuse-reply, 12>16 tcp-reply, 16>12 fuse-reply, \
         13>10 fuse-reply, 16>10 fuse-reply",
    );
}

#[test]
fn a_dead_mount_of_somebody_else_hides_nothing() {
    let scene = format!("{WALK} mount /old fuse.dead 40\n fuse 40 3 foreign");
    check(
        &scene,
        "deadlock-cycle likely: 12 16; 10>13 thread-exit, 13>12 fuse-reply, 12>16 tcp-reply, 16>12 fuse-reply, \
         13>10 fuse-reply, 16>10 fuse-reply",
    );
}

/// Checks which mounts a snapshot alone shows to be dead, and that how to take them away is told.
#[track_caller]
fn check_dead(more: &str, expected: &[&str]) {
    let scene = format!(
        "proc 10 cmd <5 read(0)\n fd 10.5 /dev/fuse fuse=40\n mount / ext4 1\n mount /run/a fuse.a 40\n fuse 40 0\n {more}"
    );
    let found = report(&scene).findings;
    let dead: Vec<_> = found.iter().filter(|finding| finding.kind == FindingKind::DeadMount).collect();
    let told: Vec<&str> = dead.iter().map(|finding| finding.sentence.as_str()).collect();
    assert_eq!(told, expected);
    assert!(dead.iter().all(|finding| finding.rescue.iter().any(|line| line.contains("fusermount3 -uz -- /t/m"))));
}

#[test]
fn a_mount_without_a_server_is_dead_in_a_snapshot_where_all_descriptors_were_read() {
    const DEAD: &str = "/t/m (fuse.x), which the run has mounted, is a dead mount: nobody holds its server's end";
    check_dead("mount /t/m fuse.x 41\n fuse 41 0", &[DEAD]);
    // Somebody has it open; descriptors that nobody could read may be its server's; of its connection nothing is known.
    check_dead("mount /t/m fuse.x 41\n fuse 41 0\n proc 11 server <10 read(3)\n fd 11.3 /dev/fuse fuse=41", &[]);
    check_dead("mount /t/m fuse.x 41\n fuse 41 0\n gap 10 fd", &[]);
    check_dead("mount /t/m fuse.x 41", &[]);
    check_dead("mount /t/m ext4 41", &[]);
}
