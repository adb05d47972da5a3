/* open() of a file blocks: another process holds a write lease on it (fcntl F_SETLEASE) and sits in pause-like sigwait.
 * Looks like: open() on a plain file stuck in the kernel; the holder waits for a signal only.
 * Ended by: the holder: it was sent SIGIO by the kernel, takes 6 s (sigtimedwait for a signal that never comes), gives the lease up. */
#include "look.h"

int main(void) {
    int p[2]; pipe(p); sigset_t s, n; sigemptyset(&s); sigaddset(&s, SIGIO); sigemptyset(&n); sigaddset(&n, SIGUSR2); sigprocmask(SIG_BLOCK, &s, 0); sigprocmask(SIG_BLOCK, &n, 0);
    pid_t k = fork();
    if (!k) {
        int f = open("F", O_RDWR | O_CREAT, 0600); CHECK(!fcntl(f, F_SETLEASE, F_WRLCK)); write(p[1], "x", 1);
        int g; CHECK(!sigwait(&s, &g)); struct timespec t = { 6, 0 }; CHECK(sigtimedwait(&n, 0, &t) == -1);
        CHECK(!fcntl(f, F_SETLEASE, F_UNLCK)); _exit(0);
    }
    char b; read(p[0], &b, 1);
    CHECK(open("F", O_RDONLY) >= 0);
    int st; waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
