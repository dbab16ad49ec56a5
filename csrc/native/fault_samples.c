/* SPDX-License-Identifier: MIT */
/* Faults with their addresses, as the kernel's own counter tells them: perf's software event page-faults. */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drmbench.h"

#define RING_PAGES 64u       /* a power of two; perf_event_mlock_kb lets anybody have 128 of 4 KiB */
#define BLOCK_TOUCHES 2048u  /* their samples, 16 bytes each, fit many times over */

struct ring {
    int fd;
    uint64_t page_bytes;
    struct perf_event_mmap_page *control;
    const uint8_t *data;
};

/* One of this thread's faults in user mode: every one makes a sample. */
static int ring_open(struct ring *ring)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof(attr),
        .config = PERF_COUNT_SW_PAGE_FAULTS,
        .sample_period = 1,
        .sample_type = PERF_SAMPLE_ADDR,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };

    ring->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    ring->fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (ring->fd < 0)
        return -errno;
    void *mapped = mmap(NULL, (RING_PAGES + 1) * ring->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                        ring->fd, 0);
    if (mapped == MAP_FAILED) {
        int status = -errno;
        close(ring->fd);
        return status;
    }
    ring->control = mapped;
    ring->data = (const uint8_t *)mapped + ring->page_bytes;
    return 0;
}

static void ring_close(struct ring *ring)
{
    munmap(ring->control, (RING_PAGES + 1) * ring->page_bytes);
    close(ring->fd);
}

static void ring_copy(const struct ring *ring, uint64_t from, void *out, uint64_t bytes)
{
    uint64_t size = RING_PAGES * ring->page_bytes;

    for (uint64_t i = 0; i < bytes; i++)
        ((uint8_t *)out)[i] = ring->data[(from + i) % size];
}

static void count_sample(const struct drmbench_span *span, uint64_t address, uint8_t *by_page,
                         struct drmbench_fault_samples *samples)
{
    if (address < span->address || address >= span->address + span->size_bytes) {
        samples->outside++;
        return;
    }
    uint8_t *page = &by_page[(address - span->address) / span->page_bytes];
    *page += *page < 255;
    samples->inside++;
}

static void ring_drain(struct ring *ring, const struct drmbench_span *span, uint8_t *by_page,
                       struct drmbench_fault_samples *samples)
{
    uint64_t head = __atomic_load_n(&ring->control->data_head, __ATOMIC_ACQUIRE);
    uint64_t tail = ring->control->data_tail;

    while (tail < head) {
        struct perf_event_header header;
        uint64_t words[2] = {0};

        ring_copy(ring, tail, &header, sizeof(header));
        if (header.type == PERF_RECORD_SAMPLE) {
            ring_copy(ring, tail + sizeof(header), words, sizeof(words[0]));
            count_sample(span, words[0], by_page, samples);
        } else if (header.type == PERF_RECORD_LOST) { /* id, lost */
            ring_copy(ring, tail + sizeof(header), words, sizeof(words));
            samples->lost += words[1];
        }
        tail += header.size;
    }
    __atomic_store_n(&ring->control->data_tail, tail, __ATOMIC_RELEASE);
}

int drmbench_touch_sample(const struct drmbench_span *span, uint8_t *by_page,
                          struct drmbench_fault_samples *samples, struct drmbench_stop *stop)
{
    struct ring ring;
    int status = ring_open(&ring);

    *samples = (struct drmbench_fault_samples){0};
    *stop = (struct drmbench_stop){0};
    if (status)
        return status;
    for (uint64_t first = 0; first < span->touches && status == 0; first += BLOCK_TOUCHES) {
        uint64_t left = span->touches - first;
        struct drmbench_span block = *span;
        struct drmbench_stage stage;

        block.order = span->order + first;
        block.touches = left < BLOCK_TOUCHES ? left : BLOCK_TOUCHES;
        if (ioctl(ring.fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
            status = -errno;
        else
            status = drmbench_touch_sum(&block, &stage, stop);
        ioctl(ring.fd, PERF_EVENT_IOC_DISABLE, 0);
        ring_drain(&ring, span, by_page, samples);
    }
    ring_close(&ring);
    return status;
}
