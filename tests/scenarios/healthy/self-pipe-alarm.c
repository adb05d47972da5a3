/* One thread reads a pipe whose both ends only it holds.
 * Looks like: self-deadlock on a pipe, single thread, no timer in the system call.
 * Ended by: its own ITIMER_REAL after 6 s: the SIGALRM handler (SA_RESTART) writes a byte into the pipe. */
#include "look.h"

static int p[2];
static void h(int s) { write(p[1], "a", 1); }
int main(void) {
    CHECK(!pipe(p));
    struct sigaction a = { .sa_handler = h, .sa_flags = SA_RESTART }; sigaction(SIGALRM, &a, 0);
    struct itimerval t = { .it_value = { 6, 0 } }; CHECK(!setitimer(ITIMER_REAL, &t, 0));
    char b; CHECK(read(p[0], &b, 1) == 1); CHECK(b == 'a');
    return 0;
}
