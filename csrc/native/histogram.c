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

static uint32_t bucket_of(uint64_t ticks)
{
    if (ticks < SUB_BUCKETS)
        return (uint32_t)ticks;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(ticks) - DRMBENCH_HISTOGRAM_SUB_BITS;
    uint32_t bucket = shift * SUB_BUCKETS + (uint32_t)(ticks >> shift);
    return bucket < DRMBENCH_HISTOGRAM_BUCKETS ? bucket : DRMBENCH_HISTOGRAM_BUCKETS - 1;
}

/* Adds the samples whose faults[i] is `wanted` (all of them where faults is NULL); returns their sum. */
static uint64_t add_samples(struct drmbench_histogram *histogram, const uint64_t *ticks,
                            const uint8_t *faults, int wanted, uint64_t touches)
{
    uint64_t count = 0, sum = 0, min = histogram->min_ticks, max = histogram->max_ticks;

    for (uint64_t touch = 0; touch < touches; touch++) {
        if (faults && (faults[touch] != 0) != wanted)
            continue;
        uint64_t sample = ticks[touch];
        count++;
        sum += sample;
        min = sample < min ? sample : min;
        max = sample > max ? sample : max;
        histogram->bucket[bucket_of(sample)]++;
    }
    histogram->count += count;
    histogram->sum_ticks += sum;
    histogram->min_ticks = min;
    histogram->max_ticks = max;
    return sum;
}

void drmbench_histogram_add(struct drmbench_histogram *histogram, uint64_t ticks)
{
    add_samples(histogram, &ticks, NULL, 0, 1);
}

uint64_t drmbench_histogram_add_block(struct drmbench_histogram *faulted,
                                      struct drmbench_histogram *hit, const uint64_t *ticks,
                                      const uint8_t *faults, uint64_t touches)
{
    return add_samples(faulted, ticks, faults, 1, touches) +
           add_samples(hit, ticks, faults, 0, touches);
}

uint64_t drmbench_histogram_lower_ticks(uint32_t bucket)
{
    if (bucket < 2 * SUB_BUCKETS)
        return bucket;
    uint32_t shift = bucket / SUB_BUCKETS - 1;
    return (uint64_t)(bucket % SUB_BUCKETS + SUB_BUCKETS) << shift;
}
