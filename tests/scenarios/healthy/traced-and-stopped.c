/* A child is in a ptrace stop while holding the write end of a pipe; a grandparent reads that pipe without limit.
 * Looks like: held up by a tracer (state t), stopped-holder.
 * Ended by: the tracer (its parent), which sleeps 6 s before PTRACE_CONT. */
#include "look.h"

#include <sys/ptrace.h>
int main(void) {
    int p[2]; pipe(p);
    pid_t tr = fork();
    if (!tr) {
        close(p[0]);
        pid_t k = fork();
        if (!k) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGTRAP); write(p[1], "r", 1); _exit(0); }
        close(p[1]); int st; waitpid(k, &st, 0); CHECK(WIFSTOPPED(st)); nap(6);
        CHECK(!ptrace(PTRACE_CONT, k, 0, 0)); waitpid(k, &st, 0); _exit(st != 0);
    }
    close(p[1]); char b; CHECK(read(p[0], &b, 1) == 1);
    int st; waitpid(tr, &st, 0); CHECK(st == 0);
    return 0;
}
