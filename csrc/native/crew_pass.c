/* SPDX-License-Identifier: MIT */
/* What one worker of a crew does: its pages in ascending order, under the guard. */
#include <errno.h>
#include <sys/resource.h>

#include "crew.h"
#include "stage_probe.h"
#include "touch_access.h"

/* So many touches between two looks at whether the crew was called off. */
#define BLOCK_TOUCHES 1024u

static uint64_t faults_so_far(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

INLINE volatile uint8_t *page_at(const struct drmbench_worker *worker, uint64_t touch)
{
    return (volatile uint8_t *)(uintptr_t)(worker->address +
                                           (worker->first_page + touch) * worker->page_bytes);
}

INLINE void touch_block(struct drmbench_worker *worker, uint64_t first, uint64_t last, int access)
{
    const uint64_t page_bytes = worker->page_bytes;
    volatile uint8_t *page = page_at(worker, first);

    for (uint64_t touch = first; touch < last; touch++, page += page_bytes)
        access_page(page, access);
}

/* A constant access makes a loop of its own. */
static uint64_t whole(struct drmbench_worker *worker, uint64_t first, uint64_t last)
{
    if (worker->access == DRMBENCH_READ)
        touch_block(worker, first, last, DRMBENCH_READ);
    else if (worker->access == DRMBENCH_WRITE)
        touch_block(worker, first, last, DRMBENCH_WRITE);
    else
        touch_block(worker, first, last, DRMBENCH_WRITE_NOTHING);
    return 0;
}

/* Which touches fault is not known beforehand: another worker may be quicker. */
static uint64_t single(struct drmbench_worker *worker, uint64_t first, uint64_t last)
{
    const int source = drmbench_clock_in_use.source;
    uint64_t sum_ticks = 0;

    for (uint64_t touch = first; touch < last; touch++) {
        volatile uint8_t *page = page_at(worker, touch);
        uint64_t before = faults_so_far();
        uint64_t start = drmbench_clock_start(source);
        access_page(page, worker->access);
        uint64_t ticks = drmbench_clock_stop(source) - start;
        drmbench_histogram_add(faults_so_far() > before ? &worker->faulted : &worker->hit, ticks);
        sum_ticks += ticks;
    }
    return sum_ticks;
}

static int touch_all(struct drmbench_worker *worker, int pass, const int *cancelled,
                     uint64_t *sum_ticks)
{
    for (uint64_t first = 0; first < worker->touches; first += BLOCK_TOUCHES) {
        uint64_t left = worker->touches - first;
        uint64_t last = first + (left < BLOCK_TOUCHES ? left : BLOCK_TOUCHES);
        if (__atomic_load_n(cancelled, __ATOMIC_RELAXED))
            return -ECANCELED;
        worker->stop.touches_done = first;
        *sum_ticks += pass == DRMBENCH_PASS_SINGLE ? single(worker, first, last)
                                                   : whole(worker, first, last);
    }
    worker->stop.touches_done = worker->touches;
    return 0;
}

void drmbench_crew_pass(struct drmbench_worker *worker, int pass, const int *cancelled)
{
    struct drmbench_guard guard = drmbench_guard_around(
        worker->address + worker->first_page * worker->page_bytes,
        worker->touches * worker->page_bytes, &worker->stop);
    struct drmbench_probe probe;

    worker->status = drmbench_guard_arm(&guard);
    if (worker->status)
        return;
    if (sigsetjmp(guard.landing, 1)) {
        drmbench_guard_disarm();
        worker->status = -EFAULT;
        return;
    }
    uint64_t sum_ticks = 0;
    drmbench_probe_count(&probe);
    worker->begin_ns = drmbench_monotonic_raw_ns();
    worker->status = touch_all(worker, pass, cancelled, &sum_ticks);
    worker->end_ns = drmbench_monotonic_raw_ns();
    drmbench_probe_counted(&probe, &worker->stage);
    worker->stage.ns = pass == DRMBENCH_PASS_SINGLE ? drmbench_ticks_to_ns(sum_ticks, worker->touches)
                                                    : worker->end_ns - worker->begin_ns;
    drmbench_guard_disarm();
}
