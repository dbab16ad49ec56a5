/* SPDX-License-Identifier: GPL-2.0-only */
/* What changed in the kernel's own interfaces between 5.10 and 7.x. */
#ifndef DRMBENCH_COMPAT_H
#define DRMBENCH_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/drm_vma_manager.h>

/* 6.1: a file can be allowed once however often it asks; before, i915 too counted every time. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#define drm_vma_node_allow_once(node, tag) drm_vma_node_allow(node, tag)
#endif

/* 6.3: the flags of a VMA are changed by a function that checks its lock. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* 6.6: mapping a dma-buf no longer needs a callback. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define DOUBLE_PRIME_MMAP	.gem_prime_mmap = drm_gem_prime_mmap,
#else
#define DOUBLE_PRIME_MMAP
#endif

/* 6.14: drivers have no date. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#define DOUBLE_DATE(text)	.date = text,
#else
#define DOUBLE_DATE(text)
#endif

/* 6.12: offsets of 64 bits have to be asked for. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define DOUBLE_FOP_FLAGS	.fop_flags = FOP_UNSIGNED_OFFSET,
#else
#define DOUBLE_FOP_FLAGS
#endif

#endif
