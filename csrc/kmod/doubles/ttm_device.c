// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device behind a test double: VRAM made of write-combined RAM, a GTT that
 * translates nothing, and the DRM device that shows them.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#ifdef CONFIG_X86
#include <asm/set_memory.h>
#endif
#include <drm/drm_managed.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_range_manager.h>

#include "ttm_double.h"

#define BLOCK_BYTES	SZ_4M
#define BLOCK_PAGES	(BLOCK_BYTES >> PAGE_SHIFT)
#define BLOCK_ORDER	get_order(BLOCK_BYTES)
#define STALE_BYTE	0xa5

/* Elsewhere than on x86 an alias with other caching is the mapping's own business. */
static int set_write_combined(struct page *block)
{
#ifdef CONFIG_X86
	return set_memory_wc((unsigned long)page_address(block), BLOCK_PAGES);
#else
	return 0;
#endif
}

static void set_write_back(struct page *block)
{
#ifdef CONFIG_X86
	set_memory_wb((unsigned long)page_address(block), BLOCK_PAGES);
#endif
}

static void free_vram(struct drm_device *drm, void *unused)
{
	struct double_device *dd = to_double(drm);

	vunmap(dd->vram);
	while (dd->blocks--) {
		struct page *block = dd->page[dd->blocks * BLOCK_PAGES];

		set_write_back(block);
		__free_pages(block, BLOCK_ORDER);
	}
	kvfree(dd->page);
}

static int add_block(struct double_device *dd)
{
	struct page *block = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_ZERO, BLOCK_ORDER);
	unsigned int i;
	int ret;

	if (!block)
		return -ENOMEM;
	ret = set_write_combined(block);
	if (ret) {
		__free_pages(block, BLOCK_ORDER);
		return ret;
	}
	for (i = 0; i < BLOCK_PAGES; i++)
		dd->page[dd->blocks * BLOCK_PAGES + i] = block + i;
	dd->blocks++;
	return 0;
}

static int make_vram(struct double_device *dd, u64 size)
{
	unsigned int blocks = DIV_ROUND_UP_ULL(size, BLOCK_BYTES);
	int ret;

	dd->page = kvcalloc(blocks * BLOCK_PAGES, sizeof(*dd->page), GFP_KERNEL);
	if (!dd->page)
		return -ENOMEM;
	/* From here on free_vram() cleans up, whatever there is. */
	ret = drmm_add_action_or_reset(&dd->drm, free_vram, NULL);
	if (ret)
		return ret;
	while (dd->blocks < blocks) {
		ret = add_block(dd);
		if (ret)
			return ret;
	}
	dd->vram = vmap(dd->page, blocks * BLOCK_PAGES, VM_MAP, pgprot_writecombine(PAGE_KERNEL));
	if (!dd->vram)
		return -ENOMEM;
	dd->vram_size = (u64)blocks * BLOCK_BYTES;
	if (double_does(dd, DOUBLE_FAULT_STALE_DATA))
		memset(dd->vram, STALE_BYTE, dd->vram_size);
	return 0;
}

static void fini_ttm(struct drm_device *drm, void *unused)
{
	struct double_device *dd = to_double(drm);

	/* Either does nothing where its manager was never made. */
	ttm_range_man_fini(&dd->ttm, TTM_PL_VRAM);
	ttm_range_man_fini(&dd->ttm, TTM_PL_TT);
	ttm_device_fini(&dd->ttm);
}

static int init_ttm(struct double_device *dd, struct device *parent)
{
	struct drm_device *drm = &dd->drm;
	int ret;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	ret = ttm_device_init(&dd->ttm, &double_ttm_funcs, parent, drm->anon_inode->i_mapping,
			      drm->vma_offset_manager, 0);
#else
	ret = ttm_device_init(&dd->ttm, &double_ttm_funcs, parent, drm->anon_inode->i_mapping,
			      drm->vma_offset_manager, false, false);
#endif
	if (ret)
		return ret;
	ret = drmm_add_action_or_reset(drm, fini_ttm, NULL);
	if (ret)
		return ret;
	ret = ttm_range_man_init(&dd->ttm, TTM_PL_TT, true, dd->gtt_size >> PAGE_SHIFT);
	if (ret)
		return ret;
	return ttm_range_man_init(&dd->ttm, TTM_PL_VRAM, false, dd->vram_size >> PAGE_SHIFT);
}

static void unplug(void *drm)
{
	drm_dev_unplug(drm);
}

/* Makes the DRM device of @driver on @pdev; all of it goes when @pdev does. */
int double_probe(struct platform_device *pdev, const struct drm_driver *driver,
		 const struct double_config *config)
{
	struct device *parent = &pdev->dev;
	struct double_device *dd;
	int ret;

	if (!config->vram_mib || !config->gtt_mib)
		return -EINVAL;
	dd = devm_drm_dev_alloc(parent, driver, struct double_device, drm);
	if (IS_ERR(dd))
		return PTR_ERR(dd);
	dd->config = config;
	dd->gtt_size = (u64)config->gtt_mib * SZ_1M;
	ret = make_vram(dd, (u64)config->vram_mib * SZ_1M);
	if (ret)
		return ret;
	dd->visible_size = dd->vram_size;
	if (config->visible_mib)
		dd->visible_size = min(dd->vram_size, (u64)config->visible_mib * SZ_1M);
	ret = init_ttm(dd, parent);
	if (ret)
		return ret;
	ret = drm_dev_register(&dd->drm, 0);
	if (ret)
		return ret;
	dev_info(parent, "test double of %s: VRAM %llu MiB (%llu visible), GTT %llu MiB\n",
		 driver->name, dd->vram_size / SZ_1M, dd->visible_size / SZ_1M,
		 dd->gtt_size / SZ_1M);
	return devm_add_action_or_reset(parent, unplug, &dd->drm);
}
EXPORT_SYMBOL_GPL(double_probe);

/* Bytes that are allocated from TTM_PL_VRAM or TTM_PL_TT. */
u64 double_usage(struct double_device *dd, int type)
{
	return ttm_resource_manager_usage(ttm_manager_type(&dd->ttm, type));
}
EXPORT_SYMBOL_GPL(double_usage);

MODULE_DESCRIPTION("Memory of DRM test doubles on the kernel's TTM");
MODULE_AUTHOR("The drmbench authors");
MODULE_LICENSE("GPL");
