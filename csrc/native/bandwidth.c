/* SPDX-License-Identifier: MIT */
/* Sweeps over mapped memory: word by word and by the C library here, by vectors in a file for each CPU. */
#include <errno.h>
#include <string.h>

#include "bandwidth.h"
#include "stage_probe.h"

#define WORDS 8u /* of one turn of a loop: 64 bytes */

/* Volatile, so that each word is accessed once and as a word: the compiler makes neither vectors nor memset() of it. */
typedef volatile uint64_t word;

static word *mapping_of(const struct drmbench_sweep *sweep)
{
    return (word *)(uintptr_t)sweep->address;
}

static word *outside_of(const struct drmbench_sweep *sweep)
{
    return (word *)(uintptr_t)sweep->outside;
}

static uint64_t words_of(const struct drmbench_sweep *sweep)
{
    return sweep->size_bytes / sizeof(uint64_t);
}

static uint64_t read_words(const struct drmbench_sweep *sweep)
{
    word *from = mapping_of(sweep);
    uint64_t sum[4] = {0};

    for (uint64_t i = 0; i < words_of(sweep); i += WORDS) {
#pragma GCC unroll 8
        for (unsigned part = 0; part < WORDS; part++)
            sum[part % 4] += from[i + part];
    }
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static uint64_t write_words(const struct drmbench_sweep *sweep)
{
    word *to = mapping_of(sweep);

    for (uint64_t i = 0; i < words_of(sweep); i += WORDS) {
#pragma GCC unroll 8
        for (unsigned part = 0; part < WORDS; part++)
            to[i + part] = sweep->value + i + part;
    }
    return 0;
}

static uint64_t fill_words(const struct drmbench_sweep *sweep)
{
    word *to = mapping_of(sweep);
    uint64_t value = 0x0101010101010101u * (sweep->value & 0xff);

    for (uint64_t i = 0; i < words_of(sweep); i += WORDS) {
#pragma GCC unroll 8
        for (unsigned part = 0; part < WORDS; part++)
            to[i + part] = value;
    }
    return 0;
}

static void copy_words(word *to, word *from, uint64_t words)
{
    for (uint64_t i = 0; i < words; i += WORDS) {
#pragma GCC unroll 8
        for (unsigned part = 0; part < WORDS; part++)
            to[i + part] = from[i + part];
    }
}

static uint64_t copy_words_to(const struct drmbench_sweep *sweep)
{
    copy_words(mapping_of(sweep), outside_of(sweep), words_of(sweep));
    return 0;
}

static uint64_t copy_words_from(const struct drmbench_sweep *sweep)
{
    copy_words(outside_of(sweep), mapping_of(sweep), words_of(sweep));
    return 0;
}

/* The compiler must believe that somebody looks at what the library wrote. */
static void keep(const void *written)
{
    __asm__ __volatile__("" : : "r"(written) : "memory");
}

static uint64_t library_fill(const struct drmbench_sweep *sweep)
{
    void *to = (void *)(uintptr_t)sweep->address;

    memset(to, (int)(sweep->value & 0xff), sweep->size_bytes);
    keep(to);
    return 0;
}

static uint64_t library_copy(uint64_t to, uint64_t from, uint64_t size_bytes)
{
    memcpy((void *)(uintptr_t)to, (const void *)(uintptr_t)from, size_bytes);
    keep((const void *)(uintptr_t)to);
    return 0;
}

static uint64_t library_copy_to(const struct drmbench_sweep *sweep)
{
    return library_copy(sweep->address, sweep->outside, sweep->size_bytes);
}

static uint64_t library_copy_from(const struct drmbench_sweep *sweep)
{
    return library_copy(sweep->outside, sweep->address, sweep->size_bytes);
}

static const drmbench_sweeper by_words[DRMBENCH_SWEEP_OPERATIONS] = {
    read_words, write_words, fill_words, copy_words_to, copy_words_from,
};

static const drmbench_sweeper by_library[DRMBENCH_SWEEP_OPERATIONS] = {
    NULL, NULL, library_fill, library_copy_to, library_copy_from,
};

static drmbench_sweeper sweeper_of(int operation, int access)
{
    if (operation < 0 || operation >= DRMBENCH_SWEEP_OPERATIONS)
        return NULL;
    if (access == DRMBENCH_SWEEP_SCALAR)
        return by_words[operation];
    if (access == DRMBENCH_SWEEP_LIBC)
        return by_library[operation];
    return drmbench_vector_sweeper(operation, access);
}

int drmbench_sweep_possible(int operation, int access)
{
    return sweeper_of(operation, access) != NULL;
}

static int misplaced(const struct drmbench_sweep *sweep)
{
    int copies = sweep->operation == DRMBENCH_SWEEP_COPY_TO || sweep->operation == DRMBENCH_SWEEP_COPY_FROM;

    return (sweep->address | sweep->outside) % 64 || sweep->size_bytes % 256 || (copies && !sweep->outside);
}

int drmbench_sweep_time(const struct drmbench_sweep *sweep, uint64_t *sum,
                        struct drmbench_stage *stage, struct drmbench_stop *stop)
{
    struct drmbench_guard guard = drmbench_guard_around(sweep->address, sweep->size_bytes, stop);
    drmbench_sweeper sweeper = sweeper_of(sweep->operation, sweep->access);
    struct drmbench_probe probe;
    int status;

    if (sweeper == NULL || misplaced(sweep))
        return sweeper ? -EINVAL : -EOPNOTSUPP;
    status = drmbench_guard_arm(&guard);
    if (status)
        return status;
    if (sigsetjmp(guard.landing, 1)) {
        drmbench_guard_disarm();
        return -EFAULT;
    }
    *sum = 0;
    drmbench_sweep_drain();
    drmbench_probe_begin(&probe);
    for (uint64_t time = 0; time < sweep->times; time++)
        *sum = sweeper(sweep);
    drmbench_sweep_drain();
    drmbench_probe_end(&probe, stage);
    drmbench_guard_disarm();
    return 0;
}

#if !defined(__x86_64__) && !defined(__aarch64__)
drmbench_sweeper drmbench_vector_sweeper(int operation, int access)
{
    (void)operation;
    (void)access;
    return NULL;
}

void drmbench_sweep_drain(void)
{
    __sync_synchronize();
}
#endif
