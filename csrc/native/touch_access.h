/* SPDX-License-Identifier: MIT */
/* One touch of a page: what lies between clock start and clock stop. */
#ifndef DRMBENCH_TOUCH_ACCESS_H
#define DRMBENCH_TOUCH_ACCESS_H

#include "drmbench.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void access_page(volatile uint8_t *page, int access)
{
    if (access == DRMBENCH_READ)
        (void)*page;
    else if (access == DRMBENCH_WRITE)
        *page = 0xd3;
    else
        __atomic_fetch_or(page, 0, __ATOMIC_RELAXED);
}

#endif
