// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of a test double. Allocation, caching, eviction, faults with their
 * prefault window and VMA flags are the kernel's own TTM; here is only what a
 * driver tells TTM.
 */
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_mode.h>

#include "ttm_double.h"

struct double_bo {
	struct ttm_buffer_object ttm;
	struct ttm_place places[3];
	struct ttm_placement placement;
	enum ttm_caching caching;
	bool cpu_forbidden;
	bool was_mapped;
};

static struct double_bo *to_bo(struct ttm_buffer_object *ttm)
{
	return container_of(ttm, struct double_bo, ttm);
}

static struct double_bo *gem_to_bo(struct drm_gem_object *gem)
{
	return container_of(gem, struct double_bo, ttm.base);
}

static struct double_device *ttm_to_double(struct ttm_device *ttm)
{
	return container_of(ttm, struct double_device, ttm);
}

static u64 resource_start(const struct ttm_resource *resource)
{
	return (u64)resource->start << PAGE_SHIFT;
}

static u64 resource_bytes(const struct ttm_resource *resource)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	return resource->size;
#else
	return (u64)resource->num_pages << PAGE_SHIFT;
#endif
}

static void set_placement(struct ttm_placement *placement, const struct ttm_place *places,
			  unsigned int count)
{
	placement->placement = places;
	placement->num_placement = count;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	placement->busy_placement = places;
	placement->num_busy_placement = count;
#endif
}

static void choose_places(struct double_bo *bo, u32 domains, u64 visible_size)
{
	unsigned int count = 0;

	memset(bo->places, 0, sizeof(bo->places));
	if (domains & DOUBLE_VRAM) {
		bo->places[count].mem_type = TTM_PL_VRAM;
		if (visible_size)
			bo->places[count].lpfn = visible_size >> PAGE_SHIFT;
		else
			bo->places[count].flags = TTM_PL_FLAG_TOPDOWN;
		count++;
	}
	if (domains & DOUBLE_GTT)
		bo->places[count++].mem_type = TTM_PL_TT;
	if (domains & DOUBLE_SYSTEM)
		bo->places[count++].mem_type = TTM_PL_SYSTEM;
	set_placement(&bo->placement, bo->places, count);
}

/* What TTM asks of a driver. */

static struct ttm_tt *double_tt_create(struct ttm_buffer_object *ttm, u32 flags)
{
	struct ttm_tt *tt = kzalloc(sizeof(*tt), GFP_KERNEL);

	if (tt && ttm_tt_init(tt, ttm, flags, to_bo(ttm)->caching, 0)) {
		kfree(tt);
		return NULL;
	}
	return tt;
}

static void double_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(tt);
}

static void double_evict_flags(struct ttm_buffer_object *ttm, struct ttm_placement *placement)
{
	static const struct ttm_place system = { .mem_type = TTM_PL_SYSTEM };

	set_placement(placement, &system, 1);
}

static bool moves_without_copy(const struct ttm_buffer_object *ttm, const struct ttm_resource *to)
{
	const struct ttm_resource *from = ttm->resource;

	if (!from || (from->mem_type == TTM_PL_SYSTEM && !ttm->ttm))
		return true;
	return from->mem_type != TTM_PL_VRAM && to->mem_type != TTM_PL_VRAM;
}

static int double_move(struct ttm_buffer_object *ttm, bool evict, struct ttm_operation_ctx *ctx,
		       struct ttm_resource *to, struct ttm_place *hop)
{
	if (moves_without_copy(ttm, to)) {
		ttm_bo_move_null(ttm, to);
		return 0;
	}
	return ttm_bo_move_memcpy(ttm, ctx, to);
}

/*
 * All of VRAM can be reserved, as buffers move by memcpy(); what the CPU of a
 * process may reach is the business of the fault handler.
 */
static int double_io_mem_reserve(struct ttm_device *ttm, struct ttm_resource *resource)
{
	if (resource->mem_type != TTM_PL_VRAM)
		return 0;
	resource->bus.addr = ttm_to_double(ttm)->vram + resource_start(resource);
	resource->bus.is_iomem = true;
	resource->bus.caching = ttm_write_combined;
	return 0;
}

static unsigned long double_io_mem_pfn(struct ttm_buffer_object *ttm, unsigned long page)
{
	struct double_device *dd = ttm_to_double(ttm->bdev);

	if (page == 1 && double_does(dd, DOUBLE_FAULT_NEIGHBOUR_PAGE))
		page = 0;
	return page_to_pfn(dd->page[ttm->resource->start + page]);
}

struct ttm_device_funcs double_ttm_funcs = {
	.ttm_tt_create = double_tt_create,
	.ttm_tt_destroy = double_tt_destroy,
	.eviction_valuable = ttm_bo_eviction_valuable,
	.evict_flags = double_evict_flags,
	.move = double_move,
	.io_mem_reserve = double_io_mem_reserve,
	.io_mem_pfn = double_io_mem_pfn,
};

/* Faults. */

/* Brings a buffer in VRAM that the CPU cannot reach to where it can, as amdgpu does. */
static vm_fault_t make_visible(struct ttm_buffer_object *ttm)
{
	struct double_device *dd = ttm_to_double(ttm->bdev);
	struct ttm_operation_ctx ctx = { .interruptible = false };
	struct double_bo *bo = to_bo(ttm);
	int ret;

	if (ttm->resource->mem_type != TTM_PL_VRAM ||
	    resource_start(ttm->resource) + resource_bytes(ttm->resource) <= dd->visible_size)
		return 0;
	choose_places(bo, DOUBLE_VRAM | DOUBLE_GTT, dd->visible_size);
	ret = ttm_bo_validate(ttm, &bo->placement, &ctx);
	if (ret == -EBUSY || ret == -ERESTARTSYS)
		return VM_FAULT_NOPAGE;
	return ret ? VM_FAULT_SIGBUS : 0;
}

