/* main waits on a condition variable without timeout; the only other thread is glibc's timer helper,
 * itself in rt_sigtimedwait without timeout.
 * Looks like: lost wake-up / all threads dead in a private futex.
 * Ended by: a POSIX timer (SIGEV_THREAD) after 6 s, whose function signals the condition. */
#include "look.h"

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t cv = PTHREAD_COND_INITIALIZER; static int ok;
static void fire(union sigval v) { pthread_mutex_lock(&m); ok = 1; pthread_cond_signal(&cv); pthread_mutex_unlock(&m); }
int main(void) {
    struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = fire }; timer_t t;
    CHECK(!timer_create(CLOCK_MONOTONIC, &e, &t));
    struct itimerspec s = { .it_value = { 6, 0 } }; CHECK(!timer_settime(t, 0, &s, 0));
    pthread_mutex_lock(&m); while (!ok) pthread_cond_wait(&cv, &m); pthread_mutex_unlock(&m);
    return 0;
}
