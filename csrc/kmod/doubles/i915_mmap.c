// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping buffers as drivers/gpu/drm/i915/gem/i915_gem_mman.c does: a fake
 * offset for each buffer and caching mode, the whole mapping filled by the
 * first fault, and the legacy ioctl that maps the shmem file itself.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <drm/drm_drv.h>
#include <uapi/drm/i915_drm.h>

#include "i915_double.h"

void i915_windows_init(struct i915_bo *bo)
{
	unsigned int view;

	for (view = 0; view < VIEW_COUNT; view++) {
		drm_vma_node_reset(&bo->windows[view].node);
		bo->windows[view].bo = bo;
	}
}

void i915_windows_fini(struct i915_bo *bo)
{
	unsigned int view;

	for (view = 0; view < VIEW_COUNT; view++)
		if (bo->windows[view].published)
			drm_vma_offset_remove(bo->gem.dev->vma_offset_manager,
					      &bo->windows[view].node);
}

/* The file has closed its handle: what it maps stays, and it can map no more. */
void i915_windows_revoke(struct i915_bo *bo, struct drm_file *file)
{
	unsigned int view;

	for (view = 0; view < VIEW_COUNT; view++)
		drm_vma_node_revoke(&bo->windows[view].node, file);
}

int i915_window_offset(struct i915_bo *bo, enum i915_view view, struct drm_file *file, u64 *offset)
{
	struct i915_window *window = &bo->windows[view];
	int ret = 0;

	mutex_lock(&bo->lock);
	if (!window->published) {
		ret = drm_vma_offset_add(bo->gem.dev->vma_offset_manager, &window->node,
					 bo->gem.size >> PAGE_SHIFT);
		window->published = !ret;
	}
	mutex_unlock(&bo->lock);
	if (!ret)
		ret = drm_vma_node_allow_once(&window->node, file);
	if (!ret)
		*offset = drm_vma_node_offset_addr(&window->node);
	return ret;
}

/* Every page of the buffer, brought in and kept until it is freed. */
static int get_pages(struct i915_bo *bo)
{
	struct page **pages;
	int ret = 0;

	mutex_lock(&bo->lock);
	if (!bo->pages) {
		pages = drm_gem_get_pages(&bo->gem);
		if (IS_ERR(pages))
			ret = PTR_ERR(pages);
		else
			bo->pages = pages;
	}
	mutex_unlock(&bo->lock);
	return ret;
}

struct cursor {
	struct mm_struct *mm;
	struct page **page;
	pgprot_t prot;
};

/*
 * Written straight into the page table, as i915 does: vmf_insert_pfn() would
 * give a page of RAM the caching mode of the kernel's own mapping of it.
 */
static int set_entry(pte_t *pte, unsigned long address, void *data)
{
	struct cursor *cursor = data;
	pte_t entry = pte_mkspecial(pfn_pte(page_to_pfn(*cursor->page++), cursor->prot));

	set_pte_at(cursor->mm, address, pte, entry);
	return 0;
}

static vm_fault_t i915_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct i915_window *window = vma->vm_private_data;
	struct cursor cursor = { .mm = vma->vm_mm, .prot = vma->vm_page_prot };
	int ret;

	ret = get_pages(window->bo);
	if (!ret) {
		/* Two threads may fault at once; both write the same entries. */
		cursor.page = window->bo->pages +
			      (vma->vm_pgoff - drm_vma_node_start(&window->node));
		ret = apply_to_page_range(vma->vm_mm, vma->vm_start, vma->vm_end - vma->vm_start,
					  set_entry, &cursor);
	}
	switch (ret) {
	case 0:
	case -EINTR:
	case -ERESTARTSYS:
		return VM_FAULT_NOPAGE;
	case -ENOMEM:
		return VM_FAULT_OOM;
	default:
		return VM_FAULT_SIGBUS;
	}
}

static void i915_vm_open(struct vm_area_struct *vma)
{
	struct i915_window *window = vma->vm_private_data;

	drm_gem_object_get(&window->bo->gem);
}

static void i915_vm_close(struct vm_area_struct *vma)
{
	struct i915_window *window = vma->vm_private_data;

	drm_gem_object_put(&window->bo->gem);
}

const struct vm_operations_struct i915_vm_ops = {
	.fault = i915_vm_fault,
	.open = i915_vm_open,
	.close = i915_vm_close,
};

static pgprot_t window_prot(const struct i915_window *window, unsigned long flags)
{
	pgprot_t prot = vm_get_page_prot(flags);

	switch (window - window->bo->windows) {
	case VIEW_WC:
		return pgprot_writecombine(prot);
	case VIEW_UC:
		return pgprot_noncached(prot);
	default:
		return prot;
	}
}

int i915_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *file = filp->private_data;
	struct drm_device *drm = file->minor->dev;
	struct i915_window *window = NULL;
	struct drm_vma_offset_node *node;

	if (drm_dev_is_unplugged(drm))
		return -ENODEV;
	rcu_read_lock();
	drm_vma_offset_lock_lookup(drm->vma_offset_manager);
	node = drm_vma_offset_exact_lookup_locked(drm->vma_offset_manager, vma->vm_pgoff,
						  vma_pages(vma));
	if (node && drm_vma_node_is_allowed(node, file)) {
		window = container_of(node, struct i915_window, node);
		/* A buffer that is being freed is gone already. */
		if (!kref_get_unless_zero(&window->bo->gem.refcount))
			window = NULL;
	}
	drm_vma_offset_unlock_lookup(drm->vma_offset_manager);
	rcu_read_unlock();
	if (!window)
		return node ? -EACCES : -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_IO);
	vma->vm_page_prot = window_prot(window, vma->vm_flags);
	vma->vm_private_data = window;
	vma->vm_ops = &i915_vm_ops;
	return 0;
}

/* The mapping of the shmem file itself at @address, turned write-combined. */
static int make_write_combined(struct file *filp, unsigned long address, u64 size)
{
	struct vm_area_struct *vma;
	int ret = 0;

	if (mmap_write_lock_killable(current->mm))
		return -EINTR;
	vma = find_vma(current->mm, address);
	if (vma && vma->vm_file == filp && vma->vm_start == address &&
	    vma->vm_end - vma->vm_start == PAGE_ALIGN(size))
		vma->vm_page_prot = pgprot_writecombine(vm_get_page_prot(vma->vm_flags));
	else
		ret = -ENOMEM;
	mmap_write_unlock(current->mm);
	return ret;
}

int i915_legacy_mmap_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_i915_gem_mmap *args = data;
	struct drm_gem_object *gem;
	unsigned long address;
	int ret = 0;

	if (args->flags & ~(u64)I915_MMAP_WC)
		return -EINVAL;
	gem = drm_gem_object_lookup(file, args->handle);
	if (!gem)
		return -ENOENT;
	if (args->size > gem->size || args->offset > gem->size - args->size) {
		ret = -EINVAL;
		goto put_gem;
	}
	address = vm_mmap(gem->filp, 0, args->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  args->offset);
	if (IS_ERR_VALUE(address)) {
		ret = (long)address;
		goto put_gem;
	}
	if (args->flags & I915_MMAP_WC)
		ret = make_write_combined(gem->filp, address, args->size);
	if (!ret)
		args->addr_ptr = address;
put_gem:
	drm_gem_object_put(gem);
	return ret;
}
