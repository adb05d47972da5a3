/* A thread in pthread_cond_timedwait with an ABSOLUTE monotonic deadline inside a time namespace whose clock is shifted by
 * 1,000,000 s; main joins it.
 * Looks like: a timeout days away (or long past) when the argument is read against the host's clock.
 * Ended by: that timeout, 6 s after the start. */
#include "look.h"

#include <sched.h>
static void *f(void *a) {
    pthread_condattr_t ca; pthread_condattr_init(&ca); pthread_condattr_setclock(&ca, CLOCK_MONOTONIC); pthread_cond_t c; pthread_cond_init(&c, &ca);
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); CHECK(t.tv_sec >= 1000000); t.tv_sec += 6;
    pthread_mutex_lock(&m); while (pthread_cond_timedwait(&c, &m, &t) != ETIMEDOUT); pthread_mutex_unlock(&m); return 0;
}
int main(void) {
    if (unshare(0x80) && unshare(0x80 | CLONE_NEWUSER)) { puts("no right to make a time namespace: only sleeping"); nap(6); return 0; }
    int o = open("/proc/self/timens_offsets", O_WRONLY); CHECK(write(o, "monotonic 1000000 0\n", 20) == 20);
    pid_t k = fork();
    if (!k) { pthread_t t; pthread_create(&t, 0, f, 0); pthread_join(t, 0); _exit(0); }
    int st; waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
