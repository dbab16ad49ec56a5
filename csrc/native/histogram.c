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
    if (__builtin_expect(ticks < SUB_BUCKETS, 1))
        return (uint32_t)ticks;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(ticks) - DRMBENCH_HISTOGRAM_SUB_BITS;
    uint32_t bucket = shift * SUB_BUCKETS + (uint32_t)(ticks >> shift);
    return bucket < DRMBENCH_HISTOGRAM_BUCKETS ? bucket : DRMBENCH_HISTOGRAM_BUCKETS - 1;
}

/* Adds samples; returns their sum. */
static uint64_t add_samples(struct drmbench_histogram *histogram, const uint64_t *ticks, uint64_t samples)
{
    uint64_t sum = 0, min = histogram->min_ticks, max = histogram->max_ticks;

    for (uint64_t i = 0; i < samples; i++) {
        uint64_t sample = drmbench_interval(ticks[i]);
        sum += sample;
        if (__builtin_expect(sample < min, 0)) /* seldom, so that a branch is less than a choice */
            min = sample;
        if (__builtin_expect(sample > max, 0))
            max = sample;
        histogram->bucket[bucket_of(sample)]++;
    }
    histogram->count += samples;
    histogram->sum_ticks += sum;
    histogram->min_ticks = min;
    histogram->max_ticks = max;
    return sum;
}

void drmbench_histogram_add(struct drmbench_histogram *histogram, uint64_t ticks)
{
    add_samples(histogram, &ticks, 1);
}

/* In runs of touches that go the same way: most often a block is one run, which memcmp() finds at once. */
uint64_t drmbench_histogram_add_block(struct drmbench_histogram *faulted,
                                      struct drmbench_histogram *hit, const uint64_t *ticks,
                                      const uint8_t *faults, uint64_t touches)
{
    uint64_t sum = 0;

    if (touches && memcmp(faults, faults + 1, touches - 1) == 0)
        return add_samples(faults[0] ? faulted : hit, ticks, touches);
    for (uint64_t first = 0, last; first < touches; first = last) {
        int way = faults[first] != 0;
        last = first + 1;
        while (last < touches && (faults[last] != 0) == way)
            last++;
        sum += add_samples(way ? faulted : hit, ticks + first, last - first);
    }
    return sum;
}

uint64_t drmbench_histogram_lower_ticks(uint32_t bucket)
{
    if (bucket < 2 * SUB_BUCKETS)
        return bucket;
    uint32_t shift = bucket / SUB_BUCKETS - 1;
    return (uint64_t)(bucket % SUB_BUCKETS + SUB_BUCKETS) << shift;
}
