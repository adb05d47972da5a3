/* The parent waits in semop() (no timeout) for a SysV semaphore that the child holds and never gives back.
 * Looks like: a leaked semaphore; GETPID names a holder that is asleep in something unrelated.
 * Ended by: SEM_UNDO at the child's exit, after its nanosleep of 6 s. */
#include "look.h"

int main(void) {
    int id = semget(IPC_PRIVATE, 1, 0600); CHECK(id >= 0); CHECK(!semctl(id, 0, SETVAL, 1));
    int p[2]; pipe(p);
    pid_t k = fork();
    if (!k) { struct sembuf d = { 0, -1, SEM_UNDO }; CHECK(!semop(id, &d, 1)); write(p[1], "x", 1); nap(6); _exit(0); }
    char b; read(p[0], &b, 1); close(p[0]); close(p[1]);
    struct sembuf d = { 0, -1, 0 }; int r = semop(id, &d, 1);
    semctl(id, 0, IPC_RMID); CHECK(r == 0);
    int st; waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
