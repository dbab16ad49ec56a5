/* SPDX-License-Identifier: MIT */
/*
 * Clock reads, inlined into every timed region.
 *
 * start: nothing after it begins before the clock is read; stop: everything before it has
 * finished when the clock is read. `source` is a constant wherever this is inlined, so no
 * branch is left in a touch loop.
 */
#ifndef DRMBENCH_CLOCK_READ_H
#define DRMBENCH_CLOCK_READ_H

#include <stdint.h>
#include <time.h>

#include "drmbench.h"

#if defined(__x86_64__)
#define DRMBENCH_CPU_COUNTER DRMBENCH_CLOCK_TSC
static inline __attribute__((always_inline)) uint64_t drmbench_counter_start(void)
{
    uint32_t low, high;
    __asm__ __volatile__("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline __attribute__((always_inline)) uint64_t drmbench_counter_stop(void)
{
    uint32_t low, high, aux;
    __asm__ __volatile__("rdtscp\n\tlfence" : "=a"(low), "=d"(high), "=c"(aux) : : "memory");
    return (uint64_t)high << 32 | low;
}
#elif defined(__aarch64__)
#define DRMBENCH_CPU_COUNTER DRMBENCH_CLOCK_CNTVCT
static inline __attribute__((always_inline)) uint64_t drmbench_counter_start(void)
{
    uint64_t ticks;
    __asm__ __volatile__("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(ticks) : : "memory");
    return ticks;
}

static inline __attribute__((always_inline)) uint64_t drmbench_counter_stop(void)
{
    return drmbench_counter_start();
}
#else
#define DRMBENCH_CPU_COUNTER DRMBENCH_CLOCK_GETTIME
static inline uint64_t drmbench_counter_start(void)
{
    return 0;
}

static inline uint64_t drmbench_counter_stop(void)
{
    return 0;
}
#endif

static inline uint64_t drmbench_monotonic_raw_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline __attribute__((always_inline)) uint64_t drmbench_clock_start(int source)
{
    return source == DRMBENCH_CLOCK_GETTIME ? drmbench_monotonic_raw_ns()
                                            : drmbench_counter_start();
}

static inline __attribute__((always_inline)) uint64_t drmbench_clock_stop(int source)
{
    return source == DRMBENCH_CLOCK_GETTIME ? drmbench_monotonic_raw_ns()
                                            : drmbench_counter_stop();
}

#endif
