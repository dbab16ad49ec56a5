// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test double of amdgpu: its memory uAPI, on TTM and without a GPU.
 *
 * libdrm_amdgpu initialises on it, allocates and maps. Domains, flags and
 * errnos are those of drivers/gpu/drm/amd/amdgpu/amdgpu_gem.c.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <drm/amdgpu_drm.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include "ttm_double.h"

#define ON_CHIP_DOMAINS	(AMDGPU_GEM_DOMAIN_GDS |	\
			 AMDGPU_GEM_DOMAIN_GWS |	\
			 AMDGPU_GEM_DOMAIN_OA)
#define KNOWN_FLAGS	((u64)(AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED |	\
			       AMDGPU_GEM_CREATE_NO_CPU_ACCESS |	\
			       AMDGPU_GEM_CREATE_CPU_GTT_USWC |		\
			       AMDGPU_GEM_CREATE_VRAM_CLEARED |		\
			       AMDGPU_GEM_CREATE_VM_ALWAYS_VALID |	\
			       AMDGPU_GEM_CREATE_EXPLICIT_SYNC |	\
			       AMDGPU_GEM_CREATE_DISCARDABLE))

/* A Navi 10, as far as libdrm and Mesa ask. */
#define DEVICE_ID	0x731f
#define VA_START	0x200000ULL
#define VA_END		0x800000000000ULL
#define FRAGMENT_BYTES	0x200000

static struct double_config config = { .vram_mib = 64, .gtt_mib = 256 };
module_param_named(vram_mib, config.vram_mib, uint, 0444);
MODULE_PARM_DESC(vram_mib, "size of VRAM");
module_param_named(visible_mib, config.visible_mib, uint, 0444);
MODULE_PARM_DESC(visible_mib, "part of VRAM that the CPU can reach; 0: all");
module_param_named(gtt_mib, config.gtt_mib, uint, 0444);
MODULE_PARM_DESC(gtt_mib, "size of the GTT");
module_param_named(prefault_pages, config.prefault_pages, uint, 0644);
MODULE_PARM_DESC(prefault_pages, "pages that a fault maps; 0: as many as TTM does");

module_param_cb(fault, &double_fault_ops, &config.fault, 0644);
MODULE_PARM_DESC(fault, "what to do wrong: none, or a name that ttm_wrong.c explains");

static int create_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	union drm_amdgpu_gem_create *args = data;
	u64 flags = args->in.domain_flags, domains = args->in.domains;
	struct double_request request = {
		.size = args->in.bo_size,
		.alignment = args->in.alignment,
		.caching = flags & AMDGPU_GEM_CREATE_CPU_GTT_USWC ? ttm_write_combined : ttm_cached,
		.cpu_required = flags & AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED,
		.cpu_forbidden = flags & AMDGPU_GEM_CREATE_NO_CPU_ACCESS,
	};
	u32 handle;
	int ret;

	if (flags & ~KNOWN_FLAGS || domains & ~(u64)AMDGPU_GEM_DOMAIN_MASK)
		return -EINVAL;
	if (domains & ON_CHIP_DOMAINS) {
		/* There is no such memory; the object exists, and nobody may map it. */
		if (domains & ~(u64)ON_CHIP_DOMAINS || flags & AMDGPU_GEM_CREATE_VM_ALWAYS_VALID)
			return -EINVAL;
		request.cpu_forbidden = true;
		request.domains = DOUBLE_SYSTEM;
	}
	if (domains & AMDGPU_GEM_DOMAIN_VRAM)
		request.domains |= DOUBLE_VRAM;
	if (domains & AMDGPU_GEM_DOMAIN_GTT)
		request.domains |= DOUBLE_GTT;
	if (domains & AMDGPU_GEM_DOMAIN_CPU)
		request.domains |= DOUBLE_SYSTEM;
	if (!request.domains)
		return -EINVAL;

	ret = double_create(file, drm, &request, &handle);
	if (ret && ret != -ERESTARTSYS && request.cpu_required) {
		request.cpu_required = false;
		ret = double_create(file, drm, &request, &handle);
	}
	if (ret && ret != -ERESTARTSYS && request.domains == DOUBLE_VRAM) {
		request.domains |= DOUBLE_GTT;
		ret = double_create(file, drm, &request, &handle);
	}
	if (ret)
		return ret;
	memset(args, 0, sizeof(*args));
	args->out.handle = handle;
	return 0;
}

static int mmap_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	union drm_amdgpu_gem_mmap *args = data;
	u32 handle = args->in.handle;

	memset(args, 0, sizeof(*args));
	return double_map_offset(file, drm, handle, &args->out.addr_ptr);
}

/* Nothing is ever busy. */
static int wait_idle_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	union drm_amdgpu_gem_wait_idle *args = data;
	struct drm_gem_object *gem = drm_gem_object_lookup(file, args->in.handle);

	if (!gem)
		return -ENOENT;
	drm_gem_object_put(gem);
	memset(args, 0, sizeof(*args));
	return 0;
}

union answer {
	u32 word;
	u64 bytes;
	struct drm_amdgpu_info_vram_gtt sizes;
	struct drm_amdgpu_memory_info memory;
	struct drm_amdgpu_info_device device;
	u32 registers[64];
};

