/* SPDX-License-Identifier: MIT */
/* The crew as a whole: made, let go when all are ready, looked after, ended. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "clock_read.h"
#include "crew.h"

#define MOST_WORKERS 1024u
#define LOOK_EVERY_NS 200000
#define JOIN_WITHIN_S 10

int drmbench_crew_make(int kind, int pass, uint32_t count, struct drmbench_crew **crew)
{
    uint64_t bytes = sizeof(**crew) + count * sizeof((*crew)->workers[0]);
    struct drmbench_crew *made;

    if (count == 0 || count > MOST_WORKERS)
        return -EINVAL;
    made = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return -errno;
    made->threads = calloc(count, sizeof(*made->threads));
    if (!made->threads) {
        munmap(made, bytes);
        return -ENOMEM;
    }
    made->kind = kind;
    made->pass = pass;
    made->count = count;
    made->bytes = bytes;
    *crew = made;
    return 0;
}

struct drmbench_worker *drmbench_crew_worker(struct drmbench_crew *crew, uint32_t number)
{
    return &crew->workers[number];
}

int drmbench_crew_start(struct drmbench_crew *crew)
{
    for (; crew->made < crew->count; crew->made++) {
        struct drmbench_worker *worker = &crew->workers[crew->made];
        int status = crew->kind == DRMBENCH_PROCESSES
                         ? drmbench_crew_make_process(crew, worker)
                         : drmbench_crew_make_thread(crew, worker, &crew->threads[crew->made]);
        if (status)
            return status;
    }
    return 0;
}

/* A process that is gone without having ended its work has failed. */
static void reap(struct drmbench_worker *worker)
{
    int wait_status;
    pid_t process = worker->process;

    if (process <= 0 || waitpid(process, &wait_status, WNOHANG) != process)
        return;
    worker->process = -1;
    if (crew_load(&worker->state) != WORKER_ENDED) {
        worker->status = -ECHILD;
        worker->wait_status = wait_status;
        crew_store(&worker->state, WORKER_ENDED);
    }
}

static int all_ended(struct drmbench_crew *crew)
{
    uint32_t ready = 0, ended = 0;

    for (uint32_t number = 0; number < crew->count; number++) {
        struct drmbench_worker *worker = &crew->workers[number];
        reap(worker);
        int state = crew_load(&worker->state);
        ready += state == WORKER_READY;
        ended += state == WORKER_ENDED;
        if (state == WORKER_ENDED && worker->status)
            crew_store(&crew->cancelled, 1);
    }
    if (ready == crew->count)
        crew_store(&crew->go, 1);
    return ended == crew->count;
}

int drmbench_crew_wait(struct drmbench_crew *crew, uint64_t wait_ns)
{
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};
    uint64_t start_ns = drmbench_monotonic_raw_ns();

    while (!all_ended(crew)) {
        if (drmbench_monotonic_raw_ns() - start_ns >= wait_ns)
            return -EAGAIN;
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int end_threads(struct drmbench_crew *crew)
{
    struct timespec limit;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += JOIN_WITHIN_S;
    for (uint32_t number = 0; number < crew->made; number++)
        if (pthread_timedjoin_np(crew->threads[number], NULL, &limit)) {
            pthread_detach(crew->threads[number]);
            status = -ETIMEDOUT;
        }
    return status;
}

static void end_processes(struct drmbench_crew *crew)
{
    for (uint32_t number = 0; number < crew->made; number++) {
        pid_t process = crew->workers[number].process;
        if (process <= 0)
            continue;
        if (crew_load(&crew->workers[number].state) != WORKER_ENDED)
            kill(process, SIGKILL);
        while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
}

int drmbench_crew_end(struct drmbench_crew *crew)
{
    int status = 0;

    crew_store(&crew->cancelled, 1);
    if (crew->kind == DRMBENCH_PROCESSES)
        end_processes(crew);
    else
        status = end_threads(crew);
    if (status)
        return status;
    free(crew->threads);
    munmap(crew, crew->bytes);
    return 0;
}
