/* poll(-1) on a signalfd for SIGRTMIN+2; two more threads in pthread_cond_wait for the poller.
 * Looks like: waiting for an outside signal (idle), others dead behind it.
 * Ended by: a POSIX timer (timer_create SIGEV_SIGNAL, 6 s), visible only in /proc/PID/timers. */
#include "look.h"

#include <sys/signalfd.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t c = PTHREAD_COND_INITIALIZER; static int ok;
static void *f(void *a) { pthread_mutex_lock(&m); while (!ok) pthread_cond_wait(&c, &m); pthread_mutex_unlock(&m); return 0; }
int main(void) {
    sigset_t s; sigemptyset(&s); sigaddset(&s, SIGRTMIN + 2); pthread_sigmask(SIG_BLOCK, &s, 0);
    int fd = signalfd(-1, &s, SFD_CLOEXEC); struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2 }; timer_t t;
    CHECK(!timer_create(CLOCK_REALTIME, &e, &t)); struct itimerspec it = { .it_value = { 6, 0 } }; CHECK(!timer_settime(t, 0, &it, 0));
    pthread_t x, y; pthread_create(&x, 0, f, 0); pthread_create(&y, 0, f, 0);
    struct pollfd p = { fd, POLLIN }; CHECK(poll(&p, 1, -1) == 1);
    pthread_mutex_lock(&m); ok = 1; pthread_cond_broadcast(&c); pthread_mutex_unlock(&m); pthread_join(x, 0); pthread_join(y, 0);
    return 0;
}
