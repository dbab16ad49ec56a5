// SPDX-License-Identifier: GPL-2.0-only
/* On 5.10 the helper is called CMA and is no module of its own; as one it must name a licence. */
#include <linux/module.h>

MODULE_DESCRIPTION("The kernel's GEM CMA helper as a module");
MODULE_LICENSE("GPL");
