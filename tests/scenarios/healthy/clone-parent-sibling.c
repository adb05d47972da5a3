/* The program reads a pipe; the writer was started by clone(CLONE_PARENT): it is the program's sibling, not its child.
 * Looks like: resolver that is no descendant, holds the pipe from elsewhere in the tree.
 * Ended by: the sibling's write after nanosleep of 6 s. */
#include "look.h"

int main(void) {
    int p[2]; pipe(p);
    long k = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (k == 0) { close(p[0]); nap(6); write(p[1], "s", 1); _exit(0); }
    CHECK(k > 0); close(p[1]); char b; CHECK(read(p[0], &b, 1) == 1); CHECK(read(p[0], &b, 1) == 0);
    return 0;
}
