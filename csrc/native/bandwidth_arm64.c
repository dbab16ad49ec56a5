/* SPDX-License-Identifier: MIT */
/* Sweeps by NEON (ldp, stp of q registers) and by ldnp and stnp, which hint that the data is not needed again. */
#include "bandwidth.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))

struct pair {
    uint64x2_t low, high;
};

/* In assembly, as the compiler has no name for ldnp and would make memcpy() of the others. */
INLINE struct pair load(const uint8_t *from, int nontemporal)
{
    struct pair both;

    if (nontemporal)
        __asm__ __volatile__("ldnp %q0, %q1, [%2]" : "=w"(both.low), "=w"(both.high) : "r"(from) : "memory");
    else
        __asm__ __volatile__("ldp %q0, %q1, [%2]" : "=w"(both.low), "=w"(both.high) : "r"(from) : "memory");
    return both;
}

INLINE void store(uint8_t *to, struct pair both, int nontemporal)
{
    if (nontemporal)
        __asm__ __volatile__("stnp %q0, %q1, [%2]" : : "w"(both.low), "w"(both.high), "r"(to) : "memory");
    else
        __asm__ __volatile__("stp %q0, %q1, [%2]" : : "w"(both.low), "w"(both.high), "r"(to) : "memory");
}

INLINE uint8_t *mapping_of(const struct drmbench_sweep *sweep)
{
    return (uint8_t *)(uintptr_t)sweep->address;
}

INLINE uint8_t *outside_of(const struct drmbench_sweep *sweep)
{
    return (uint8_t *)(uintptr_t)sweep->outside;
}

INLINE uint64_t read_all(const struct drmbench_sweep *sweep, int nontemporal)
{
    const uint8_t *from = mapping_of(sweep);
    struct pair sum0 = {vdupq_n_u64(0), vdupq_n_u64(0)}, sum1 = sum0;

    for (uint64_t i = 0; i < sweep->size_bytes; i += 64) {
        struct pair first = load(from + i, nontemporal), second = load(from + i + 32, nontemporal);

        sum0.low = vaddq_u64(sum0.low, first.low);
        sum0.high = vaddq_u64(sum0.high, first.high);
        sum1.low = vaddq_u64(sum1.low, second.low);
        sum1.high = vaddq_u64(sum1.high, second.high);
    }
    sum0.low = vaddq_u64(vaddq_u64(sum0.low, sum0.high), vaddq_u64(sum1.low, sum1.high));
    return vgetq_lane_u64(sum0.low, 0) + vgetq_lane_u64(sum0.low, 1);
}

INLINE uint64_t write_all(const struct drmbench_sweep *sweep, int nontemporal)
{
    uint8_t *to = mapping_of(sweep);
    uint64x2_t low = vcombine_u64(vcreate_u64(sweep->value), vcreate_u64(sweep->value + 1));
    struct pair next = {low, vaddq_u64(low, vdupq_n_u64(2))};

    for (uint64_t i = 0; i < sweep->size_bytes; i += 32) {
        store(to + i, next, nontemporal);
        next.low = vaddq_u64(next.low, vdupq_n_u64(4));
        next.high = vaddq_u64(next.high, vdupq_n_u64(4));
    }
    return 0;
}

INLINE uint64_t fill_all(const struct drmbench_sweep *sweep, int nontemporal)
{
    uint8_t *to = mapping_of(sweep);
    uint64x2_t bytes = vreinterpretq_u64_u8(vdupq_n_u8((uint8_t)sweep->value));
    struct pair both = {bytes, bytes};

    for (uint64_t i = 0; i < sweep->size_bytes; i += 64) {
        store(to + i, both, nontemporal);
        store(to + i + 32, both, nontemporal);
    }
    return 0;
}

INLINE uint64_t copy_all(uint8_t *to, const uint8_t *from, uint64_t size_bytes, int load_so, int store_so)
{
    for (uint64_t i = 0; i < size_bytes; i += 64) {
        struct pair first = load(from + i, load_so), second = load(from + i + 32, load_so);

        store(to + i, first, store_so);
        store(to + i + 32, second, store_so);
    }
    return 0;
}

static uint64_t read16(const struct drmbench_sweep *sweep)
{
    return read_all(sweep, 0);
}

static uint64_t write16(const struct drmbench_sweep *sweep)
{
    return write_all(sweep, 0);
}

static uint64_t fill16(const struct drmbench_sweep *sweep)
{
    return fill_all(sweep, 0);
}

static uint64_t copy16_to(const struct drmbench_sweep *sweep)
{
    return copy_all(mapping_of(sweep), outside_of(sweep), sweep->size_bytes, 0, 0);
}

static uint64_t copy16_from(const struct drmbench_sweep *sweep)
{
    return copy_all(outside_of(sweep), mapping_of(sweep), sweep->size_bytes, 0, 0);
}

static uint64_t read_nontemporal(const struct drmbench_sweep *sweep)
{
    return read_all(sweep, 1);
}

static uint64_t write_nontemporal(const struct drmbench_sweep *sweep)
{
    return write_all(sweep, 1);
}

static uint64_t fill_nontemporal(const struct drmbench_sweep *sweep)
{
    return fill_all(sweep, 1);
}

static uint64_t copy_nontemporal_to(const struct drmbench_sweep *sweep)
{
    return copy_all(mapping_of(sweep), outside_of(sweep), sweep->size_bytes, 0, 1);
}

static uint64_t copy_nontemporal_from(const struct drmbench_sweep *sweep)
{
    return copy_all(outside_of(sweep), mapping_of(sweep), sweep->size_bytes, 1, 0);
}

static const drmbench_sweeper by_16[] = {read16, write16, fill16, copy16_to, copy16_from};
static const drmbench_sweeper nontemporal[] = {
    read_nontemporal, write_nontemporal, fill_nontemporal, copy_nontemporal_to, copy_nontemporal_from,
};

drmbench_sweeper drmbench_vector_sweeper(int operation, int access)
{
    if (access == DRMBENCH_SWEEP_VECTOR16)
        return by_16[operation];
    return access == DRMBENCH_SWEEP_NONTEMPORAL ? nontemporal[operation] : NULL;
}

void drmbench_sweep_drain(void)
{
    __asm__ __volatile__("dmb ish" : : : "memory");
}
#endif
