/* Readers and a writer queue on a writer-preferring rwlock: a reader holds it and sleeps, the writer waits, later readers wait
 * behind the writer although the lock is only read-held.
 * Looks like: reader-writer deadlock (read recursion), everything in private futexes without timeouts.
 * Ended by: the holding reader, in select() with a timeout of 6 s. */
#include "look.h"

static pthread_rwlock_t l; static int n;
static void *wr(void *a) { pthread_rwlock_wrlock(&l); n++; pthread_rwlock_unlock(&l); return 0; }
static void *rd(void *a) { pthread_rwlock_rdlock(&l); __sync_fetch_and_add(&n, 1); pthread_rwlock_unlock(&l); return 0; }
static void *hold(void *a) { pthread_rwlock_rdlock(&l); sem_post(a); struct timeval t = { 6, 0 }; select(0, 0, 0, 0, &t); pthread_rwlock_unlock(&l); return 0; }
int main(void) {
    pthread_rwlockattr_t a; pthread_rwlockattr_init(&a); pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP); pthread_rwlock_init(&l, &a);
    sem_t s; sem_init(&s, 0, 0); pthread_t t[5]; pthread_create(&t[0], 0, hold, &s); sem_wait(&s);
    pthread_create(&t[1], 0, wr, 0); usleep(100000); for (int i = 2; i < 5; i++) pthread_create(&t[i], 0, rd, 0);
    for (int i = 0; i < 5; i++) pthread_join(t[i], 0);
    CHECK(n == 4);
    return 0;
}
