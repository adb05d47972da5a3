/* recv() without timeout on a TCP connection whose network is gone (own network namespace, `lo` taken down); the peer socket
 * is in the same process.
 * Looks like: self-deadlock or dead peer, no timer in any system call.
 * Ended by: the kernel: TCP keepalive (idle 3 s, then 3 probes a second apart) fails the recv with ETIMEDOUT after some 6 s. */
#include "look.h"

#include <sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
static void lo(int up) { int u = socket(AF_INET, SOCK_DGRAM, 0); struct ifreq r = { .ifr_name = "lo" }; ioctl(u, SIOCGIFFLAGS, &r); if (up) r.ifr_flags |= IFF_UP; else r.ifr_flags &= ~IFF_UP; CHECK(!ioctl(u, SIOCSIFFLAGS, &r)); close(u); }
int main(void) {
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWNET | CLONE_NEWUSER)) { puts("no right to make a network namespace: only sleeping"); nap(6); return 0; }
    lo(1);
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), one = 1, three = 3;
    struct sockaddr_in a = { AF_INET, htons(7000), { htonl(INADDR_LOOPBACK) } };
    CHECK(!bind(l, (void *)&a, sizeof a)); CHECK(!listen(l, 1)); CHECK(!connect(c, (void *)&a, sizeof a)); int s = accept(l, 0, 0); CHECK(s >= 0);
    setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &one, 4); setsockopt(c, IPPROTO_TCP, TCP_KEEPIDLE, &three, 4);
    setsockopt(c, IPPROTO_TCP, TCP_KEEPINTVL, &one, 4); setsockopt(c, IPPROTO_TCP, TCP_KEEPCNT, &three, 4);
    lo(0);
    char b; CHECK(recv(c, &b, 1, 0) == -1);
    return errno == ETIMEDOUT || errno == EHOSTUNREACH || errno == ENETUNREACH ? 0 : 1;
}
