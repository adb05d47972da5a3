/* Seven of eight threads wait at a pthread barrier; main joins; the eighth has not come.
 * Looks like: lost wake-up / barrier short of a party.
 * Ended by: the eighth thread, in sem_timedwait (never posted, times out after 6 s) before it comes to the barrier. */
#include "look.h"

static pthread_barrier_t b; static sem_t s;
static void *f(void *a) {
    if (a) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); t.tv_sec += 6; CHECK(sem_timedwait(&s, &t) == -1); CHECK(errno == ETIMEDOUT); }
    pthread_barrier_wait(&b); return 0;
}
int main(void) {
    pthread_barrier_init(&b, 0, 8); sem_init(&s, 0, 0); pthread_t t[8];
    for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, f, (void *)(i == 4));
    for (int i = 0; i < 8; i++) pthread_join(t[i], 0);
    return 0;
}
