/* A child reads a pipe whose only write end is held by NO process: it is in flight (SCM_RIGHTS) in the queue
 * of a unix socket.
 * Looks like: an orphaned pipe (no fd of the write end in any /proc/PID/fd), yet no EOF comes.
 * Ended by: the parent, which sleeps 6 s, then receives the descriptor and writes to it. */
#include "look.h"

int main(void) {
    int sv[2], p[2]; CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sv)); CHECK(!pipe(p));
    char b = 'x', cb[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec io = { &b, 1 };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = sizeof cb };
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS; h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &p[1], sizeof(int));
    CHECK(sendmsg(sv[0], &m, 0) == 1);
    close(p[1]); close(sv[0]);
    pid_t k = fork();
    if (!k) { close(sv[1]); char x; CHECK(read(p[0], &x, 1) == 1); CHECK(x == 'g'); _exit(0); }
    close(p[0]);
    nap(6);
    m.msg_controllen = sizeof cb;
    CHECK(recvmsg(sv[1], &m, 0) == 1);
    int w; memcpy(&w, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof w);
    CHECK(write(w, "g", 1) == 1);
    int st; CHECK(waitpid(k, &st, 0) == k); CHECK(st == 0);
    return 0;
}
