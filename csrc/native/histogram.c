/* SPDX-License-Identifier: MIT */
/* A log-linear histogram: exact below 128 ticks, then 128 buckets for every doubling. */
#include "drmbench.h"

#include <string.h>

#define SUB_BUCKETS (1u << DRMBENCH_HISTOGRAM_SUB_BITS)

void drmbench_histogram_clear(struct drmbench_histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->min_ticks = UINT64_MAX;
}

static inline uint32_t bucket_of(uint64_t ticks)
{
    if (ticks < SUB_BUCKETS)
        return (uint32_t)ticks;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(ticks) - DRMBENCH_HISTOGRAM_SUB_BITS;
    uint32_t bucket = shift * SUB_BUCKETS + (uint32_t)(ticks >> shift);
    return bucket < DRMBENCH_HISTOGRAM_BUCKETS ? bucket : DRMBENCH_HISTOGRAM_BUCKETS - 1;
}

void drmbench_histogram_add(struct drmbench_histogram *histogram, uint64_t ticks)
{
    histogram->count++;
    histogram->sum_ticks += ticks;
    if (ticks < histogram->min_ticks)
        histogram->min_ticks = ticks;
    if (ticks > histogram->max_ticks)
        histogram->max_ticks = ticks;
    histogram->bucket[bucket_of(ticks)]++;
}

uint64_t drmbench_histogram_lower_ticks(uint32_t bucket)
{
    if (bucket < 2 * SUB_BUCKETS)
        return bucket;
    uint32_t shift = bucket / SUB_BUCKETS - 1;
    return (uint64_t)(bucket % SUB_BUCKETS + SUB_BUCKETS) << shift;
}
