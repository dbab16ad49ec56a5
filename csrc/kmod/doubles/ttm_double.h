/* SPDX-License-Identifier: GPL-2.0-only */
/* A DRM device with VRAM and GTT on the kernel's own TTM, and no GPU: what the fronts share. */
#ifndef DRMBENCH_TTM_DOUBLE_H
#define DRMBENCH_TTM_DOUBLE_H

#include <linux/version.h>
#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>
#else
#include <drm/ttm/ttm_bo_api.h>
#include <drm/ttm/ttm_bo_driver.h>
#endif
#include <drm/ttm/ttm_caching.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "compat.h"

struct kernel_param_ops;
struct platform_device;
struct drm_mode_create_dumb;

/* Where a buffer may lie; several at once are tried from VRAM down. */
#define DOUBLE_SYSTEM	BIT(0)
#define DOUBLE_GTT	BIT(1)
#define DOUBLE_VRAM	BIT(2)

/* What the device does wrong on purpose, for tests of tests; ttm_wrong.c says what each is. */
enum double_fault {
	DOUBLE_FAULT_NONE,
	DOUBLE_FAULT_WRONG_ERRNO,
	DOUBLE_FAULT_INTERIOR_OFFSET,
	DOUBLE_FAULT_FOREIGN_FILE,
	DOUBLE_FAULT_STALE_DATA,
	DOUBLE_FAULT_NEIGHBOUR_PAGE,
	DOUBLE_FAULT_LOST_DATA,
	DOUBLE_FAULT_LEAKED_HANDLE,
	DOUBLE_FAULT_COUNT,
};

struct double_config {
	unsigned int vram_mib;
	unsigned int visible_mib;	/* what the CPU can reach of it; 0: all */
	unsigned int gtt_mib;
	unsigned int prefault_pages;	/* a fault maps so many at most, read at each; 0: as TTM */
	unsigned int fault;		/* an enum double_fault, read where it matters */
};

struct double_device {
	struct drm_device drm;
	const struct double_config *config;
	struct ttm_device ttm;
	u64 vram_size;
	u64 visible_size;
	u64 gtt_size;
	/* VRAM: blocks of RAM, linear in the kernel's address space and in `page` */
	void *vram;
	struct page **page;
	unsigned int blocks;
};

/* A buffer to create; size in bytes, alignment in bytes or 0. */
struct double_request {
	u64 size;
	u32 alignment;
	u32 domains;
	enum ttm_caching caching;	/* outside VRAM, which is write-combined */
	bool cpu_required;		/* only in the visible part of VRAM */
	bool cpu_forbidden;		/* EPERM on every attempt to map it */
};

static inline struct double_device *to_double(struct drm_device *drm)
{
	return container_of(drm, struct double_device, drm);
}

static inline bool double_does(const struct double_device *dd, enum double_fault fault)
{
	return READ_ONCE(dd->config->fault) == fault;
}

/* Devices: ttm_device.c */
int double_probe(struct platform_device *pdev, const struct drm_driver *driver,
		 const struct double_config *config);
u64 double_usage(struct double_device *dd, int type);

/* Buffers: ttm_bo.c */
extern struct ttm_device_funcs double_ttm_funcs;
int double_create(struct drm_file *file, struct drm_device *drm,
		  const struct double_request *request, u32 *handle);
int double_map_offset(struct drm_file *file, struct drm_device *drm, u32 handle, u64 *offset);
int double_dumb_create(struct drm_file *file, struct drm_device *drm,
		       struct drm_mode_create_dumb *args);

/* Doing wrong: ttm_wrong.c; `arg` of the parameter is a double_config's `fault` */
extern const struct kernel_param_ops double_fault_ops;
int double_mmap(struct file *filp, struct vm_area_struct *vma);

/* Common to the drm_driver of every front. */
#define DOUBLE_DRIVER							\
	.driver_features = DRIVER_GEM | DRIVER_RENDER,			\
	.dumb_create = double_dumb_create,				\
	.dumb_map_offset = double_map_offset,				\
	DOUBLE_PRIME_MMAP						\
	.prime_handle_to_fd = drm_gem_prime_handle_to_fd,		\
	.prime_fd_to_handle = drm_gem_prime_fd_to_handle

#endif
