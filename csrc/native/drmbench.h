/* SPDX-License-Identifier: MIT */
/* The C contract with what it needs around it, and the pieces that the C files share. */
#ifndef DRMBENCH_H
#define DRMBENCH_H

#include <setjmp.h>
#include <stdint.h>
#include <sys/types.h>

#include "contract.h"

/* clock.c: the clock in use; calibrated to CLOCK_MONOTONIC_RAW until Python chooses. */
extern struct drmbench_clock drmbench_clock_in_use;

/* clock.c: counts an interval below 0, and returns 0. */
uint64_t drmbench_backward_interval(void);

/* The difference of two clock reads, 0 where the clock went backwards. */
static inline uint64_t drmbench_interval(uint64_t difference_ticks)
{
    return __builtin_expect(difference_ticks <= INT64_MAX, 1) ? difference_ticks : drmbench_backward_interval();
}

/* histogram.c: touch i goes to `faulted` where faults[i] is not 0, else to `hit`; returns the sum of all ticks. */
uint64_t drmbench_histogram_add_block(struct drmbench_histogram *faulted,
                                      struct drmbench_histogram *hit, const uint64_t *ticks,
                                      const uint8_t *faults, uint64_t touches);

/* guard.c: between arm and disarm a SIGBUS or SIGSEGV of this thread inside the span jumps to
 * `landing` instead of ending the process. One guard a thread at a time. */
struct drmbench_guard {
    sigjmp_buf landing;
    uint64_t first;             /* guarded addresses: first <= address < last */
    uint64_t last;
    struct drmbench_stop *stop;
};

/* A guard for the range, with *stop cleared; arm it in the function that calls sigsetjmp(). */
static inline struct drmbench_guard drmbench_guard_around(uint64_t address, uint64_t size_bytes,
                                                          struct drmbench_stop *stop)
{
    struct drmbench_guard guard = {.first = address, .last = address + size_bytes, .stop = stop};
    *stop = (struct drmbench_stop){0};
    return guard;
}

int drmbench_guard_arm(struct drmbench_guard *guard);
void drmbench_guard_disarm(void);
/* fork() while no other thread holds the guards' lock, so that the child can arm one. */
pid_t drmbench_guard_fork(void);

/* child.c: for a forked child that has no work but C; 0, or -ECHILD where it did not end by _exit(0). */
void drmbench_child_begin(void);
int drmbench_child_wait(pid_t child);

#endif
