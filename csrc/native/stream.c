/* SPDX-License-Identifier: MIT */
/*
 * The limits of this machine's memory for one thread, as STREAM has them: arrays of doubles larger than the
 * cache, copied and combined. The vectors are of 16 bytes, which every x86-64 and arm64 CPU has.
 */
#include <errno.h>

#include "stage_probe.h"

#define SCALAR 3.0

typedef double doubles __attribute__((vector_size(16)));

/* Volatile stores, so that the compiler makes no memcpy() of the copy, which is another measurement. */
static volatile doubles *array(uint64_t address)
{
    return (volatile doubles *)(uintptr_t)address;
}

static void set(uint64_t address, uint64_t count, double value)
{
    for (uint64_t i = 0; i < count; i++)
        array(address)[i] = (doubles){value, value};
}

static void copy_arrays(const struct drmbench_stream *stream, uint64_t count)
{
    volatile doubles *a = array(stream->a), *c = array(stream->c);

    for (uint64_t i = 0; i < count; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++)
            c[i + part] = a[i + part];
    }
}

static void triad_arrays(const struct drmbench_stream *stream, uint64_t count)
{
    volatile doubles *a = array(stream->a), *b = array(stream->b), *c = array(stream->c);
    doubles scalar = {SCALAR, SCALAR};

    for (uint64_t i = 0; i < count; i += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++)
            a[i + part] = b[i + part] + scalar * c[i + part];
    }
}

int drmbench_stream_time(const struct drmbench_stream *stream, struct drmbench_stage *copy,
                         struct drmbench_stage *triad)
{
    uint64_t count = stream->size_bytes / sizeof(doubles);
    struct drmbench_probe probe;

    if ((stream->a | stream->b | stream->c | stream->size_bytes) % 64)
        return -EINVAL;
    set(stream->a, count, 1.0);
    set(stream->b, count, 2.0);
    set(stream->c, count, 0.0);
    drmbench_probe_begin(&probe);
    copy_arrays(stream, count);
    drmbench_probe_end(&probe, copy);
    drmbench_probe_begin(&probe);
    triad_arrays(stream, count);
    drmbench_probe_end(&probe, triad);
    return 0;
}

static uint64_t wrong(uint64_t address, uint64_t count, double value)
{
    uint64_t found = 0;

    for (uint64_t i = 0; i < count; i++) {
        doubles two = array(address)[i];
        found += (two[0] != value) + (two[1] != value);
    }
    return found;
}

uint64_t drmbench_stream_wrong(const struct drmbench_stream *stream)
{
    uint64_t count = stream->size_bytes / sizeof(doubles);

    return wrong(stream->a, count, 2.0 + SCALAR) + wrong(stream->b, count, 2.0) + wrong(stream->c, count, 1.0);
}
