/* SPDX-License-Identifier: GPL-2.0-only */
/* A test double of i915: buffers in shmem, a fake offset for each caching mode of a mapping. */
#ifndef DRMBENCH_I915_DOUBLE_H
#define DRMBENCH_I915_DOUBLE_H

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>

#include "compat.h"

enum i915_view {
	VIEW_WC,
	VIEW_WB,
	VIEW_UC,
	VIEW_COUNT,
};

struct i915_bo;

/* One way to map a buffer; its node has a place in the offset space while `published`. */
struct i915_window {
	struct drm_vma_offset_node node;
	struct i915_bo *bo;
	bool published;
};

struct i915_bo {
	struct drm_gem_object gem;
	struct mutex lock;		/* protects `pages` and `published` */
	struct page **pages;		/* once the first fault has come */
	struct i915_window windows[VIEW_COUNT];
};

static inline struct i915_bo *gem_to_bo(struct drm_gem_object *gem)
{
	return container_of(gem, struct i915_bo, gem);
}

/* i915_mmap.c */
extern const struct vm_operations_struct i915_vm_ops;
void i915_windows_init(struct i915_bo *bo);
void i915_windows_fini(struct i915_bo *bo);
void i915_windows_revoke(struct i915_bo *bo, struct drm_file *file);
int i915_window_offset(struct i915_bo *bo, enum i915_view view, struct drm_file *file, u64 *offset);
int i915_mmap(struct file *filp, struct vm_area_struct *vma);
int i915_legacy_mmap_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif
