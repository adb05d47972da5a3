/* mq_receive() without timeout on a POSIX queue that only the receiver has open.
 * Looks like: orphan wait, nobody else holds the queue.
 * Ended by: a daemonised sleeper that opens the queue by name after 6 s and sends. */
#include "look.h"

#include <mqueue.h>
int main(void) {
    char n[64]; sprintf(n, "/lookalike-%d", getpid());
    struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = 16 };
    mqd_t q = mq_open(n, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &a); CHECK(q >= 0);
    pid_t k = fork();
    if (!k) { setsid(); if (fork()) _exit(0); mq_close(q); nap(6); mqd_t w = mq_open(n, O_WRONLY); mq_send(w, "go", 2, 0); _exit(0); }
    waitpid(k, 0, 0);
    char b[16]; int r = mq_receive(q, b, 16, 0);
    mq_unlink(n); CHECK(r == 2);
    return 0;
}
