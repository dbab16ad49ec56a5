/* SPDX-License-Identifier: MIT */
/* Choosing a clock, measuring its rate, its cost and its step. */
#include "drmbench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock_read.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define PAIRS 1001

struct drmbench_clock drmbench_clock_in_use = {
    .source = DRMBENCH_CLOCK_GETTIME,
    .invariant = 1,
    .ns_per_tick = 1.0,
};

static uint64_t backward_intervals;

uint64_t drmbench_clock_backward_intervals(void)
{
    return __atomic_load_n(&backward_intervals, __ATOMIC_RELAXED);
}

uint64_t drmbench_backward_interval(void)
{
    __atomic_fetch_add(&backward_intervals, 1, __ATOMIC_RELAXED);
    return 0;
}

void drmbench_hypervisor_signature(char *out_13_bytes)
{
    memset(out_13_bytes, 0, 13);
#if defined(__x86_64__)
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & (1u << 31)))
        return;
    __cpuid(0x40000000, eax, ebx, ecx, edx);
    memcpy(out_13_bytes, &ebx, 4);
    memcpy(out_13_bytes + 4, &ecx, 4);
    memcpy(out_13_bytes + 8, &edx, 4);
#endif
}

static int counter_usable(void)
{
#if defined(__x86_64__)
    uint32_t eax, ebx, ecx, edx;
    return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (edx & (1u << 27));
#elif defined(__aarch64__)
    return 1;
#else
    return 0;
#endif
}

static int counter_invariant(void)
{
#if defined(__x86_64__)
    uint32_t eax, ebx, ecx, edx;
    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && (edx & (1u << 8));
#else
    return 1; /* the generic timer of aarch64 and MONOTONIC_RAW have a fixed rate */
#endif
}

struct instant {
    uint64_t ticks;
    uint64_t raw_ns;
};

/* Of several attempts the one in which the two reads lay closest together: an interrupt
 * between them would tilt the rate. */
static struct instant read_both(void)
{
    struct instant best = {0, 0};
    uint64_t closest = UINT64_MAX;
    for (int attempt = 0; attempt < 20; attempt++) {
        uint64_t before = drmbench_monotonic_raw_ns();
        uint64_t ticks = drmbench_counter_start();
        uint64_t after = drmbench_monotonic_raw_ns();
        if (after - before < closest) {
            closest = after - before;
            best.ticks = ticks;
            best.raw_ns = before + (after - before) / 2;
        }
    }
    return best;
}

static int measure_rate(uint64_t window_ns, double *ns_per_tick)
{
    struct instant first = read_both();
    while (drmbench_monotonic_raw_ns() - first.raw_ns < window_ns)
        continue;
    struct instant last = read_both();
    if (last.ticks <= first.ticks || last.raw_ns <= first.raw_ns)
        return -EINVAL;
    *ns_per_tick = (double)(last.raw_ns - first.raw_ns) / (double)(last.ticks - first.ticks);
    return 0;
}

static int ascending(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t common_step(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void measure_cost(struct drmbench_clock *clock)
{
    uint64_t ticks[PAIRS], step = 0;
    for (int i = 0; i < PAIRS; i++) {
        uint64_t start = drmbench_clock_start(clock->source);
        ticks[i] = drmbench_interval(drmbench_clock_stop(clock->source) - start);
        step = common_step(ticks[i], step);
    }
    qsort(ticks, PAIRS, sizeof(ticks[0]), ascending);
    clock->overhead_ns = (double)ticks[PAIRS / 2] * clock->ns_per_tick;
    clock->resolution_ns = (double)(step ? step : 1) * clock->ns_per_tick;
}

int drmbench_clock_calibrate(int source, uint64_t window_ns, struct drmbench_clock *out)
{
    struct drmbench_clock clock = {.source = source, .ns_per_tick = 1.0};
    int counter = counter_usable();

    if (source == DRMBENCH_CLOCK_BEST)
        clock.source = counter ? DRMBENCH_CPU_COUNTER : DRMBENCH_CLOCK_GETTIME;
    if (clock.source != DRMBENCH_CLOCK_GETTIME) {
        if (!counter || clock.source != (int)DRMBENCH_CPU_COUNTER)
            return -EINVAL;
        int status = measure_rate(window_ns, &clock.ns_per_tick);
        if (status)
            return status;
    }
    clock.invariant = clock.source == DRMBENCH_CLOCK_GETTIME || counter_invariant();
    measure_cost(&clock);
    drmbench_clock_in_use = clock;
    *out = clock;
    return 0;
}
