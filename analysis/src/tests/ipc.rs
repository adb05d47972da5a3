//! What threads and processes share: mutexes, joins, futexes with and without an owner, semaphores, queues.

use super::scene::{check, check_sentence, report};

#[test]
fn who_joins_a_thread_is_not_told_as_the_one_who_could_wake_it() {
    let scene = "proc 10 abrs <5 futex(0x7f00,0x109,12;12)
         task 10.12 one futex(0x7f10,0x80,2;2)
         task 10.13 two futex(0x7f20,0x80,2;2)";
    check(scene, "orphan-wait likely: ; 10>12 thread-exit, 12>13 event, 13>12 event");
    // With nobody else there it holds what that thread wants.
    let alone = scene.lines().take(2).collect::<Vec<_>>().join("\n");
    check(&alone, "deadlock-cycle likely: 10 12; 10>12 thread-exit, 12>10 event");
}

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
        "orphan-wait likely: ; 10>12 event, 10>13 event, 12>10 event, 12>13 event, 13>10 event, 13>12 event",
    );
    check_sentence(
        "proc 10 py <5 futex(0x100,0x189,0,0)
         task 10.12 a futex(0x200,0x189,0,0)",
        "py[10] waits for a wake-up at 0x100: so do py[10/12], and no other thread of their process is left to wake any of \
         them",
    );
}

#[test]
fn a_shared_mutex_whose_holder_was_killed() {
    let scene = "proc 10 worker <5 futex(0x100,0x0,2;2+0+40+1+128+0) map=/dev/shm/c";
    check(scene, "nothing");
    let scene = format!("{scene}\ngap 40 thread vanished");
    check(&scene, "orphan-wait likely: ; 10>nobody mutex");
    check_sentence(
        &format!("ended 40 worker1 9\n{scene}"),
        "worker[10] waits for the process-shared mutex at 0x100 in /dev/shm/c: worker1[40] held it when it was killed by signal 9, and a \
         mutex that is not robust stays locked",
    );
    // A robust one is given back by the kernel; a private one names threads of its own process.
    check(&scene.replace("+128+0", "+144+0"), "nothing");
    check(&scene.replace("+128+0", "+0+0"), "nothing");
}

#[test]
fn a_shared_mutex_whose_holder_lives() {
    let scene = "proc 10 shm <5 wait4(11)
         proc 11 one <10 futex(0x100,0x0,2;2+0+12+1+128+0) map=/dev/shm/c
         proc 12 two <10 futex(0x200,0x0,2;2+0+11+1+128+0) map=/dev/shm/c";
    check(scene, "deadlock-cycle likely: 11 12; 10>11 child-exit, 11>12 mutex, 12>11 mutex");
    check(&scene.replace("futex(0x200,0x0,2;2+0+11+1+128+0) map=/dev/shm/c", "clock_nanosleep()"), "nothing");
}

#[test]
fn the_monitor_of_a_go_program_is_no_timer() {
    let scene = "proc 10 starter <5 futex(0x500,0x80,0,0)
         task 10.12 starter futex(0x600,0x80,0,1@60000000000) sp=c00004fe78
         task 10.13 starter epoll_pwait(4,0,128,-1)
         fd 10.4 anon_inode:[eventpoll] epoll=7
         fd 10.7 pipe:[71] r
         proc 11 sleep <1 clock_nanosleep(0,0,1@3600000000000)
         fd 11.1 pipe:[71] w";
    check(scene, "idle-holder likely: 11; 10>13 event, 13>11 pipe-data, 11>nobody timer");
    // A program in C with the same time limit, and a timer of Go that is due sooner.
    check(&scene.replace(" sp=c00004fe78", ""), "nothing");
    check(&scene.replace("1@60000000000", "1@59000000000"), "nothing");
    // With parts in C its threads have stacks of C, and park in Go's heap.
    check(
        &scene.replace(" sp=c00004fe78", "").replace("futex(0x500", "futex(0xc000040948"),
        "idle-holder likely: 11; 10>13 event, 13>11 pipe-data, 11>nobody timer",
    );
}

#[test]
fn a_runtime_is_asked_for_what_only_it_knows() {
    let advice = |scene: &str| report(scene).verdict.expect("it hangs").advice.last().cloned().unwrap_or_default();
    let scene = "proc 10 job <5 futex(0x500,0x189,0,0,0,-1) exe=/usr/bin/python3.11";
    assert!(advice(scene).contains("`py-spy dump --nonblocking --pid 10`"), "{}", advice(scene));
    assert!(advice(&scene.replace("python3.11", "node")).contains("node inspect -p 10"));
    assert!(advice(&scene.replace("python3.11", "bank")).contains("gdb -p 10"));
    let go = scene.replace("0x500", "0xc000040948").replace("/usr/bin/python3.11", "/tmp/bank");
    assert!(advice(&go).contains("kill -QUIT 10"), "{}", advice(&go));
    // A pipe whose ends are known needs no runtime to explain it.
    let pipe = "proc 10 job <5 read(3) exe=/usr/bin/job\nfd 10.3 pipe:[7] r\nfd 10.4 pipe:[7] w";
    assert!(!advice(pipe).contains("gdb"), "{}", advice(pipe));
}

