/* SPDX-License-Identifier: MIT */
/* What the files of a crew share. */
#ifndef DRMBENCH_CREW_H
#define DRMBENCH_CREW_H

#include <pthread.h>

#include "drmbench.h"

enum { WORKER_STARTING, WORKER_READY, WORKER_ENDED };

struct drmbench_crew {
    int kind;                   /* enum drmbench_crew_kind */
    int pass;                   /* enum drmbench_crew_pass */
    uint32_t count;
    uint32_t made;
    uint64_t bytes;             /* of this mapping */
    int go;                     /* atomic, as is cancelled */
    int cancelled;
    pthread_t *threads;         /* of this process, not shared */
    struct drmbench_worker workers[];
};

static inline int crew_load(const int *where)
{
    return __atomic_load_n(where, __ATOMIC_ACQUIRE);
}

static inline void crew_store(int *where, int value)
{
    __atomic_store_n(where, value, __ATOMIC_RELEASE);
}

/* crew_member.c: 0 or a negative errno. */
int drmbench_crew_make_thread(struct drmbench_crew *crew, struct drmbench_worker *worker,
                              pthread_t *thread);
int drmbench_crew_make_process(struct drmbench_crew *crew, struct drmbench_worker *worker);

/* crew_pass.c: touch all of the worker's pages; fills in what it found, the status too. */
void drmbench_crew_pass(struct drmbench_worker *worker, int pass, const int *cancelled);

#endif
