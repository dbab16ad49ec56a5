/* SPDX-License-Identifier: MIT */
/* Sweeps by SSE2, AVX2, and by movntdq and movntdqa, which pass the cache by. */
#include "bandwidth.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Volatile, so that the compiler makes no memcpy() of a loop; every access is aligned to its size. */
typedef volatile __m128i vector16;
typedef volatile __m256i vector32;

#define AVX2 __attribute__((target("avx2")))
#define SSE41 __attribute__((target("sse4.1")))
#define MAPPING(type, sweep) ((type *)(uintptr_t)(sweep)->address)
#define OUTSIDE(type, sweep) ((type *)(uintptr_t)(sweep)->outside)

static uint64_t sum_of(__m128i two)
{
    return (uint64_t)_mm_cvtsi128_si64(two) + (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(two, two));
}

static uint64_t read16(const struct drmbench_sweep *sweep)
{
    vector16 *from = MAPPING(vector16, sweep);
    __m128i sum[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};

    for (uint64_t i = 0; i < sweep->size_bytes / 16; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++)
            sum[part] = _mm_add_epi64(sum[part], from[i + part]);
    }
    return sum_of(_mm_add_epi64(_mm_add_epi64(sum[0], sum[1]), _mm_add_epi64(sum[2], sum[3])));
}

SSE41 static uint64_t read_nontemporal(const struct drmbench_sweep *sweep)
{
    __m128i *from = MAPPING(__m128i, sweep);
    __m128i sum[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};

    for (uint64_t i = 0; i < sweep->size_bytes / 16; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++)
            sum[part] = _mm_add_epi64(sum[part], _mm_stream_load_si128(from + i + part));
    }
    return sum_of(_mm_add_epi64(_mm_add_epi64(sum[0], sum[1]), _mm_add_epi64(sum[2], sum[3])));
}

AVX2 static uint64_t read32(const struct drmbench_sweep *sweep)
{
    vector32 *from = MAPPING(vector32, sweep);
    __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i all;

    for (uint64_t i = 0; i < sweep->size_bytes / 32; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++)
            sum[part] = _mm256_add_epi64(sum[part], from[i + part]);
    }
    all = _mm256_add_epi64(_mm256_add_epi64(sum[0], sum[1]), _mm256_add_epi64(sum[2], sum[3]));
    return sum_of(_mm_add_epi64(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
}

static __m128i first16(const struct drmbench_sweep *sweep)
{
    return _mm_set_epi64x((long long)(sweep->value + 1), (long long)sweep->value);
}

static uint64_t write16(const struct drmbench_sweep *sweep)
{
    vector16 *to = MAPPING(vector16, sweep);
    __m128i next = first16(sweep), step = _mm_set1_epi64x(2);

    for (uint64_t i = 0; i < sweep->size_bytes / 16; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++, next = _mm_add_epi64(next, step))
            to[i + part] = next;
    }
    return 0;
}

static uint64_t write_nontemporal(const struct drmbench_sweep *sweep)
{
    __m128i *to = MAPPING(__m128i, sweep);
    __m128i next = first16(sweep), step = _mm_set1_epi64x(2);

    for (uint64_t i = 0; i < sweep->size_bytes / 16; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++, next = _mm_add_epi64(next, step))
            _mm_stream_si128(to + i + part, next);
    }
    return 0;
}

AVX2 static uint64_t write32(const struct drmbench_sweep *sweep)
{
    vector32 *to = MAPPING(vector32, sweep);
    __m256i next = _mm256_add_epi64(_mm256_set1_epi64x((long long)sweep->value), _mm256_set_epi64x(3, 2, 1, 0));
    __m256i step = _mm256_set1_epi64x(4);

    for (uint64_t i = 0; i < sweep->size_bytes / 32; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++, next = _mm256_add_epi64(next, step))
            to[i + part] = next;
    }
    return 0;
}

static uint64_t fill16(const struct drmbench_sweep *sweep)
{
    vector16 *to = MAPPING(vector16, sweep);
    __m128i bytes = _mm_set1_epi8((char)sweep->value);

    for (uint64_t i = 0; i < sweep->size_bytes / 16; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++)
            to[i + part] = bytes;
    }
    return 0;
}

static uint64_t fill_nontemporal(const struct drmbench_sweep *sweep)
{
    __m128i *to = MAPPING(__m128i, sweep);
    __m128i bytes = _mm_set1_epi8((char)sweep->value);

    for (uint64_t i = 0; i < sweep->size_bytes / 16; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++)
            _mm_stream_si128(to + i + part, bytes);
    }
    return 0;
}

