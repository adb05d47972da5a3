/* open() of a file blocks on a fanotify permission event; the listener has read the event and is asleep.
 * Looks like: a thread stuck in open(), the listener holds no lock and no pipe.
 * Ended by: the listener after nanosleep of 6 s: it answers FAN_ALLOW. (Mark on one file of our own only.) */
#include "look.h"

#include <sys/fanotify.h>
int main(void) {
    close(open("F", O_RDWR | O_CREAT, 0600));
    int fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY); if (fan < 0 && errno == EPERM) { puts("no right to use fanotify: only sleeping"); nap(6); return 0; }
    CHECK(fan >= 0);
    CHECK(!fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "F"));
    pid_t k = fork();
    if (!k) { close(fan); int f = open("F", O_RDONLY); _exit(f < 0); }
    struct fanotify_event_metadata m[4]; CHECK(read(fan, m, sizeof m) > 0);
    nap(6);
    struct fanotify_response r = { m[0].fd, FAN_ALLOW }; CHECK(write(fan, &r, sizeof r) == sizeof r);
    int st; waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
