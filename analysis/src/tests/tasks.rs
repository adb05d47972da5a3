//! Async tasks: what they wait for while no thread polls them.

use super::scene::{check, check_sentence};

/// A runtime whose threads are all parked: the first one in `block_on`.
const PARKED: &str = "
    proc 10 svc <5 futex(0x100,0x89,0)
    task 10.12 w1 futex(0x200,0x89,0)
    task 10.13 w2 epoll_wait(4,0,0,-1)
    fd 10.4 anon_inode:[eventpoll] epoll=5
    fd 10.5 anon_inode:[eventfd] eventfd=7
";

const TWO_LOCKS: &str = "
    phase 10.12/7 1 0 GET /a; left
    phase 10.12/7 2 1 holds cache; hold=lock:cache as=async-mutex
    phase 10.12/7 3 1 lock; wait=lock:users as=async-mutex left
    phase 10.13/8 4 0 refill; left
    phase 10.13/8 5 4 holds users; hold=lock:users as=async-mutex
    phase 10.13/8 6 4 lock; wait=lock:cache as=async-mutex left
";

#[test]
fn two_tasks_take_two_locks_in_two_orders() {
    let scene = format!("{PARKED}{TWO_LOCKS}");
    check(&scene, "deadlock-cycle likely: t7 t8; 10>t7 event, t7>t8 lock, t8>t7 lock");
    check_sentence(
        &scene,
        "deadlock: task 7 of svc[10] (in GET /a > lock) waits for lock:users, held by task 8 (in refill > lock), which \
         waits for lock:cache, held by task 7",
    );
}
