/* SPDX-License-Identifier: MIT */
/* The touch loops. What lies between clock start and clock stop is one access, nothing else. */
#include <errno.h>
#include <sys/resource.h>

#include "stage_probe.h"
#include "touch_access.h"

INLINE volatile uint8_t *page_at(const struct drmbench_span *span, uint64_t touch)
{
    return (volatile uint8_t *)(uintptr_t)(span->address + span->order[touch] * span->page_bytes);
}

#define BLOCK_TOUCHES 1024u

/* The last store before the clock says how far the pass is, should this touch end it. */
INLINE void time_one(volatile uint8_t *page, uint64_t touch, uint64_t *ticks,
                     struct drmbench_stop *stop, int source, int access)
{
    stop->touches_done = touch;
    uint64_t start = drmbench_clock_start(source);
    access_page(page, access);
    *ticks = drmbench_clock_stop(source) - start;
}

/* Times up to BLOCK_TOUCHES touches into `ticks`; counting them waits until the block is done, because
 * every instruction between two touches delays the next one. So does the load of an address, since a clock
 * read waits for it: four are loaded at a time. */
INLINE void time_block(const struct drmbench_span *span, uint64_t first, uint64_t last,
                       uint64_t *ticks, struct drmbench_stop *stop, int source, int access)
{
    const struct drmbench_span here = *span; /* in registers, whatever the stores below may alias */
    uint64_t touch = first;

    for (; touch + 4 <= last; touch += 4, ticks += 4) {
        volatile uint8_t *page0 = page_at(&here, touch), *page1 = page_at(&here, touch + 1);
        volatile uint8_t *page2 = page_at(&here, touch + 2), *page3 = page_at(&here, touch + 3);
        time_one(page0, touch, ticks, stop, source, access);
        time_one(page1, touch + 1, ticks + 1, stop, source, access);
        time_one(page2, touch + 2, ticks + 2, stop, source, access);
        time_one(page3, touch + 3, ticks + 3, stop, source, access);
    }
    for (; touch < last; touch++, ticks++)
        time_one(page_at(&here, touch), touch, ticks, stop, source, access);
}

/* Constant arguments, so that every combination becomes a loop of its own. */
static void time_touches(const struct drmbench_span *span, uint64_t first, uint64_t last,
                         uint64_t *ticks, struct drmbench_stop *stop)
{
    int gettime = drmbench_clock_in_use.source == DRMBENCH_CLOCK_GETTIME;

    if (span->access == DRMBENCH_READ && gettime)
        time_block(span, first, last, ticks, stop, DRMBENCH_CLOCK_GETTIME, DRMBENCH_READ);
    else if (span->access == DRMBENCH_READ)
        time_block(span, first, last, ticks, stop, DRMBENCH_CPU_COUNTER, DRMBENCH_READ);
    else if (span->access == DRMBENCH_WRITE && gettime)
        time_block(span, first, last, ticks, stop, DRMBENCH_CLOCK_GETTIME, DRMBENCH_WRITE);
    else if (span->access == DRMBENCH_WRITE)
        time_block(span, first, last, ticks, stop, DRMBENCH_CPU_COUNTER, DRMBENCH_WRITE);
    else if (gettime)
        time_block(span, first, last, ticks, stop, DRMBENCH_CLOCK_GETTIME, DRMBENCH_WRITE_NOTHING);
    else
        time_block(span, first, last, ticks, stop, DRMBENCH_CPU_COUNTER, DRMBENCH_WRITE_NOTHING);
}

/* Between two blocks, so that no touch waits for it. */
static void keep_ticks(uint32_t *kept, const uint64_t *ticks, uint64_t touches)
{
    for (uint64_t touch = 0; touch < touches; touch++)
        kept[touch] = ticks[touch] > INT64_MAX ? 0 : /* the clock went backwards */
                      ticks[touch] < UINT32_MAX ? (uint32_t)ticks[touch] : UINT32_MAX;
}

int drmbench_touch_time(const struct drmbench_span *span, const uint8_t *faults,
                        struct drmbench_histogram *faulted, struct drmbench_histogram *hit,
                        struct drmbench_stage *stage, struct drmbench_stop *stop)
{
    /* Written here, so that the stack's own pages do not fault in the loop. */
    uint64_t ticks[BLOCK_TOUCHES] = {0};
    struct drmbench_guard guard = drmbench_guard_around(span->address, span->size_bytes, stop);
    struct drmbench_probe probe;
    int status = drmbench_guard_arm(&guard);

    if (status)
        return status;
    if (sigsetjmp(guard.landing, 1)) {
        drmbench_guard_disarm();
        return -EFAULT;
    }
    drmbench_probe_count(&probe);
    uint64_t sum_ticks = 0;
    for (uint64_t first = 0; first < span->touches; first += BLOCK_TOUCHES) {
        uint64_t left = span->touches - first;
        uint64_t last = first + (left < BLOCK_TOUCHES ? left : BLOCK_TOUCHES);
        time_touches(span, first, last, ticks, stop);
        sum_ticks += drmbench_histogram_add_block(faulted, hit, ticks, faults + first, last - first);
        if (span->touch_ticks)
            keep_ticks(span->touch_ticks + first, ticks, last - first);
    }
    stop->touches_done = span->touches;
    drmbench_probe_counted(&probe, stage);
    stage->ns = drmbench_ticks_to_ns(sum_ticks, span->touches);
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
    struct drmbench_guard guard = drmbench_guard_around(span->address, span->size_bytes, stop);
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
    struct drmbench_guard guard = drmbench_guard_around(span->address, span->size_bytes, stop);
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
