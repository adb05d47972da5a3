/* One thread in recv() on a socketpair of which it holds both ends itself.
 * Looks like: self-deadlock; the system call has no timeout argument.
 * Ended by: the kernel: SO_RCVTIMEO of 6 s was set, recv returns EAGAIN. */
#include "look.h"

int main(void) {
    int sv[2]; CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    struct timeval t = { 6, 0 }; CHECK(!setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    char b; CHECK(recv(sv[0], &b, 1, 0) == -1); CHECK(errno == EAGAIN);
    return 0;
}
