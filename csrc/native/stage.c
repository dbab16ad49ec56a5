/* SPDX-License-Identifier: MIT */
/* The system calls of a buffer's life, each inside its own pair of clock reads. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include "stage_probe.h"

int drmbench_timed_ioctl(int fd, uint64_t request, void *argument, struct drmbench_stage *stage)
{
    struct drmbench_probe probe;
    drmbench_probe_begin(&probe);
    int status = drmIoctl(fd, (unsigned long)request, argument);
    status = status < 0 ? -errno : status;
    drmbench_probe_end(&probe, stage);
    return status;
}

int drmbench_timed_open(const char *path, int flags, struct drmbench_stage *stage)
{
    struct drmbench_probe probe;
    drmbench_probe_begin(&probe);
    int fd = open(path, flags | O_CLOEXEC);
    int status = fd < 0 ? -errno : fd;
    drmbench_probe_end(&probe, stage);
    return status;
}

int drmbench_timed_memfd(const char *name, uint64_t size_bytes, int sealable,
                         struct drmbench_stage *stage)
{
    struct drmbench_probe probe;
    drmbench_probe_begin(&probe);
    int fd = memfd_create(name, MFD_CLOEXEC | (sealable ? MFD_ALLOW_SEALING : 0u));
    int status = fd < 0 || ftruncate(fd, (off_t)size_bytes) ? -errno : fd;
    drmbench_probe_end(&probe, stage);
    if (status < 0 && fd >= 0)
        close(fd);
    return status;
}

int drmbench_timed_close(int fd, struct drmbench_stage *stage)
{
    struct drmbench_probe probe;
    drmbench_probe_begin(&probe);
    int status = close(fd) ? -errno : 0;
    drmbench_probe_end(&probe, stage);
    return status;
}

int drmbench_timed_mmap(uint64_t hint, uint64_t size_bytes, int prot, int flags, int fd,
                        uint64_t offset_bytes, uint64_t *address, struct drmbench_stage *stage)
{
    struct drmbench_probe probe;
    drmbench_probe_begin(&probe);
    void *mapped = mmap((void *)(uintptr_t)hint, size_bytes, prot, flags, fd, (off_t)offset_bytes);
    int status = mapped == MAP_FAILED ? -errno : 0;
    drmbench_probe_end(&probe, stage);
    *address = status ? 0 : (uint64_t)(uintptr_t)mapped;
    return status;
}

int drmbench_timed_munmap(uint64_t address, uint64_t size_bytes, struct drmbench_stage *stage)
{
    struct drmbench_probe probe;
    drmbench_probe_begin(&probe);
    int status = munmap((void *)(uintptr_t)address, size_bytes) ? -errno : 0;
    drmbench_probe_end(&probe, stage);
    return status;
}

int drmbench_timed_madvise(uint64_t address, uint64_t size_bytes, int advice,
                           struct drmbench_stage *stage)
{
    struct drmbench_probe probe;
    drmbench_probe_begin(&probe);
    int status = madvise((void *)(uintptr_t)address, size_bytes, advice) ? -errno : 0;
    drmbench_probe_end(&probe, stage);
    return status;
}

int drmbench_timed_mlock(uint64_t address, uint64_t size_bytes, struct drmbench_stage *stage)
{
    struct drmbench_probe probe;
    drmbench_probe_begin(&probe);
    int status = mlock((const void *)(uintptr_t)address, size_bytes) ? -errno : 0;
    drmbench_probe_end(&probe, stage);
    return status;
}
