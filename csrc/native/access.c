/* SPDX-License-Identifier: MIT */
/* Lists of guarded accesses: a whole step of a stress program is one call, in this process or in a forked child. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "drmbench.h"

static uint64_t faults_so_far(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

static int load(struct drmbench_access_item *item, struct drmbench_stop *stop)
{
    uint8_t byte;
    int status = 0;

    for (uint64_t at = 0; at < item->size_bytes && status == 0; at += item->page_bytes) {
        status = drmbench_memory_read(item->address + at, 1, &byte, stop);
        item->good_bytes = status ? at : at + item->page_bytes;
    }
    return status;
}

static void access_one(struct drmbench_access_item *item)
{
    struct drmbench_stop stop = {0};
    uint64_t before = faults_so_far();

    item->good_bytes = item->size_bytes;
    switch (item->action) {
    case DRMBENCH_ACCESS_FILL:
        item->status = drmbench_memory_fill(item->address, item->size_bytes, item->seed,
                                            item->offset_bytes, &stop);
        break;
    case DRMBENCH_ACCESS_COMPARE:
        item->status = drmbench_memory_compare(item->address, item->size_bytes, item->seed,
                                               item->offset_bytes, &item->good_bytes, &stop);
        break;
    case DRMBENCH_ACCESS_ZERO:
        item->status = drmbench_memory_compare_byte(item->address, item->size_bytes, 0,
                                                    &item->good_bytes, &stop);
        break;
    case DRMBENCH_ACCESS_LOAD:
        item->status = load(item, &stop);
        break;
    default:
        item->status = -EINVAL;
    }
    if (item->status == -EFAULT && item->action != DRMBENCH_ACCESS_LOAD)
        item->good_bytes = stop.touches_done;
    item->signal_number = stop.signal_number;
    item->faults = faults_so_far() - before;
}

void drmbench_access_all(struct drmbench_access_item *items, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        access_one(&items[i]);
}

int drmbench_access_all_in_child(struct drmbench_access_item *items, uint64_t count)
{
    uint64_t bytes = count * sizeof(*items);
    struct drmbench_access_item *shared;
    pid_t child;
    int status;

    if (count == 0)
        return 0;
    shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -errno;
    memcpy(shared, items, bytes);
    child = drmbench_guard_fork();
    if (child == 0) {
        drmbench_child_begin();
        drmbench_access_all(shared, count);
        _exit(0);
    }
    status = child < 0 ? -errno : drmbench_child_wait(child);
    if (status == 0)
        memcpy(items, shared, bytes);
    munmap(shared, bytes);
    return status;
}
