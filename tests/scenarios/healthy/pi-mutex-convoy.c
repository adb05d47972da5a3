/* Six threads block in FUTEX_LOCK_PI on one mutex; the holder sleeps, main joins.
 * Looks like: deadlock on a PI futex (rt_mutex in the kernel), no timeouts.
 * Ended by: the holder's nanosleep of 6 s. */
#include "look.h"

static pthread_mutex_t m; static pthread_barrier_t b; static int n;
static void *f(void *a) { pthread_mutex_lock(&m); n++; pthread_mutex_unlock(&m); return 0; }
static void *hold(void *a) { pthread_mutex_lock(&m); pthread_barrier_wait(&b); nap(6); pthread_mutex_unlock(&m); return 0; }
int main(void) {
    pthread_mutexattr_t a; pthread_mutexattr_init(&a); pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT); pthread_mutex_init(&m, &a);
    pthread_barrier_init(&b, 0, 2); pthread_t h, t[6]; pthread_create(&h, 0, hold, 0); pthread_barrier_wait(&b);
    for (int i = 0; i < 6; i++) pthread_create(&t[i], 0, f, 0);
    for (int i = 0; i < 6; i++) pthread_join(t[i], 0);
    pthread_join(h, 0); CHECK(n == 6);
    return 0;
}
