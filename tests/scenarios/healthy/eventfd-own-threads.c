/* Four threads in read() of eventfds that only this process holds; each passes the token on to the next.
 * Looks like: a ring of threads all waiting for one another (a cycle over eventfds).
 * Ended by: the last thread, which first sits in clock_nanosleep for 6 s with no fd in its hands, then writes. */
#include "look.h"

static int e[4];
static void *f(void *a) { long i = (long)a; uint64_t v; if (i == 3) { nap(6); v = 1; } else CHECK(read(e[i + 1], &v, 8) == 8); CHECK(write(e[i], &v, 8) == 8); return 0; }
int main(void) {
    pthread_t t[4]; for (int i = 0; i < 4; i++) e[i] = eventfd(0, 0);
    for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, f, (void *)i);
    uint64_t v; CHECK(read(e[0], &v, 8) == 8);
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    return 0;
}
