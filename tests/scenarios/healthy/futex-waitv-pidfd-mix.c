/* A thread sits in futex_waitv over three words without timeout (two of them nobody will ever wake).
 * Looks like: waits on words without a holder; an unusual system call (449) that a reader may not know.
 * Ended by: another thread, in ppoll with a 6 s timeout, which wakes the third. */
#include "look.h"

struct wv { uint64_t val, uaddr; uint32_t flags, res; };
static uint32_t w[3];
static void *f(void *a) { struct timespec t = { 6, 0 }; ppoll(0, 0, &t, 0); __atomic_store_n(&w[2], 1, __ATOMIC_SEQ_CST); syscall(SYS_futex, &w[2], 129, 1, 0, 0, 0); return 0; }
int main(void) {
    pthread_t t; pthread_create(&t, 0, f, 0); struct wv v[3];
    for (int i = 0; i < 3; i++) v[i] = (struct wv){ 0, (uintptr_t)&w[i], 2 | 128, 0 };
    long r = syscall(449, v, 3, 0, 0, 0); CHECK(r == 2 || (r == -1 && errno == EAGAIN));
    pthread_join(t, 0); CHECK(w[2] == 1);
    return 0;
}
