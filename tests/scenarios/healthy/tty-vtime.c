/* One thread reads a pty slave whose master it holds itself; nobody writes.
 * Looks like: terminal-prompt / self-deadlock on a terminal; read() has no timeout argument.
 * Ended by: the line discipline: VMIN=0 VTIME=60 makes read() return 0 after 6 s. */
#include "look.h"

int main(void) {
    int m = posix_openpt(O_RDWR | O_NOCTTY); CHECK(m >= 0); CHECK(!grantpt(m)); CHECK(!unlockpt(m));
    int s = open(ptsname(m), O_RDWR | O_NOCTTY); CHECK(s >= 0);
    struct termios t; tcgetattr(s, &t); cfmakeraw(&t); t.c_cc[VMIN] = 0; t.c_cc[VTIME] = 60; CHECK(!tcsetattr(s, TCSANOW, &t));
    char b; CHECK(read(s, &b, 1) == 0);
    return 0;
}
