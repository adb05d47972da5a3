/* The child's main thread has ended by pthread_exit: its /proc entry is a zombie (state Z) with an empty cmdline, yet
 * another thread lives and holds a pipe that the parent reads.
 * Looks like: zombie / dead holder of a pipe's write end (/proc/PID/fd of the leader is unreadable).
 * Ended by: the child's remaining thread after nanosleep of 6 s. */
#include "look.h"

static int p[2];
static void *f(void *a) { nap(6); write(p[1], "z", 1); _exit(0); }
int main(void) {
    pipe(p); pid_t k = fork();
    if (!k) { close(p[0]); pthread_t t; pthread_create(&t, 0, f, 0); pthread_exit(0); }
    close(p[1]); char b; CHECK(read(p[0], &b, 1) == 1); CHECK(read(p[0], &b, 1) == 0);
    int st; waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
