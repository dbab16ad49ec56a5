/* SPDX-License-Identifier: MIT */
/* One step of a mapping's life between two ftrace markers, so that nothing of Python's falls between them. */
#include <string.h>
#include <unistd.h>

#include "drmbench.h"

/* A marker that is lost shows in the trace, which then lacks it. */
static void mark(int fd, const char *text)
{
    if (fd >= 0 && write(fd, text, strlen(text)) < 0)
        return;
}

int drmbench_window_mmap(const struct drmbench_window *window, uint64_t hint, uint64_t size_bytes, int prot,
                         int flags, int fd, uint64_t offset_bytes, uint64_t *address,
                         struct drmbench_stage *stage)
{
    mark(window->marker_fd, window->begin);
    int status = drmbench_timed_mmap(hint, size_bytes, prot, flags, fd, offset_bytes, address, stage);
    mark(window->marker_fd, window->end);
    return status;
}

int drmbench_window_munmap(const struct drmbench_window *window, uint64_t address, uint64_t size_bytes,
                           struct drmbench_stage *stage)
{
    mark(window->marker_fd, window->begin);
    int status = drmbench_timed_munmap(address, size_bytes, stage);
    mark(window->marker_fd, window->end);
    return status;
}

int drmbench_window_touch(const struct drmbench_window *window, const struct drmbench_span *span,
                          struct drmbench_stage *stage, struct drmbench_stop *stop)
{
    mark(window->marker_fd, window->begin);
    int status = drmbench_touch_sum(span, stage, stop);
    mark(window->marker_fd, window->end);
    return status;
}
