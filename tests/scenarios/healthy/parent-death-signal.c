/* A grandchild sits in sigwait and holds a pipe's only write end; root reads that pipe to its end; the middle process sleeps.
 * Looks like: orphan/idle: a process in sigwait whom nobody signals; the middle one has neither pipe nor plan.
 * Ended by: the middle process's exit after 6 s: PR_SET_PDEATHSIG wakes the grandchild, which exits (EOF at root). */
#include "look.h"

int main(void) {
    int p[2], q[2]; pipe(p); pipe(q);
    sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); sigprocmask(SIG_BLOCK, &s, 0);
    pid_t mid = fork();
    if (!mid) {
        if (!fork()) { close(p[0]); prctl(PR_SET_PDEATHSIG, SIGUSR1); write(q[1], "x", 1); int g; sigwait(&s, &g); write(p[1], "d", 1); _exit(0); }
        char b; read(q[0], &b, 1); close(p[0]); close(p[1]); close(q[0]); close(q[1]); nap(6); _exit(0);
    }
    close(p[1]); close(q[0]); close(q[1]);
    char b; CHECK(read(p[0], &b, 1) == 1); CHECK(b == 'd'); CHECK(read(p[0], &b, 1) == 0);
    int st; waitpid(mid, &st, 0); CHECK(st == 0);
    return 0;
}