#[test]
fn a_semaphore_in_memory_that_only_the_run_shares() {
    let scene = "proc 10 pool <5 wait4(11)
         proc 11 job <10 futex(0x100,0x109,0;0+0+0+0+0+0) map=fork";
    check(scene, "orphan-wait likely: ; 10>11 child-exit, 11>nobody shared-event");
    check_sentence(
        scene,
        "pool[10] waits for the exit of job[11], which waits for a wake-up at 0x100 in memory shared by fork: no process of \
         the run is left to wake it",
    );
    // Another process of the run goes on; memory with a name may be mapped by others.
    check(&format!("{scene}\nproc 12 other <10 clock_nanosleep()"), "nothing");
    check(&scene.replace("map=fork", "map=/dev/shm/c"), "nothing");
    // Two of them, each of whom might have woken the other.
    check(
        "proc 10 pool <5 wait4(11)
         proc 11 job <10 futex(0x100,0x109,0;0+0+0+0+0+0) map=fork
         proc 12 job <10 futex(0x200,0x109,0;0+0+0+0+0+0) map=fork",
        "orphan-wait likely: ; 10>11 child-exit, 11>12 shared-event, 12>11 shared-event",
    );
    // Its own memory: only its own threads can.
    check(&scene.replace(" map=fork", ""), "self-deadlock likely: 11; 10>11 child-exit, 11>11 event");
}

#[test]
fn semaphores_of_system_v_tell_who_changed_them_last() {
    let scene = "proc 10 sems <5 wait4(11)
         proc 11 one <10 semop(5,#0-1,1)
         proc 12 two <10 semop(5,#1-1,1)
         semaphore 5 0 0 12
         semaphore 5 1 0 11";
    check(scene, "deadlock-cycle likely: 11 12; 10>11 child-exit, 11>12 semaphore, 12>11 semaphore");
    check(&scene.replace("<10 semop(5,#1-1,1)", "<10 clock_nanosleep()"), "nothing");
    // It could be taken; it is older than the run.
    check(&scene.replace("semaphore 5 0 0 12", "semaphore 5 0 1 12"), "nothing");
    check(&scene.replace("5 0 0 12", "5 0 0 12 foreign").replace("5 1 0 11", "5 1 0 11 foreign"), "nothing");
}

#[test]
fn each_ipc_namespace_numbers_its_own() {
    // Sets and queues of the same number in two namespaces: one is free, what holds the other is told.
    let scene = "proc 10 sems <5 wait4(11) ipc=7
         proc 11 one <10 semop(5,#0-1,1) ipc=7
         proc 12 two <10 semop(5,#0-1,1) ipc=8
         semaphore 5 0 1 12 ipc=8
         semaphore 5 0 0 40 ipc=7
         ended 40 taker 9";
    check(scene, "nothing");
    let held = scene.replace("5 0 1 12 ipc=8", "5 0 0 12 ipc=8");
    check(&held, "orphan-wait likely: ; 10>11 child-exit, 11>nobody semaphore");
    // Of a namespace nothing was read: what the other one holds says nothing about it.
    check(&held.replace("semaphore 5 0 0 40 ipc=7", ""), "nothing");
    let queues = "proc 10 starter <5 wait4(11) ipc=7
         proc 11 one <10 msgrcv(6,0,8,2,0) ipc=7
         proc 12 two <10 msgsnd(6,0,8,0) ipc=7
         messages 6 99 99 ipc=8
         messages 6 12 11 ipc=7";
    check(queues, "deadlock-cycle likely: 11 12; 10>11 child-exit, 11>12 shared-event, 12>11 shared-event");
}

#[test]
fn a_semaphore_that_a_dead_process_took() {
    let scene = "proc 10 sems <5 wait4(11)
         proc 11 one <10 semop(5,#0-1,1)
         semaphore 5 0 0 40
         ended 40 taker 9";
    check(scene, "orphan-wait likely: ; 10>11 child-exit, 11>nobody semaphore");
    check_sentence(
        scene,
        "sems[10] waits for the exit of one[11], which waits for semaphore 0 of set 5: taker[40], which changed it last, has \
         ended and did not give it back",
    );
}

#[test]
fn message_queues_of_system_v_tell_who_sent_and_received_last() {
    let scene = "proc 10 starter <5 wait4(11)
         proc 11 one <10 msgrcv(6,0,8,2,0)
         proc 12 two <10 msgsnd(7,0,8,0)
         messages 6 12 11
         messages 7 12 11";
    check(scene, "deadlock-cycle likely: 11 12; 10>11 child-exit, 11>12 shared-event, 12>11 shared-event");
    check_sentence(
        scene,
        "deadlock: one[11] waits for a message in message queue 6 from two[12], which waits for room in message queue 7 from \
         one[11]; behind it starter[10] waits for the exit of one[11]",
    );
    check(&scene.replace("msgsnd(7,0,8,0)", "clock_nanosleep()"), "nothing");
    check(&scene.replace("messages 6 12 11", "messages 6 12 11 foreign"), "nothing");
    // Nobody of the run has ever sent to it, and all of them wait.
    let alone = "proc 10 starter <5 wait4(11)
         proc 11 one <10 msgrcv(6,0,8,2,0)
         messages 6 0 0";
    check(alone, "orphan-wait likely: ; 10>11 child-exit, 11>nobody shared-event");
}

#[test]
fn queues_of_messages_are_used_by_those_who_have_them() {
    let scene = "proc 10 starter <5 wait4(11)
         proc 11 one <10 mq_timedreceive(3,0,0,0,0)
         proc 12 two <10 mq_timedreceive(4,0,0,0,0)
         fd 11.3 /asks r mnt=9 removed
         fd 12.3 /asks w mnt=9 removed
         fd 12.4 /answers r mnt=9 removed
         fd 11.4 /answers w mnt=9 removed";
    check(scene, "deadlock-cycle likely: 11 12; 10>11 child-exit, 11>12 shared-event, 12>11 shared-event");
    check(&scene.replace(" removed", ""), "nothing");
    check(&scene.replace("<10 mq_timedreceive(4,0,0,0,0)", "<10 clock_nanosleep()"), "nothing");
}
