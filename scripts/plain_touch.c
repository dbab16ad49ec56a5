/* SPDX-License-Identifier: MIT */
/* The yardsticks of `make bench`: the plainest write-touch loops, and bare clock reads. */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../csrc/native/clock_read.h"

/* ns for one store to each page; fd -1: of anonymous shared memory. -1: the memory could not be had. */
static int64_t touched_ns(int fd, uint64_t size_bytes, uint64_t page_bytes)
{
    int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
    volatile uint8_t *base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (base == MAP_FAILED)
        return -1;
    uint64_t start = drmbench_monotonic_raw_ns();
    for (uint64_t at = 0; at < size_bytes; at += page_bytes)
        base[at] = 1;
    int64_t taken = (int64_t)(drmbench_monotonic_raw_ns() - start);
    munmap((void *)base, size_bytes);
    return taken;
}

int64_t plain_anon_ns(uint64_t size_bytes, uint64_t page_bytes)
{
    return touched_ns(-1, size_bytes, page_bytes);
}

int64_t plain_memfd_ns(uint64_t size_bytes, uint64_t page_bytes)
{
    int64_t taken = -1;
    int fd = memfd_create("plain", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size_bytes) == 0)
        taken = touched_ns(fd, size_bytes, page_bytes);
    close(fd);
    return taken;
}

/* ns for `pairs` pairs of clock reads as a touch loop makes them, with nothing between. */
int64_t clock_pairs_ns(uint64_t pairs)
{
    volatile uint64_t sink = 0;
    uint64_t begin = drmbench_monotonic_raw_ns();
    for (uint64_t pair = 0; pair < pairs; pair++) {
        uint64_t start = drmbench_clock_start(DRMBENCH_CPU_COUNTER);
        sink = drmbench_clock_stop(DRMBENCH_CPU_COUNTER) - start;
    }
    (void)sink;
    return (int64_t)(drmbench_monotonic_raw_ns() - begin);
}

/* The same around a store to one of `pages` pages (a power of two) that are present, one after the other. */
int64_t clock_pairs_and_stores_ns(uint64_t pairs, uint64_t address, uint64_t pages, uint64_t page_bytes)
{
    volatile uint64_t sink = 0;
    uint64_t begin = drmbench_monotonic_raw_ns();
    for (uint64_t pair = 0; pair < pairs; pair++) {
        volatile uint8_t *page = (volatile uint8_t *)(uintptr_t)(address + (pair & (pages - 1)) * page_bytes);
        uint64_t start = drmbench_clock_start(DRMBENCH_CPU_COUNTER);
        *page = 0xd3;
        sink = drmbench_clock_stop(DRMBENCH_CPU_COUNTER) - start;
    }
    (void)sink;
    return (int64_t)(drmbench_monotonic_raw_ns() - begin);
}
