/* A process-shared sem_t in a mapped file; the waiter is the only process that has the file open or mapped.
 * Looks like: lost wake-up on a shared futex with no other party.
 * Ended by: a setsid'd sleeper that after 6 s opens the file by name, maps it and posts. */
#include "look.h"

int main(void) {
    pid_t k = fork();
    if (!k) { setsid(); if (fork()) _exit(0); close(0); close(1);
        nap(6); int f = open("sem", O_RDWR); sem_t *s = mmap(0, 4096, 3, MAP_SHARED, f, 0); sem_post(s); _exit(0); }
    waitpid(k, 0, 0);
    int f = open("sem.new", O_RDWR | O_CREAT, 0600); CHECK(!ftruncate(f, 4096));
    sem_t *s = mmap(0, 4096, 3, MAP_SHARED, f, 0); CHECK(s != MAP_FAILED); CHECK(!sem_init(s, 1, 0));
    CHECK(!rename("sem.new", "sem"));
    CHECK(!sem_wait(s));
    return 0;
}
