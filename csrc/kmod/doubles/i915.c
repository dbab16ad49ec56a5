// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test double of i915 on an integrated GPU without mappable aperture: its
 * memory uAPI on shmem, no GPU. Rules and errnos are those of
 * drivers/gpu/drm/i915/gem/.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <drm/drm_drv.h>
#include <drm/drm_ioctl.h>
#include <uapi/drm/i915_drm.h>

#include "i915_double.h"

#define CHIPSET_ID	0x9a49		/* a Tiger Lake */

struct i915_device {
	struct drm_device drm;
};

static void i915_gem_free(struct drm_gem_object *gem)
{
	struct i915_bo *bo = gem_to_bo(gem);

	i915_windows_fini(bo);
	if (bo->pages)
		drm_gem_put_pages(gem, bo->pages, true, true);
	drm_gem_object_release(gem);
	mutex_destroy(&bo->lock);
	kfree(bo);
}

static void i915_gem_close(struct drm_gem_object *gem, struct drm_file *file)
{
	i915_windows_revoke(gem_to_bo(gem), file);
}

/* No PRIME, on any kernel: the core's own came in 6.6, and cannot map these objects. */
static struct dma_buf *i915_gem_export(struct drm_gem_object *gem, int flags)
{
	return ERR_PTR(-ENOSYS);
}

static const struct drm_gem_object_funcs i915_gem_funcs = {
	.free = i915_gem_free,
	.close = i915_gem_close,
	.export = i915_gem_export,
};

static int create_bo(struct drm_device *drm, struct drm_file *file, u64 *size, u32 *handle)
{
	u64 rounded = PAGE_ALIGN(*size);
	struct i915_bo *bo;
	int ret;

	if (!*size || rounded < *size)
		return -EINVAL;
	if (rounded >> PAGE_SHIFT > INT_MAX)
		return -E2BIG;
	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return -ENOMEM;
	ret = drm_gem_object_init(drm, &bo->gem, rounded);
	if (ret) {
		kfree(bo);
		return ret;
	}
	bo->gem.funcs = &i915_gem_funcs;
	mutex_init(&bo->lock);
	i915_windows_init(bo);
	ret = drm_gem_handle_create(file, &bo->gem, handle);
	drm_gem_object_put(&bo->gem);
	*size = rounded;
	return ret;
}

static int create_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_i915_gem_create *args = data;

	return create_bo(drm, file, &args->size, &args->handle);
}

#ifdef DRM_IOCTL_I915_GEM_CREATE_EXT	/* 5.14 */
/* Extensions choose memory regions and protection, of which the double has neither. */
static int create_ext_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_i915_gem_create_ext *args = data;

	if (args->flags || args->extensions)
		return -EINVAL;
	return create_bo(drm, file, &args->size, &args->handle);
}
#endif

static int mmap_offset_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_i915_gem_mmap_offset *args = data;
	struct drm_gem_object *gem;
	enum i915_view view;
	int ret;

	if (args->extensions)
		return -EINVAL;
	switch (args->flags) {
	case I915_MMAP_OFFSET_WC:
		view = VIEW_WC;
		break;
	case I915_MMAP_OFFSET_WB:
		view = VIEW_WB;
		break;
	case I915_MMAP_OFFSET_UC:
		view = VIEW_UC;
		break;
	case I915_MMAP_OFFSET_GTT:	/* no aperture */
		return -ENODEV;
#ifdef I915_MMAP_OFFSET_FIXED		/* 5.15, for discrete cards only */
	case I915_MMAP_OFFSET_FIXED:
		view = VIEW_COUNT;
		break;
#endif
	default:
		return -EINVAL;
	}
	gem = drm_gem_object_lookup(file, args->handle);
	if (!gem)
		return -ENOENT;
	ret = view == VIEW_COUNT ? -ENODEV :
	      i915_window_offset(gem_to_bo(gem), view, file, &args->offset);
	drm_gem_object_put(gem);
	return ret;
}

static int getparam_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	const struct drm_i915_getparam *args = data;
	int value;

	switch (args->param) {
	case I915_PARAM_CHIPSET_ID:
		value = CHIPSET_ID;
		break;
	case I915_PARAM_MMAP_GTT_VERSION:	/* 4: GEM_MMAP_OFFSET is there */
		value = 4;
		break;
	case I915_PARAM_HAS_LLC:
	case I915_PARAM_HAS_GEM:
	case I915_PARAM_MMAP_VERSION:		/* 1: GEM_MMAP knows write-combined */
		value = 1;
		break;
	case I915_PARAM_REVISION:
	case I915_PARAM_NUM_FENCES_AVAIL:
	case I915_PARAM_MMAP_GTT_COHERENT:
		value = 0;
		break;
	default:
		return -EINVAL;
	}
	return put_user(value, args->value);
}

static const struct drm_ioctl_desc i915_ioctls[] = {
	DRM_IOCTL_DEF_DRV(I915_GETPARAM, getparam_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(I915_GEM_CREATE, create_ioctl, DRM_RENDER_ALLOW),
#ifdef DRM_IOCTL_I915_GEM_CREATE_EXT
	DRM_IOCTL_DEF_DRV(I915_GEM_CREATE_EXT, create_ext_ioctl, DRM_RENDER_ALLOW),
#endif
	DRM_IOCTL_DEF_DRV(I915_GEM_MMAP, i915_legacy_mmap_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(I915_GEM_MMAP_OFFSET, mmap_offset_ioctl, DRM_RENDER_ALLOW),
};

static const struct file_operations i915_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = i915_mmap,
	DOUBLE_FOP_FLAGS
};

static const struct drm_driver i915_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	DOUBLE_DATE("20201103")
	.fops = &i915_fops,
	.ioctls = i915_ioctls,
	.num_ioctls = ARRAY_SIZE(i915_ioctls),
	.name = "i915",
	.desc = "Intel Graphics (test double)",
	.major = 1,
	.minor = 6,
};

static void unplug(void *drm)
{
	drm_dev_unplug(drm);
}

static int i915_probe(struct platform_device *pdev)
{
	struct i915_device *device;
	int ret;

	device = devm_drm_dev_alloc(&pdev->dev, &i915_driver, struct i915_device, drm);
	if (IS_ERR(device))
		return PTR_ERR(device);
	ret = drm_dev_register(&device->drm, 0);
	if (ret)
		return ret;
	return devm_add_action_or_reset(&pdev->dev, unplug, &device->drm);
}

static struct platform_driver i915_platform_driver = { .driver.name = "i915" };
static struct platform_device *i915_pdev;

static int __init i915_init(void)
{
	i915_pdev = platform_create_bundle(&i915_platform_driver, i915_probe, NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(i915_pdev);
}
module_init(i915_init);

static void __exit i915_exit(void)
{
	platform_device_unregister(i915_pdev);
	platform_driver_unregister(&i915_platform_driver);
}
module_exit(i915_exit);

MODULE_DESCRIPTION("Test double of i915's memory uAPI on shmem");
MODULE_AUTHOR("The drmbench authors");
MODULE_LICENSE("GPL");