AVX2 static uint64_t fill32(const struct drmbench_sweep *sweep)
{
    vector32 *to = MAPPING(vector32, sweep);
    __m256i bytes = _mm256_set1_epi8((char)sweep->value);

    for (uint64_t i = 0; i < sweep->size_bytes / 32; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++)
            to[i + part] = bytes;
    }
    return 0;
}

static void copy16(vector16 *to, vector16 *from, uint64_t vectors)
{
    for (uint64_t i = 0; i < vectors; i += 4) {
        __m128i part0 = from[i], part1 = from[i + 1], part2 = from[i + 2], part3 = from[i + 3];

        to[i] = part0;
        to[i + 1] = part1;
        to[i + 2] = part2;
        to[i + 3] = part3;
    }
}

AVX2 static void copy32(vector32 *to, vector32 *from, uint64_t vectors)
{
    for (uint64_t i = 0; i < vectors; i += 4) {
        __m256i part0 = from[i], part1 = from[i + 1], part2 = from[i + 2], part3 = from[i + 3];

        to[i] = part0;
        to[i + 1] = part1;
        to[i + 2] = part2;
        to[i + 3] = part3;
    }
}

static uint64_t copy16_to(const struct drmbench_sweep *sweep)
{
    copy16(MAPPING(vector16, sweep), OUTSIDE(vector16, sweep), sweep->size_bytes / 16);
    return 0;
}

static uint64_t copy16_from(const struct drmbench_sweep *sweep)
{
    copy16(OUTSIDE(vector16, sweep), MAPPING(vector16, sweep), sweep->size_bytes / 16);
    return 0;
}

AVX2 static uint64_t copy32_to(const struct drmbench_sweep *sweep)
{
    copy32(MAPPING(vector32, sweep), OUTSIDE(vector32, sweep), sweep->size_bytes / 32);
    return 0;
}

AVX2 static uint64_t copy32_from(const struct drmbench_sweep *sweep)
{
    copy32(OUTSIDE(vector32, sweep), MAPPING(vector32, sweep), sweep->size_bytes / 32);
    return 0;
}

static uint64_t copy_nontemporal_to(const struct drmbench_sweep *sweep)
{
    __m128i *to = MAPPING(__m128i, sweep);
    vector16 *from = OUTSIDE(vector16, sweep);

    for (uint64_t i = 0; i < sweep->size_bytes / 16; i += 4) {
        __m128i part0 = from[i], part1 = from[i + 1], part2 = from[i + 2], part3 = from[i + 3];

        _mm_stream_si128(to + i, part0);
        _mm_stream_si128(to + i + 1, part1);
        _mm_stream_si128(to + i + 2, part2);
        _mm_stream_si128(to + i + 3, part3);
    }
    return 0;
}

SSE41 static uint64_t copy_nontemporal_from(const struct drmbench_sweep *sweep)
{
    vector16 *to = OUTSIDE(vector16, sweep);
    __m128i *from = MAPPING(__m128i, sweep);

    for (uint64_t i = 0; i < sweep->size_bytes / 16; i += 4) {
        __m128i part0 = _mm_stream_load_si128(from + i), part1 = _mm_stream_load_si128(from + i + 1);
        __m128i part2 = _mm_stream_load_si128(from + i + 2), part3 = _mm_stream_load_si128(from + i + 3);

        to[i] = part0;
        to[i + 1] = part1;
        to[i + 2] = part2;
        to[i + 3] = part3;
    }
    return 0;
}

static const drmbench_sweeper by_16[] = {read16, write16, fill16, copy16_to, copy16_from};
static const drmbench_sweeper by_32[] = {read32, write32, fill32, copy32_to, copy32_from};
static const drmbench_sweeper nontemporal[] = {
    read_nontemporal, write_nontemporal, fill_nontemporal, copy_nontemporal_to, copy_nontemporal_from,
};

drmbench_sweeper drmbench_vector_sweeper(int operation, int access)
{
    int loads = operation == DRMBENCH_SWEEP_READ || operation == DRMBENCH_SWEEP_COPY_FROM;

    __builtin_cpu_init();
    if (access == DRMBENCH_SWEEP_VECTOR16)
        return by_16[operation];
    if (access == DRMBENCH_SWEEP_VECTOR32 && __builtin_cpu_supports("avx2"))
        return by_32[operation];
    /* movntdq is SSE2, movntdqa SSE4.1. */
    if (access == DRMBENCH_SWEEP_NONTEMPORAL && (!loads || __builtin_cpu_supports("sse4.1")))
        return nontemporal[operation];
    return NULL;
}

void drmbench_sweep_drain(void)
{
    _mm_sfence();
}
#endif
