/* Parent and child: the child holds a POSIX record lock and waits in read() of a pipe for the parent; the parent waits
 * in F_SETLKW for the lock.
 * Looks like: deadlock-cycle over a file lock and a pipe; neither system call has a timeout.
 * Ended by: the parent's alarm(6) (handler without SA_RESTART): EINTR, it gives up the lock and writes to the pipe. */
#include "look.h"

static void h(int s) {}
int main(void) {
    int f = open("L", O_RDWR | O_CREAT, 0600), up[2], dn[2]; pipe(up); pipe(dn);
    pid_t k = fork(); struct flock l = { .l_type = F_WRLCK }; char b;
    if (!k) { close(dn[1]); CHECK(!fcntl(f, F_SETLK, &l)); write(up[1], "x", 1); CHECK(read(dn[0], &b, 1) == 1); _exit(0); }
    read(up[0], &b, 1);
    struct sigaction a = { .sa_handler = h }; sigaction(SIGALRM, &a, 0); alarm(6);
    CHECK(fcntl(f, F_SETLKW, &l) == -1); CHECK(errno == EINTR);
    write(dn[1], "x", 1); int st; waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
