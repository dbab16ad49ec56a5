// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test double of xe on a discrete card: its memory uAPI, on TTM and without
 * a GPU. Rules and errnos are those of drivers/gpu/drm/xe/xe_bo.c.
 */
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include "ttm_double.h"
#include "xe_uapi.h"

#define DEVICE_ID	0x56a0		/* an Arc A770 */
#define VA_BITS		48
#define VRAM_PAGE_BYTES	SZ_64K

/* Instances of the memory regions: what a placement is a mask of. */
#define IN_SYSTEM	BIT(0)
#define IN_VRAM		BIT(1)
#define REGION_COUNT	2

static struct double_config config = { .vram_mib = 64, .gtt_mib = 256 };
module_param_named(vram_mib, config.vram_mib, uint, 0444);
MODULE_PARM_DESC(vram_mib, "size of VRAM");
module_param_named(visible_mib, config.visible_mib, uint, 0444);
MODULE_PARM_DESC(visible_mib, "part of VRAM that the CPU can reach; 0: all");
module_param_named(gtt_mib, config.gtt_mib, uint, 0444);
MODULE_PARM_DESC(gtt_mib, "size of system memory for buffers");

static void fill_regions(struct double_device *dd, struct xe_query_regions *answer)
{
	answer->count = REGION_COUNT;
	answer->regions[0] = (struct xe_region) {
		.class = XE_REGION_SYSTEM,
		.instance = 0,
		.min_page_size = PAGE_SIZE,
		.total_size = dd->gtt_size,
		.used = double_usage(dd, TTM_PL_TT),
	};
	answer->regions[1] = (struct xe_region) {
		.class = XE_REGION_VRAM,
		.instance = 1,
		.min_page_size = VRAM_PAGE_BYTES,
		.total_size = dd->vram_size,
		.used = double_usage(dd, TTM_PL_VRAM),
		.visible_size = dd->visible_size,
		.visible_used = min(double_usage(dd, TTM_PL_VRAM), dd->visible_size),
	};
}

static void fill_config(struct xe_query_config *answer)
{
	answer->count = XE_CONFIG_COUNT;
	answer->values[XE_CONFIG_DEVICE_ID] = DEVICE_ID;
	answer->values[XE_CONFIG_FLAGS] = XE_CONFIG_HAS_VRAM;
	answer->values[XE_CONFIG_ALIGNMENT] = VRAM_PAGE_BYTES;
	answer->values[XE_CONFIG_VA_BITS] = VA_BITS;
}

/* With size 0 the answer is its length, as in xe. */
static int query_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct xe_query_regions *regions;
	struct xe_query_config *values;
	struct xe_device_query *query = data;
	size_t length;
	void *answer;
	int ret;

	if (query->extensions || query->reserved[0] || query->reserved[1])
		return -EINVAL;
	if (query->query == XE_QUERY_MEM_REGIONS)
		length = struct_size(regions, regions, REGION_COUNT);
	else if (query->query == XE_QUERY_CONFIG)
		length = struct_size(values, values, XE_CONFIG_COUNT);
	else
		return -EINVAL;
	if (!query->size) {
		query->size = length;
		return 0;
	}
	if (query->size != length)
		return -EINVAL;
	answer = kzalloc(length, GFP_KERNEL);
	if (!answer)
		return -ENOMEM;
	if (query->query == XE_QUERY_MEM_REGIONS)
		fill_regions(to_double(drm), answer);
	else
		fill_config(answer);
	ret = copy_to_user(u64_to_user_ptr(query->data), answer, length) ? -EFAULT : 0;
	kfree(answer);
	return ret;
}

static int check_create(const struct xe_gem_create *args)
{
	const u32 flags = XE_CREATE_DEFER_BACKING | XE_CREATE_SCANOUT |
			  XE_CREATE_NEEDS_VISIBLE_VRAM;
	u64 page = args->placement & IN_VRAM ? VRAM_PAGE_BYTES : PAGE_SIZE;

	if (args->extensions || args->pad[0] || args->pad[1] || args->pad[2] ||
	    args->reserved[0] || args->reserved[1])
		return -EINVAL;
	if (!args->placement || args->placement & ~(u32)(IN_SYSTEM | IN_VRAM))
		return -EINVAL;
	if (args->flags & ~flags || args->handle)
		return -EINVAL;
	if (args->flags & XE_CREATE_NEEDS_VISIBLE_VRAM && !(args->placement & IN_VRAM))
		return -EINVAL;
	if (!args->size || args->size & (page - 1))
		return -EINVAL;
	if (args->cpu_caching != XE_CACHING_WB && args->cpu_caching != XE_CACHING_WC)
		return -EINVAL;
	/* What may lie in VRAM is mapped write-combined wherever it lies. */
	if (args->placement & IN_VRAM && args->cpu_caching != XE_CACHING_WC)
		return -EINVAL;
	/* The double has no address spaces. */
	return args->vm_id ? -ENOENT : 0;
}

static int create_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct xe_gem_create *args = data;
	struct double_request request = {
		.size = args->size,
		.caching = args->cpu_caching == XE_CACHING_WC ? ttm_write_combined : ttm_cached,
		.cpu_required = args->flags & XE_CREATE_NEEDS_VISIBLE_VRAM,
	};
	int ret = check_create(args);

	if (ret)
		return ret;
	if (args->flags & XE_CREATE_DEFER_BACKING) {
		/* Pages come with the first touch. */
		request.domains = DOUBLE_SYSTEM;
	} else {
		if (args->placement & IN_VRAM) {
			request.domains |= DOUBLE_VRAM;
			request.alignment = VRAM_PAGE_BYTES;
		}
		if (args->placement & IN_SYSTEM)
			request.domains |= DOUBLE_GTT;
	}
	return double_create(file, drm, &request, &args->handle);
}

static int mmap_offset_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct xe_gem_mmap_offset *args = data;

	if (args->extensions || args->flags || args->reserved[0] || args->reserved[1])
		return -EINVAL;
	return double_map_offset(file, drm, args->handle, &args->offset);
}

static const struct drm_ioctl_desc xe_ioctls[] = {
	DRM_IOCTL_DEF_DRV(XE_DEVICE_QUERY, query_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(XE_GEM_CREATE, create_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(XE_GEM_MMAP_OFFSET, mmap_offset_ioctl, DRM_RENDER_ALLOW),
};

DEFINE_DRM_GEM_FOPS(xe_fops);

static const struct drm_driver xe_driver = {
	DOUBLE_DRIVER,
	DOUBLE_DATE("20201103")
	.fops = &xe_fops,
	.ioctls = xe_ioctls,
	.num_ioctls = ARRAY_SIZE(xe_ioctls),
	.name = "xe",
	.desc = "Intel Xe2 Graphics (test double)",
	.major = 1,
	.minor = 1,
};

static int xe_probe(struct platform_device *pdev)
{
	return double_probe(pdev, &xe_driver, &config);
}

static struct platform_driver xe_platform_driver = { .driver.name = "xe" };
static struct platform_device *xe_device;

static int __init xe_init(void)
{
	xe_device = platform_create_bundle(&xe_platform_driver, xe_probe, NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(xe_device);
}
module_init(xe_init);

static void __exit xe_exit(void)
{
	platform_device_unregister(xe_device);
	platform_driver_unregister(&xe_platform_driver);
}
module_exit(xe_exit);

MODULE_DESCRIPTION("Test double of xe's memory uAPI on the kernel's TTM");
MODULE_AUTHOR("The drmbench authors");
MODULE_LICENSE("GPL");
