// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a double does wrong when it is told to, so that tests of conformance
 * tests have something to find. The front's parameter `fault` takes a name, at
 * load time or while the device is in use:
 *
 *   none             nothing
 *   wrong_errno      the offset of an unknown handle: EINVAL, not ENOENT
 *   interior_offset  the offset of a page inside a buffer can be mapped
 *   foreign_file     an open file without a handle may map the buffer
 *   stale_data       a fresh buffer in VRAM shows what lay there before it
 *   neighbour_page   the second page of a mapping of VRAM is the first
 *   lost_data        a buffer in VRAM is cleared when it is mapped again
 *   leaked_handle    each new buffer gets a second handle that nobody hears of
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "ttm_double.h"

static const char * const names[] = {
	[DOUBLE_FAULT_NONE] = "none",
	[DOUBLE_FAULT_WRONG_ERRNO] = "wrong_errno",
	[DOUBLE_FAULT_INTERIOR_OFFSET] = "interior_offset",
	[DOUBLE_FAULT_FOREIGN_FILE] = "foreign_file",
	[DOUBLE_FAULT_STALE_DATA] = "stale_data",
	[DOUBLE_FAULT_NEIGHBOUR_PAGE] = "neighbour_page",
	[DOUBLE_FAULT_LOST_DATA] = "lost_data",
	[DOUBLE_FAULT_LEAKED_HANDLE] = "leaked_handle",
};

static int set_fault(const char *text, const struct kernel_param *param)
{
	int chosen = sysfs_match_string(names, text);

	if (chosen < 0) {
		pr_err("no fault is called that\n");
		return chosen;
	}
	WRITE_ONCE(*(unsigned int *)param->arg, chosen);
	if (chosen)
		pr_info("does wrong on purpose: %s\n", names[chosen]);
	return 0;
}

static int get_fault(char *buffer, const struct kernel_param *param)
{
	return scnprintf(buffer, PAGE_SIZE, "%s\n", names[READ_ONCE(*(unsigned int *)param->arg)]);
}

const struct kernel_param_ops double_fault_ops = {
	.set = set_fault,
	.get = get_fault,
};
EXPORT_SYMBOL_GPL(double_fault_ops);

/* The buffer that has all pages of the mapping in its range and is not being freed, or NULL. */
static struct drm_gem_object *find_around(struct drm_device *drm, struct vm_area_struct *vma)
{
	struct drm_gem_object *gem = NULL;
	struct drm_vma_offset_node *node;

	drm_vma_offset_lock_lookup(drm->vma_offset_manager);
	node = drm_vma_offset_lookup_locked(drm->vma_offset_manager, vma->vm_pgoff,
					    vma_pages(vma));
	if (node) {
		gem = container_of(node, struct drm_gem_object, vma_node);
		if (!kref_get_unless_zero(&gem->refcount))
			gem = NULL;
	}
	drm_vma_offset_unlock_lookup(drm->vma_offset_manager);
	return gem;
}

/* Whether the mistake of the moment lets the file map what drm_gem_mmap() would refuse. */
static bool lets_map(const struct double_device *dd, struct drm_gem_object *gem,
		     struct drm_file *file, unsigned long first_page)
{
	bool inside = first_page != drm_vma_node_start(&gem->vma_node);
	bool allowed = drm_vma_node_is_allowed(&gem->vma_node, file);

	return double_does(dd, DOUBLE_FAULT_INTERIOR_OFFSET) ? inside && allowed :
							       !inside && !allowed;
}

/* drm_gem_mmap() but for the mistakes. */
int double_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *file = filp->private_data;
	struct drm_device *drm = file->minor->dev;
	struct double_device *dd = to_double(drm);
	struct drm_gem_object *gem;
	int ret;

	if (drm_dev_is_unplugged(drm) || !(double_does(dd, DOUBLE_FAULT_INTERIOR_OFFSET) ||
					   double_does(dd, DOUBLE_FAULT_FOREIGN_FILE)))
		return drm_gem_mmap(filp, vma);
	gem = find_around(drm, vma);
	if (gem && lets_map(dd, gem, file, vma->vm_pgoff))
		ret = drm_gem_mmap_obj(gem, gem->size, vma);
	else
		ret = drm_gem_mmap(filp, vma);
	if (gem)
		drm_gem_object_put(gem);
	return ret;
}
EXPORT_SYMBOL_GPL(double_mmap);
