//! Traced locks and channels of threads.

use super::scene::{check, check_sentence};

const TWO_LOCKS: &str = "
    proc 10 svc <5 futex(0x7f00,0x109,12;12)
    task 10.12 a futex(0x100,0x89,2)
    task 10.13 b futex(0x200,0x89,2)
    phase 10.12 1 0 GET /a
    phase 10.12 2 1 holds cache; hold=lock:cache as=mutex
    phase 10.12 3 1 lock; wait=lock:users as=mutex
    phase 10.13 4 0 refill
    phase 10.13 5 4 holds users; hold=lock:users as=mutex
    phase 10.13 6 4 lock; wait=lock:cache as=mutex
";

#[test]
fn two_locks_in_two_orders() {
    check(TWO_LOCKS, "deadlock-cycle certain: 12 13; 10>12 thread-exit, 12>13 lock, 13>12 lock");
    check_sentence(
        TWO_LOCKS,
        "deadlock: svc[10/12] (in GET /a > lock) waits for lock:users, held by svc[10/13] (in refill > lock), which waits \
         for lock:cache, held by svc[10/12]; behind it svc[10] waits for the end of thread svc[10/12]",
    );
}
