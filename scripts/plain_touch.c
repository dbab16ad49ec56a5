/* SPDX-License-Identifier: MIT */
/* The yardstick of `make bench`: the plainest write-touch loop over a memfd, timed as a whole. */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ns for one store to each page of a fresh memfd mapping; -1: the memory could not be had. */
int64_t plain_touch_ns(uint64_t size_bytes, uint64_t page_bytes)
{
    int64_t taken = -1;
    int fd = memfd_create("plain", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size_bytes) == 0) {
        volatile uint8_t *base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base != MAP_FAILED) {
            uint64_t start = now_ns();
            for (uint64_t at = 0; at < size_bytes; at += page_bytes)
                base[at] = 1;
            taken = (int64_t)(now_ns() - start);
            munmap((void *)base, size_bytes);
        }
    }
    close(fd);
    return taken;
}
