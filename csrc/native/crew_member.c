/* SPDX-License-Identifier: MIT */
/* One worker of a crew, a thread or a forked process: pinned, warmed up, waiting for the others, touching. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "crew.h"

/* Runs every path once over memory of our own, so that no fault of ours is counted after the start. */
static void warm_up(struct drmbench_worker *worker, const struct drmbench_crew *crew)
{
    struct drmbench_worker task = *worker;
    const int never = 0;

    worker->address = (uint64_t)(uintptr_t)worker->own;
    worker->page_bytes = 1;
    worker->first_page = 0;
    worker->touches = sizeof(worker->own);
    drmbench_crew_pass(worker, crew->pass, &never);
    worker->address = task.address;
    worker->page_bytes = task.page_bytes;
    worker->first_page = task.first_page;
    worker->touches = task.touches;
    drmbench_histogram_clear(&worker->faulted);
    drmbench_histogram_clear(&worker->hit);
}

static int pin(int cpu)
{
    cpu_set_t *set;
    size_t bytes = CPU_ALLOC_SIZE(cpu + 1);
    int status = 0;

    if (cpu < 0)
        return 0;
    set = CPU_ALLOC(cpu + 1);
    if (!set)
        return -ENOMEM;
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(cpu, bytes, set);
    if (sched_setaffinity(0, bytes, set))
        status = -errno;
    CPU_FREE(set);
    return status;
}

static void work(struct drmbench_crew *crew, struct drmbench_worker *worker)
{
    worker->status = pin(worker->cpu);
    if (worker->status == 0) {
        warm_up(worker, crew);
        crew_store(&worker->state, WORKER_READY);
        /* Others may need this CPU to get ready. */
        while (!crew_load(&crew->go) && !crew_load(&crew->cancelled))
            sched_yield();
        drmbench_crew_pass(worker, crew->pass, &crew->cancelled);
    }
    crew_store(&worker->state, WORKER_ENDED);
}

struct place {
    struct drmbench_crew *crew;
    struct drmbench_worker *worker;
};

static void *thread_main(void *argument)
{
    struct place place = *(struct place *)argument;

    free(argument);
    work(place.crew, place.worker);
    return NULL;
}

/* Its signals, but for those of its own accesses, are this thread's to handle. */
int drmbench_crew_make_thread(struct drmbench_crew *crew, struct drmbench_worker *worker,
                              pthread_t *thread)
{
    struct place *place = malloc(sizeof(*place));
    sigset_t all, before;
    int status;

    if (!place)
        return -ENOMEM;
    *place = (struct place){crew, worker};
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = -pthread_create(thread, NULL, thread_main, place);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status)
        free(place);
    return status;
}

int drmbench_crew_make_process(struct drmbench_crew *crew, struct drmbench_worker *worker)
{
    pid_t parent = getpid(), child = drmbench_guard_fork();

    if (child < 0)
        return -errno;
    if (child == 0) {
        drmbench_child_begin();
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
            work(crew, worker);
        _exit(0);
    }
    worker->process = child;
    return 0;
}
