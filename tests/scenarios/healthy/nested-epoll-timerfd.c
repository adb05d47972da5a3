/* epoll_wait(-1) on an epoll fd that only holds another epoll fd, which holds a timerfd; a dead socketpair is in it too.
 * Looks like: poll without limit on fds that only the process itself has.
 * Ended by: the timerfd after 6 s. */
#include "look.h"

int main(void) {
    int t = timerfd_create(CLOCK_BOOTTIME, 0), e1 = epoll_create1(0), e2 = epoll_create1(0), sv[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    struct epoll_event ev = { EPOLLIN };
    CHECK(!epoll_ctl(e1, EPOLL_CTL_ADD, t, &ev)); CHECK(!epoll_ctl(e2, EPOLL_CTL_ADD, sv[0], &ev)); ev.data.u64 = 7; CHECK(!epoll_ctl(e2, EPOLL_CTL_ADD, e1, &ev));
    struct itimerspec s = { .it_value = { 6, 0 } }; CHECK(!timerfd_settime(t, 0, &s, 0));
    CHECK(epoll_wait(e2, &ev, 1, -1) == 1); CHECK(ev.data.u64 == 7);
    return 0;
}
