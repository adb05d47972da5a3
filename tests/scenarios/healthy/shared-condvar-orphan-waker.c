/* Process-shared mutex + condition in a (closed) memfd mapping; the waiter waits without limit and has no child left:
 * the waker is in sigtimedwait and was orphaned (its parent has exited).
 * Looks like: lost wake-up across processes.
 * Ended by: the orphan, whose sigtimedwait runs out after 6 s; it signals the condition. */
#include "look.h"

struct sh { pthread_mutex_t m; pthread_cond_t c; int ok; };
int main(void) {
    int f = memfd_create("sh", MFD_CLOEXEC); ftruncate(f, 4096); struct sh *s = mmap(0, 4096, 3, MAP_SHARED, f, 0); close(f);
    pthread_mutexattr_t a; pthread_mutexattr_init(&a); pthread_mutexattr_setpshared(&a, 1); pthread_mutex_init(&s->m, &a);
    pthread_condattr_t ca; pthread_condattr_init(&ca); pthread_condattr_setpshared(&ca, 1); pthread_cond_init(&s->c, &ca);
    pid_t k = fork();
    if (!k) { setsid(); if (fork()) _exit(0);
        sigset_t g; sigemptyset(&g); sigaddset(&g, SIGUSR1); sigprocmask(SIG_BLOCK, &g, 0); struct timespec t = { 6, 0 }; sigtimedwait(&g, 0, &t);
        pthread_mutex_lock(&s->m); s->ok = 1; pthread_cond_signal(&s->c); pthread_mutex_unlock(&s->m); _exit(0); }
    waitpid(k, 0, 0);
    pthread_mutex_lock(&s->m); while (!s->ok) pthread_cond_wait(&s->c, &s->m); pthread_mutex_unlock(&s->m);
    return 0;
}
