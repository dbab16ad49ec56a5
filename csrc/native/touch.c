/* SPDX-License-Identifier: MIT */
/* The touch loops. What lies between clock start and clock stop is one access, nothing else. */
#include <errno.h>
#include <sys/resource.h>

#include "stage_probe.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void access_page(volatile uint8_t *page, int access)
{
    if (access == DRMBENCH_READ)
        (void)*page;
    else if (access == DRMBENCH_WRITE)
        *page = 0xd3;
    else
        __atomic_fetch_or(page, 0, __ATOMIC_RELAXED);
}

INLINE volatile uint8_t *page_at(const struct drmbench_span *span, uint64_t touch)
{
    return (volatile uint8_t *)(uintptr_t)(span->address + span->order[touch] * span->page_bytes);
}

struct time_sinks {
    const uint8_t *faults;
    struct drmbench_histogram *histogram[2]; /* hit, faulted */
};

INLINE uint64_t time_loop(const struct drmbench_span *span, const struct time_sinks *sinks,
                          struct drmbench_stop *stop, int source, int access)
{
    uint64_t sum_ticks = 0;
    for (uint64_t touch = 0; touch < span->touches; touch++) {
        volatile uint8_t *page = page_at(span, touch);
        struct drmbench_histogram *sink = sinks->histogram[sinks->faults[touch] != 0];
        stop->touches_done = touch;
        uint64_t start = drmbench_clock_start(source);
        access_page(page, access);
        uint64_t ticks = drmbench_clock_stop(source) - start;
        sum_ticks += ticks;
        drmbench_histogram_add(sink, ticks);
    }
    stop->touches_done = span->touches;
    return sum_ticks;
}

/* Constant arguments, so that every combination becomes a loop of its own. */
static uint64_t time_touches(const struct drmbench_span *span, const struct time_sinks *sinks,
                             struct drmbench_stop *stop)
{
    if (drmbench_clock_in_use.source == DRMBENCH_CLOCK_GETTIME) {
        switch (span->access) {
        case DRMBENCH_READ:
            return time_loop(span, sinks, stop, DRMBENCH_CLOCK_GETTIME, DRMBENCH_READ);
        case DRMBENCH_WRITE:
            return time_loop(span, sinks, stop, DRMBENCH_CLOCK_GETTIME, DRMBENCH_WRITE);
        default:
            return time_loop(span, sinks, stop, DRMBENCH_CLOCK_GETTIME, DRMBENCH_WRITE_NOTHING);
        }
    }
    switch (span->access) {
    case DRMBENCH_READ:
        return time_loop(span, sinks, stop, DRMBENCH_CPU_COUNTER, DRMBENCH_READ);
    case DRMBENCH_WRITE:
        return time_loop(span, sinks, stop, DRMBENCH_CPU_COUNTER, DRMBENCH_WRITE);
    default:
        return time_loop(span, sinks, stop, DRMBENCH_CPU_COUNTER, DRMBENCH_WRITE_NOTHING);
    }
}

static struct drmbench_guard guard_of(const struct drmbench_span *span, struct drmbench_stop *stop)
{
    struct drmbench_guard guard = {
        .first = span->address,
        .last = span->address + span->size_bytes,
        .stop = stop,
    };
    *stop = (struct drmbench_stop){0};
    return guard;
}

int drmbench_touch_time(const struct drmbench_span *span, const uint8_t *faults,
                        struct drmbench_histogram *faulted, struct drmbench_histogram *hit,
                        struct drmbench_stage *stage, struct drmbench_stop *stop)
{
    struct time_sinks sinks = {faults, {hit, faulted}};
    struct drmbench_guard guard = guard_of(span, stop);
    struct drmbench_probe probe;
    int status = drmbench_guard_arm(&guard);

    if (status)
        return status;
    if (sigsetjmp(guard.landing, 1)) {
        drmbench_guard_disarm();
        return -EFAULT;
    }
    drmbench_probe_count(&probe);
    uint64_t ticks = time_touches(span, &sinks, stop);
    drmbench_probe_counted(&probe, stage);
    stage->ns = drmbench_ticks_to_ns(ticks, span->touches);
    drmbench_guard_disarm();
    return 0;
}

static uint64_t faults_so_far(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

int drmbench_touch_count(const struct drmbench_span *span, uint8_t *faults,
                         struct drmbench_stop *stop)
{
    struct drmbench_guard guard = guard_of(span, stop);
    int status = drmbench_guard_arm(&guard);

    if (status)
        return status;
    if (sigsetjmp(guard.landing, 1)) {
        drmbench_guard_disarm();
        return -EFAULT;
    }
    for (uint64_t touch = 0; touch < span->touches; touch++) {
        volatile uint8_t *page = page_at(span, touch);
        faults[touch] = 0; /* our own array must not fault between the two counts */
        stop->touches_done = touch;
        uint64_t before = faults_so_far();
        access_page(page, span->access);
        uint64_t seen = faults_so_far() - before;
        faults[touch] = seen < 255 ? (uint8_t)seen : 255;
    }
    stop->touches_done = span->touches;
    drmbench_guard_disarm();
    return 0;
}

int drmbench_touch_sum(const struct drmbench_span *span, struct drmbench_stage *stage,
                       struct drmbench_stop *stop)
{
    struct drmbench_guard guard = guard_of(span, stop);
    struct drmbench_probe probe;
    int status = drmbench_guard_arm(&guard);

    if (status)
        return status;
    if (sigsetjmp(guard.landing, 1)) {
        drmbench_guard_disarm();
        return -EFAULT;
    }
    drmbench_probe_begin(&probe);
    for (uint64_t touch = 0; touch < span->touches; touch++)
        access_page(page_at(span, touch), span->access);
    drmbench_probe_end(&probe, stage);
    stop->touches_done = span->touches;
    drmbench_guard_disarm();
    return 0;
}
