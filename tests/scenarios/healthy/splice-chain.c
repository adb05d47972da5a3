/* Three threads move data by splice() from pipe to pipe; each blocks in splice on an empty pipe whose ends only this process holds.
 * Looks like: a pipeline of threads, all blocked, all ends in one process.
 * Ended by: a child process (which inherited only the first pipe) after clock_nanosleep with an absolute time 6 s ahead. */
#include "look.h"

static int p[4][2];
static void *f(void *a) { long i = (long)a; CHECK(splice(p[i][0], 0, p[i + 1][1], 0, 100, 0) == 5); return 0; }
int main(void) {
    for (int i = 0; i < 4; i++) CHECK(!pipe(p[i]));
    pid_t k = fork();
    if (!k) { for (int i = 0; i < 4; i++) { close(p[i][0]); if (i) close(p[i][1]); }
        struct timespec t; clock_gettime(CLOCK_REALTIME, &t); t.tv_sec += 6; clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, 0); write(p[0][1], "hello", 5); _exit(0); }
    pthread_t t[3]; for (long i = 0; i < 3; i++) pthread_create(&t[i], 0, f, (void *)i);
    char b[8]; CHECK(read(p[3][0], b, 8) == 5);
    for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
    int st; waitpid(k, &st, 0); CHECK(st == 0);
    return 0;
}
