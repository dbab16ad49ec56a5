/* SPDX-License-Identifier: MIT */
/* What a forked child finds of a mapping. Between fork() and _exit() it runs nothing but our C. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drmbench.h"

/* In memory that parent and child share. */
struct child_answer {
    int status;
    struct drmbench_stop stop;
    uint8_t page; /* touched first, so that the child's own stack is its own by then */
    uint8_t faults[];
};

/* Python's handlers only set a flag that nobody would look at. */
void drmbench_child_begin(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

static void count_in_child(const struct drmbench_span *span, struct child_answer *answer)
{
    static const uint32_t first_page;
    const struct drmbench_span own = {
        .address = (uint64_t)(uintptr_t)&answer->page,
        .size_bytes = 1,
        .page_bytes = 1,
        .order = &first_page,
        .touches = 1,
        .access = DRMBENCH_WRITE,
    };

    drmbench_child_begin();
    drmbench_touch_count(&own, answer->faults, &answer->stop);
    answer->status = drmbench_touch_count(span, answer->faults, &answer->stop);
    _exit(0);
}

int drmbench_child_wait(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

int drmbench_touch_count_in_child(const struct drmbench_span *span, uint8_t *faults,
                                  struct drmbench_stop *stop)
{
    uint64_t bytes = sizeof(struct child_answer) + span->touches;
    struct child_answer *answer = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child;
    int status;

    *stop = (struct drmbench_stop){0};
    if (answer == MAP_FAILED)
        return -errno;
    child = drmbench_guard_fork();
    if (child == 0)
        count_in_child(span, answer);
    status = child < 0 ? -errno : drmbench_child_wait(child);
    if (status == 0) {
        *stop = answer->stop;
        status = answer->status;
        memcpy(faults, answer->faults, span->touches);
    }
    munmap(answer, bytes);
    return status;
}
