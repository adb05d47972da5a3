/* The parent is suspended in vfork (uninterruptible, no timeout) while the child still runs in its memory.
 * Looks like: a process in state D in kernel_clone, no fd, no lock.
 * Ended by: the child: nanosleep of 6 s, then execve of true. */
#include "look.h"

int main(void) {
    pid_t k = vfork();
    if (!k) { struct timespec t = { 6, 0 }; nanosleep(&t, 0); execl("/bin/true", "true", (char *)0); _exit(1); }
    int st; CHECK(waitpid(k, &st, 0) == k); CHECK(st == 0);
    return 0;
}