static void fill_heap(struct drm_amdgpu_heap_info *heap, u64 size, u64 used)
{
	heap->total_heap_size = size;
	heap->usable_heap_size = size;
	heap->heap_usage = used;
	heap->max_allocation = size / 4 * 3;
}

static void fill_device(struct drm_amdgpu_info_device *device)
{
	device->device_id = DEVICE_ID;
	device->family = AMDGPU_FAMILY_NV;
	device->num_shader_engines = 1;
	device->num_shader_arrays_per_engine = 1;
	device->virtual_address_offset = VA_START;
	device->virtual_address_max = VA_END;
	device->virtual_address_alignment = PAGE_SIZE;
	device->pte_fragment_size = FRAGMENT_BYTES;
	device->gart_page_size = PAGE_SIZE;
	device->vram_type = AMDGPU_VRAM_TYPE_GDDR6;
}

/* Returns the answer's length, or -EINVAL for a query that the double does not know. */
static int fill_answer(struct double_device *dd, const struct drm_amdgpu_info *info,
		       union answer *answer)
{
	u64 vram_used = double_usage(dd, TTM_PL_VRAM), gtt_used = double_usage(dd, TTM_PL_TT);

	switch (info->query) {
	case AMDGPU_INFO_ACCEL_WORKING:
		answer->word = 1;
		return sizeof(answer->word);
	case AMDGPU_INFO_VRAM_USAGE:
	case AMDGPU_INFO_VIS_VRAM_USAGE:
		answer->bytes = vram_used;
		return sizeof(answer->bytes);
	case AMDGPU_INFO_GTT_USAGE:
		answer->bytes = gtt_used;
		return sizeof(answer->bytes);
	case AMDGPU_INFO_VRAM_GTT:
		answer->sizes.vram_size = dd->vram_size;
		answer->sizes.vram_cpu_accessible_size = dd->visible_size;
		answer->sizes.gtt_size = dd->gtt_size;
		return sizeof(answer->sizes);
	case AMDGPU_INFO_MEMORY:
		fill_heap(&answer->memory.vram, dd->vram_size, vram_used);
		fill_heap(&answer->memory.cpu_accessible_vram, dd->visible_size,
			  min(vram_used, dd->visible_size));
		fill_heap(&answer->memory.gtt, dd->gtt_size, gtt_used);
		return sizeof(answer->memory);
	case AMDGPU_INFO_DEV_INFO:
		fill_device(&answer->device);
		return sizeof(answer->device);
	case AMDGPU_INFO_READ_MMR_REG:	/* all registers are 0 */
		return min_t(u64, info->read_mmr_reg.count * 4ULL, sizeof(answer->registers));
	default:
		return -EINVAL;
	}
}

static int info_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	const struct drm_amdgpu_info *info = data;
	union answer *answer;
	int ret;

	if (!info->return_size || !info->return_pointer)
		return -EINVAL;
	answer = kzalloc(sizeof(*answer), GFP_KERNEL);
	if (!answer)
		return -ENOMEM;
	ret = fill_answer(to_double(drm), info, answer);
	if (ret >= 0 && copy_to_user(u64_to_user_ptr(info->return_pointer), answer,
				     min_t(u32, ret, info->return_size)))
		ret = -EFAULT;
	kfree(answer);
	return min(ret, 0);
}

static const struct drm_ioctl_desc amdgpu_ioctls[] = {
	DRM_IOCTL_DEF_DRV(AMDGPU_GEM_CREATE, create_ioctl, DRM_AUTH | DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(AMDGPU_GEM_MMAP, mmap_ioctl, DRM_AUTH | DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(AMDGPU_GEM_WAIT_IDLE, wait_idle_ioctl, DRM_AUTH | DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(AMDGPU_INFO, info_ioctl, DRM_AUTH | DRM_RENDER_ALLOW),
};

static const struct file_operations amdgpu_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = double_mmap,
	DOUBLE_FOP_FLAGS
};

static const struct drm_driver amdgpu_driver = {
	DOUBLE_DRIVER,
	DOUBLE_DATE("20150101")
	.fops = &amdgpu_fops,
	.ioctls = amdgpu_ioctls,
	.num_ioctls = ARRAY_SIZE(amdgpu_ioctls),
	.name = "amdgpu",
	.desc = "AMD GPU (test double)",
	.major = 3,
	.minor = 49,
};

static int amdgpu_probe(struct platform_device *pdev)
{
	return double_probe(pdev, &amdgpu_driver, &config);
}

static struct platform_driver amdgpu_platform_driver = { .driver.name = "amdgpu" };
static struct platform_device *amdgpu_device;

static int __init amdgpu_init(void)
{
	amdgpu_device = platform_create_bundle(&amdgpu_platform_driver, amdgpu_probe, NULL, 0,
					       NULL, 0);
	return PTR_ERR_OR_ZERO(amdgpu_device);
}
module_init(amdgpu_init);

static void __exit amdgpu_exit(void)
{
	platform_device_unregister(amdgpu_device);
	platform_driver_unregister(&amdgpu_platform_driver);
}
module_exit(amdgpu_exit);

MODULE_DESCRIPTION("Test double of amdgpu's memory uAPI on the kernel's TTM");
MODULE_AUTHOR("The drmbench authors");
MODULE_LICENSE("GPL");
