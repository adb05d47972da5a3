/* A process-shared robust mutex held by a child that never unlocks it.
 * Looks like: leaked shared lock; the owner (tid in the futex word) is asleep in something else.
 * Ended by: the owner's exit after nanosleep of 6 s: the kernel walks the robust list, the waiter gets EOWNERDEAD. */
#include "look.h"

int main(void) {
    pthread_mutex_t *m = mmap(0, 4096, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t a; pthread_mutexattr_init(&a); pthread_mutexattr_setpshared(&a, 1); pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(m, &a); int p[2]; pipe(p);
    pid_t k = fork(); if (!k) { pthread_mutex_lock(m); write(p[1], "x", 1); nap(6); _exit(0); }
    char b; read(p[0], &b, 1);
    CHECK(pthread_mutex_lock(m) == EOWNERDEAD); pthread_mutex_consistent(m); pthread_mutex_unlock(m);
    int st; waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
