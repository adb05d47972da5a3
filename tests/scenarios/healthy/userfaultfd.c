/* A thread touches a page guarded by userfaultfd and sleeps inside the page fault (no system call).
 * Looks like: a thread stuck in the kernel in handle_userfault; main joins it without limit.
 * Ended by: the handler thread, which has read the fault and sleeps 6 s before UFFDIO_COPY. */
#include "look.h"

#include <linux/userfaultfd.h>
static char *page; static int u;
static void *touch(void *a) { return (void *)(long)page[0]; }
static void *serve(void *a) {
    struct uffd_msg m; CHECK(read(u, &m, sizeof m) == sizeof m); nap(6);
    static char src[4096] __attribute__((aligned(4096))); src[0] = 42;
    struct uffdio_copy c = { (uintptr_t)page, (uintptr_t)src, 4096 }; CHECK(!ioctl(u, UFFDIO_COPY, &c)); return 0;
}
int main(void) {
    u = syscall(SYS_userfaultfd, O_CLOEXEC); if (u < 0) u = syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */); CHECK(u >= 0);
    struct uffdio_api a = { UFFD_API }; CHECK(!ioctl(u, UFFDIO_API, &a));
    page = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register r = { { (uintptr_t)page, 4096 }, UFFDIO_REGISTER_MODE_MISSING }; CHECK(!ioctl(u, UFFDIO_REGISTER, &r));
    pthread_t t, s; void *v; pthread_create(&t, 0, touch, 0); pthread_create(&s, 0, serve, 0);
    pthread_join(t, &v); pthread_join(s, 0); CHECK((long)v == 42);
    return 0;
}
