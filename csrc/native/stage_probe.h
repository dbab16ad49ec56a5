/* SPDX-License-Identifier: MIT */
/* Fault counters outside, clock reads inside: the frame around every timed stage. */
#ifndef DRMBENCH_STAGE_PROBE_H
#define DRMBENCH_STAGE_PROBE_H

#ifndef _GNU_SOURCE
#error "RUSAGE_THREAD needs _GNU_SOURCE"
#endif

#include <sys/resource.h>

#include "clock_read.h"
#include "drmbench.h"

struct drmbench_probe {
    struct rusage before;
    uint64_t start_ticks;
};

static inline void drmbench_probe_count(struct drmbench_probe *probe)
{
    getrusage(RUSAGE_THREAD, &probe->before);
}

static inline void drmbench_probe_begin(struct drmbench_probe *probe)
{
    drmbench_probe_count(probe);
    probe->start_ticks = drmbench_clock_start(drmbench_clock_in_use.source);
}

static inline uint64_t drmbench_ticks_to_ns(uint64_t ticks, uint64_t pairs)
{
    double ns = (double)ticks * drmbench_clock_in_use.ns_per_tick -
                (double)pairs * drmbench_clock_in_use.overhead_ns;
    return ns > 0.0 ? (uint64_t)(ns + 0.5) : 0;
}

static inline void drmbench_probe_counted(const struct drmbench_probe *probe,
                                          struct drmbench_stage *stage)
{
    struct rusage after;
    getrusage(RUSAGE_THREAD, &after);
    stage->minor_faults = (uint64_t)(after.ru_minflt - probe->before.ru_minflt);
    stage->major_faults = (uint64_t)(after.ru_majflt - probe->before.ru_majflt);
}

static inline void drmbench_probe_end(const struct drmbench_probe *probe,
                                      struct drmbench_stage *stage)
{
    uint64_t ticks = drmbench_clock_stop(drmbench_clock_in_use.source) - probe->start_ticks;
    drmbench_probe_counted(probe, stage);
    stage->ns = drmbench_ticks_to_ns(drmbench_interval(ticks), 1);
}

#endif
