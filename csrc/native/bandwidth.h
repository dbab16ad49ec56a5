/* SPDX-License-Identifier: MIT */
/* A sweep is one function for each operation and way of access; a table of them for each kind of CPU. */
#ifndef DRMBENCH_BANDWIDTH_H
#define DRMBENCH_BANDWIDTH_H

#include <stddef.h>

#include "drmbench.h"

#define DRMBENCH_SWEEP_OPERATIONS 5
#define DRMBENCH_SWEEP_ACCESSES 5

/* One sweep; returns the sum of the words for a read, else 0. */
typedef uint64_t (*drmbench_sweeper)(const struct drmbench_sweep *sweep);

/* bandwidth_x86.c, bandwidth_arm64.c: NULL where this CPU, which is asked at run time, has none. */
drmbench_sweeper drmbench_vector_sweeper(int operation, int access);
/* Waits until every store before it has left for memory, those that bypass the cache as well. */
void drmbench_sweep_drain(void);

#endif