static vm_fault_t double_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ttm_buffer_object *ttm = vma->vm_private_data;
	unsigned int prefault = READ_ONCE(ttm_to_double(ttm->bdev)->config->prefault_pages);
	vm_fault_t ret = ttm_bo_vm_reserve(ttm, vmf);
	int unplug;

	if (ret)
		return ret;
	if (drm_dev_enter(ttm->base.dev, &unplug)) {
		ret = make_visible(ttm);
		if (!ret)
			ret = ttm_bo_vm_fault_reserved(vmf, vma->vm_page_prot,
						       prefault ?: TTM_BO_VM_NUM_PREFAULT);
		drm_dev_exit(unplug);
	} else {
		ret = ttm_bo_vm_dummy_page(vmf, vma->vm_page_prot);
	}
	/* TTM has dropped the lock where it waited for the buffer. */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;
	dma_resv_unlock(ttm->base.resv);
	return ret;
}

static const struct vm_operations_struct double_vm_ops = {
	.fault = double_vm_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
	.access = ttm_bo_vm_access,
};

/* Objects. */

static void double_bo_destroy(struct ttm_buffer_object *ttm)
{
	drm_gem_object_release(&ttm->base);
	kfree(to_bo(ttm));
}

static void double_gem_free(struct drm_gem_object *gem)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	ttm_bo_fini(&gem_to_bo(gem)->ttm);
#else
	ttm_bo_put(&gem_to_bo(gem)->ttm);
#endif
}

static void clear_vram(struct double_device *dd, const struct ttm_resource *resource)
{
	if (resource->mem_type == TTM_PL_VRAM)
		memset(dd->vram + resource_start(resource), 0, resource_bytes(resource));
}

static int lose_data(struct double_device *dd, struct ttm_buffer_object *ttm)
{
	int ret = dma_resv_lock_interruptible(ttm->base.resv, NULL);

	if (ret)
		return ret;
	clear_vram(dd, ttm->resource);
	dma_resv_unlock(ttm->base.resv);
	return 0;
}

static int double_gem_mmap(struct drm_gem_object *gem, struct vm_area_struct *vma)
{
	struct double_bo *bo = gem_to_bo(gem);
	struct double_device *dd = to_double(gem->dev);
	int ret = 0;

	if (bo->cpu_forbidden)
		return -EPERM;
	if (bo->was_mapped && double_does(dd, DOUBLE_FAULT_LOST_DATA))
		ret = lose_data(dd, &bo->ttm);
	bo->was_mapped = true;
	return ret ?: drm_gem_ttm_mmap(gem, vma);
}

static const struct drm_gem_object_funcs double_gem_funcs = {
	.free = double_gem_free,
	.mmap = double_gem_mmap,
	.print_info = drm_gem_ttm_print_info,
	.vm_ops = &double_vm_ops,
};

int double_create(struct drm_file *file, struct drm_device *drm,
		  const struct double_request *request, u32 *handle)
{
	struct double_device *dd = to_double(drm);
	u64 size = PAGE_ALIGN(request->size);
	struct double_bo *bo;
	u32 leaked;
	int ret;

	if (!size || size < request->size)
		return -EINVAL;
	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return -ENOMEM;
	drm_gem_private_object_init(drm, &bo->ttm.base, size);
	bo->ttm.base.funcs = &double_gem_funcs;
	bo->caching = request->caching;
	bo->cpu_forbidden = request->cpu_forbidden;
	choose_places(bo, request->domains, request->cpu_required ? dd->visible_size : 0);
	/* Frees the object where it fails. */
	ret = ttm_bo_init_validate(&dd->ttm, &bo->ttm, ttm_bo_type_device, &bo->placement,
				   PAGE_ALIGN(request->alignment) >> PAGE_SHIFT, true, NULL, NULL,
				   double_bo_destroy);
	if (ret)
		return ret;
	if (!double_does(dd, DOUBLE_FAULT_STALE_DATA))
		clear_vram(dd, bo->ttm.resource);
	ret = drm_gem_handle_create(file, &bo->ttm.base, handle);
	if (!ret && double_does(dd, DOUBLE_FAULT_LEAKED_HANDLE))
		drm_gem_handle_create(file, &bo->ttm.base, &leaked);
	drm_gem_object_put(&bo->ttm.base);
	return ret;
}
EXPORT_SYMBOL_GPL(double_create);

int double_map_offset(struct drm_file *file, struct drm_device *drm, u32 handle, u64 *offset)
{
	struct drm_gem_object *gem = drm_gem_object_lookup(file, handle);
	int ret = 0;

	if (!gem)
		return double_does(to_double(drm), DOUBLE_FAULT_WRONG_ERRNO) ? -EINVAL : -ENOENT;
	if (gem_to_bo(gem)->cpu_forbidden)
		ret = -EPERM;
	else
		*offset = drm_vma_node_offset_addr(&gem->vma_node);
	drm_gem_object_put(gem);
	return ret;
}
EXPORT_SYMBOL_GPL(double_map_offset);

int double_dumb_create(struct drm_file *file, struct drm_device *drm,
		       struct drm_mode_create_dumb *args)
{
	struct double_request request = {
		.domains = DOUBLE_VRAM | DOUBLE_GTT,
		.caching = ttm_write_combined,
		.cpu_required = true,
	};

	args->pitch = ALIGN(args->width * DIV_ROUND_UP(args->bpp, 8), 256);
	args->size = PAGE_ALIGN((u64)args->pitch * args->height);
	request.size = args->size;
	return double_create(file, drm, &request, &args->handle);
}
EXPORT_SYMBOL_GPL(double_dumb_create);
