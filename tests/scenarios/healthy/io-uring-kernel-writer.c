/* One thread reads a pipe; its write end is in no fd table at all, only in the registered files of an io_uring.
 * Looks like: orphan wait on a pipe without a writer, single thread, no timers visible.
 * Ended by: the kernel: a queued 6 s timeout, linked to a write into the pipe. */
#include "look.h"

#include <linux/io_uring.h>
int main(void) {
    struct io_uring_params P = {0}; int r = syscall(SYS_io_uring_setup, 4, &P); CHECK(r >= 0);
    char *sq = mmap(0, P.sq_off.array + P.sq_entries * 4, 3, MAP_SHARED, r, IORING_OFF_SQ_RING); CHECK(sq != MAP_FAILED);
    struct io_uring_sqe *s = mmap(0, P.sq_entries * sizeof *s, 3, MAP_SHARED, r, IORING_OFF_SQES); CHECK(s != MAP_FAILED);
    unsigned *tail = (void *)(sq + P.sq_off.tail), *arr = (void *)(sq + P.sq_off.array);
    int p[2]; CHECK(!pipe(p));
    CHECK(syscall(SYS_io_uring_register, r, IORING_REGISTER_FILES, &p[1], 1) == 0);
    close(p[1]);
    static char msg[] = "k"; static struct __kernel_timespec ts = { 6, 0 };
    memset(s, 0, 2 * sizeof *s);
    s[0].opcode = IORING_OP_TIMEOUT; s[0].fd = -1; s[0].addr = (uintptr_t)&ts; s[0].len = 1; s[0].flags = IOSQE_IO_HARDLINK; s[0].timeout_flags = 0;
    s[1].opcode = IORING_OP_WRITE; s[1].fd = 0; s[1].flags = IOSQE_FIXED_FILE; s[1].addr = (uintptr_t)msg; s[1].len = 1; s[1].off = -1;
    arr[0] = 0; arr[1] = 1; __atomic_store_n(tail, *tail + 2, __ATOMIC_RELEASE);
    CHECK(syscall(SYS_io_uring_enter, r, 2, 0, 0, 0, 0) == 2);
    char b; CHECK(read(p[0], &b, 1) == 1); CHECK(b == 'k');
    return 0;
}
