/* SPDX-License-Identifier: MIT */
/* SIGBUS and SIGSEGV inside a touch loop become an error of that loop. */
#include "drmbench.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static _Thread_local struct drmbench_guard *armed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int users;
static struct sigaction before_bus, before_segv;

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct drmbench_guard *guard = armed;
    uint64_t address = (uint64_t)(uintptr_t)info->si_addr;
    (void)context;

    if (guard && address >= guard->first && address < guard->last) {
        guard->stop->signal_number = number;
        guard->stop->signal_code = info->si_code;
        guard->stop->address = address;
        siglongjmp(guard->landing, 1);
    }
    /* Not ours: put back what was there and let the instruction fault again. */
    sigaction(number, number == SIGBUS ? &before_bus : &before_segv, NULL);
}

int drmbench_guard_arm(struct drmbench_guard *guard)
{
    int status = 0;
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    pthread_mutex_lock(&lock);
    if (users == 0 && (sigaction(SIGBUS, &action, &before_bus) ||
                       sigaction(SIGSEGV, &action, &before_segv)))
        status = -errno;
    else
        users++;
    pthread_mutex_unlock(&lock);
    if (status == 0)
        armed = guard;
    return status;
}

void drmbench_guard_disarm(void)
{
    armed = NULL;
    pthread_mutex_lock(&lock);
    if (--users == 0) {
        sigaction(SIGBUS, &before_bus, NULL);
        sigaction(SIGSEGV, &before_segv, NULL);
    }
    pthread_mutex_unlock(&lock);
}

pid_t drmbench_guard_fork(void)
{
    pid_t child;

    pthread_mutex_lock(&lock);
    child = fork();
    pthread_mutex_unlock(&lock);
    return child;
}
