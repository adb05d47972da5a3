/* A job is stopped by terminal access: a background process group writes to its pty under TOSTOP (SIGTTOU, state T);
 * the session leader waits for it (waitpid, no limit, without WUNTRACED).
 * Looks like: stopped-holder, stopped for ever by the terminal.
 * Ended by: the outer parent, which after 6 s (poll with a timeout on an empty pipe) makes it the foreground group and sends SIGCONT. */
#include "look.h"

int main(void) {
    int m = posix_openpt(O_RDWR | O_NOCTTY); CHECK(m >= 0); grantpt(m); unlockpt(m); int q[2]; pipe(q);
    pid_t lead = fork();
    if (!lead) {
        setsid(); int t = open(ptsname(m), O_RDWR); CHECK(t >= 0); ioctl(t, TIOCSCTTY, 0);
        struct termios x; tcgetattr(t, &x); x.c_lflag |= TOSTOP; tcsetattr(t, TCSANOW, &x);
        pid_t job = fork();
        if (!job) { setpgid(0, 0); CHECK(write(t, "out\n", 4) == 4); _exit(0); }
        setpgid(job, job); write(q[1], &job, sizeof job);
        int st; CHECK(waitpid(job, &st, 0) == job); CHECK(st == 0); _exit(0);
    }
    pid_t job; CHECK(read(q[0], &job, sizeof job) == sizeof job);
    struct pollfd p = { q[0], POLLIN }; CHECK(poll(&p, 1, 6000) == 0);
    CHECK(!ioctl(m, TIOCSPGRP, &job) || 1);
    int s = open(ptsname(m), O_RDWR | O_NOCTTY); struct termios x; tcgetattr(s, &x); x.c_lflag &= ~TOSTOP; tcsetattr(s, TCSANOW, &x);
    CHECK(!kill(job, SIGCONT));
    int st; CHECK(waitpid(lead, &st, 0) == lead); CHECK(st == 0);
    return 0;
}
