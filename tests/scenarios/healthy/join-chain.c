/* main joins t5, t5 joins t4, ... t2 joins t1: each in a futex wait on a tid word that no user code ever wakes.
 * Looks like: a chain of futex waits with no other waker; FUTEX_WAKE never shows up in user space.
 * Ended by: t1's nanosleep of 6 s; at each exit the kernel (clear_child_tid) wakes the next. */
#include "look.h"

static pthread_t t[6];
static void *f(void *a) { long i = (long)a; if (i == 1) nap(6); else pthread_join(t[i - 1], 0); return a; }
int main(void) {
    for (long i = 1; i < 6; i++) pthread_create(&t[i], 0, f, (void *)i);
    void *v; CHECK(!pthread_join(t[5], &v)); CHECK((long)v == 5);
    return 0;
}
