/* A flock and an OFD lock taken by a process that has exited; the open file descriptions live on in its child.
 * Looks like: stale lock: /proc/locks names a dead pid (flock) and -1 (OFD); two waiters without limit.
 * Ended by: the child that inherited the descriptors, which sleeps 6 s and exits. */
#include "look.h"

int main(void) {
    pid_t t = fork();
    if (!t) {
        int f = open("L", O_RDWR | O_CREAT, 0600), o = open("O", O_RDWR | O_CREAT, 0600);
        struct flock l = { .l_type = F_WRLCK }; CHECK(!flock(f, LOCK_EX)); CHECK(!fcntl(o, F_OFD_SETLK, &l));
        if (!fork()) { setsid(); nap(6); _exit(0); }
        _exit(0);
    }
    int st; waitpid(t, &st, 0); CHECK(st == 0);
    pid_t k = fork();
    if (!k) { int o = open("O", O_RDWR); struct flock l = { .l_type = F_WRLCK }; CHECK(!fcntl(o, F_OFD_SETLKW, &l)); _exit(0); }
    int f = open("L", O_RDWR); CHECK(!flock(f, LOCK_EX));
    waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
