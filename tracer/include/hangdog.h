/* hangdog: what every task of a program is doing, readable from outside, even after SIGKILL.
 *
 * The functions of libhangdog_tracer with its feature "ffi":
 *
 *     cargo rustc --release -p hangdog-tracer --features ffi --crate-type staticlib
 *     cc program.c target/release/libhangdog_tracer.a -lpthread -ldl -lm
 *
 *     uint64_t walk = hangdog_begin("walk", 4);
 *     hangdog_field(walk, "hang.wait", 9, "path:/mnt/x", 11);
 *     hangdog_enter(walk);
 *     ... the walk ...
 *     hangdog_exit(walk);
 *     hangdog_end(walk, HANGDOG_OK);
 *
 * Texts are UTF-8, not necessarily terminated by 0, and may be gone after the call. None of the functions fails,
 * blocks or takes a lock; a null pointer is an empty text, and a number that is no open phase changes nothing. All may
 * be called from any thread, but a phase is left by the thread that entered it. Not for signal handlers.
 */
#ifndef HANGDOG_H
#define HANGDOG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a phase ended; any other number says nothing. */
enum { HANGDOG_OK = 1, HANGDOG_FAILED = 2, HANGDOG_CANCELLED = 3 };

/* Opens a phase within the one that the calling thread is in, and gives its number; 0 when it is not recorded.
 * Names and keys are kept for good: use texts that stand in the program. */
uint64_t hangdog_begin(const char *name, size_t length);

/* Adds a field, or gives it another value. hang.wait, hang.hold, hang.serve, hang.op, hang.entity, hang.link,
 * hang.deadline_ms say what the phase means. */
void hangdog_field(uint64_t phase, const char *key, size_t key_length, const char *value, size_t length);
void hangdog_field_number(uint64_t phase, const char *key, size_t key_length, int64_t value);

/* The calling thread goes into a phase, and leaves it. May be done any number of times. */
void hangdog_enter(uint64_t phase);
void hangdog_exit(uint64_t phase);

/* Ends a phase, on any thread. */
void hangdog_end(uint64_t phase, int32_t outcome);

#ifdef __cplusplus
}
#endif

#endif
