/* SPDX-License-Identifier: MIT */
/* Ranges of mapped memory that may end in SIGBUS or SIGSEGV: device memory, and what a case expects to fail. */
#include "drmbench.h"

#include <errno.h>

#define WORD ((uint64_t)sizeof(uint64_t))

enum action { READ_OUT, WRITE_IN, FILL, COMPARE, COMPARE_BYTE };

struct work {
    enum action action;
    uint64_t address;
    uint64_t size_bytes;
    uint8_t *out;
    const uint8_t *in;
    uint64_t seed;
    uint64_t offset_bytes;
    uint8_t byte;
    uint64_t equal_bytes;
};

/* splitmix64's finalizer: a bijection, so no two words of one seed are equal. */
static uint64_t pattern(uint64_t seed, uint64_t offset_bytes)
{
    uint64_t mixed = offset_bytes / WORD + seed * 0x9e3779b97f4a7c15u + 1;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static uint64_t words_of(const struct work *work)
{
    return work->address % WORD ? 0 : work->size_bytes / WORD;
}

static void read_out(const struct work *work)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(uintptr_t)work->address;
    const volatile uint8_t *bytes = (const volatile uint8_t *)(uintptr_t)work->address;
    uint64_t count = words_of(work);

    for (uint64_t i = 0; i < count; i++) {
        uint64_t word = words[i];
        __builtin_memcpy(work->out + i * WORD, &word, WORD);
    }
    for (uint64_t i = count * WORD; i < work->size_bytes; i++)
        work->out[i] = bytes[i];
}

static void write_in(const struct work *work)
{
    volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)work->address;
    volatile uint8_t *bytes = (volatile uint8_t *)(uintptr_t)work->address;
    uint64_t count = words_of(work);

    for (uint64_t i = 0; i < count; i++) {
        uint64_t word;
        __builtin_memcpy(&word, work->in + i * WORD, WORD);
        words[i] = word;
    }
    for (uint64_t i = count * WORD; i < work->size_bytes; i++)
        bytes[i] = work->in[i];
}

static void fill(const struct work *work)
{
    volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)work->address;

    for (uint64_t i = 0; i < work->size_bytes / WORD; i++)
        words[i] = pattern(work->seed, work->offset_bytes + i * WORD);
}

static void compare(struct work *work)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(uintptr_t)work->address;
    uint64_t i = 0;

    while (i < work->size_bytes / WORD && words[i] == pattern(work->seed, work->offset_bytes + i * WORD))
        i++;
    work->equal_bytes = i * WORD;
}

static void compare_byte(struct work *work)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(uintptr_t)work->address;
    const volatile uint8_t *bytes = (const volatile uint8_t *)(uintptr_t)work->address;
    uint64_t same = 0x0101010101010101u * work->byte, count = words_of(work), i = 0;

    while (i < count && words[i] == same)
        i++;
    for (i *= WORD; i < work->size_bytes && bytes[i] == work->byte; i++)
        ;
    work->equal_bytes = i;
}

static int guarded(struct work *work, struct drmbench_stop *stop)
{
    struct drmbench_guard guard = drmbench_guard_around(work->address, work->size_bytes, stop);
    int status = drmbench_guard_arm(&guard);

    if (status)
        return status;
    if (sigsetjmp(guard.landing, 1)) {
        stop->touches_done = stop->address - guard.first;
        drmbench_guard_disarm();
        return -EFAULT;
    }
    switch (work->action) {
    case READ_OUT: read_out(work); break;
    case WRITE_IN: write_in(work); break;
    case FILL: fill(work); break;
    case COMPARE: compare(work); break;
    case COMPARE_BYTE: compare_byte(work); break;
    }
    drmbench_guard_disarm();
    return 0;
}

int drmbench_memory_read(uint64_t address, uint64_t size_bytes, uint8_t *out, struct drmbench_stop *stop)
{
    struct work work = {.action = READ_OUT, .address = address, .size_bytes = size_bytes, .out = out};
    return guarded(&work, stop);
}

int drmbench_memory_write(uint64_t address, uint64_t size_bytes, const uint8_t *data,
                          struct drmbench_stop *stop)
{
    struct work work = {.action = WRITE_IN, .address = address, .size_bytes = size_bytes, .in = data};
    return guarded(&work, stop);
}

int drmbench_memory_fill(uint64_t address, uint64_t size_bytes, uint64_t seed, uint64_t offset_bytes,
                         struct drmbench_stop *stop)
{
    struct work work = {.action = FILL, .address = address, .size_bytes = size_bytes, .seed = seed,
                        .offset_bytes = offset_bytes};
    return (address | size_bytes | offset_bytes) % WORD ? -EINVAL : guarded(&work, stop);
}

int drmbench_memory_compare(uint64_t address, uint64_t size_bytes, uint64_t seed, uint64_t offset_bytes,
                            uint64_t *equal_bytes, struct drmbench_stop *stop)
{
    struct work work = {.action = COMPARE, .address = address, .size_bytes = size_bytes, .seed = seed,
                        .offset_bytes = offset_bytes};
    int status = (address | size_bytes | offset_bytes) % WORD ? -EINVAL : guarded(&work, stop);
    *equal_bytes = work.equal_bytes;
    return status;
}

int drmbench_memory_compare_byte(uint64_t address, uint64_t size_bytes, uint8_t byte, uint64_t *equal_bytes,
                                 struct drmbench_stop *stop)
{
    struct work work = {.action = COMPARE_BYTE, .address = address, .size_bytes = size_bytes, .byte = byte};
    int status = guarded(&work, stop);
    *equal_bytes = work.equal_bytes;
    return status;
}
