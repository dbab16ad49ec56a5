/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of xe's uAPI that the double answers, declared here because kernels
 * before 6.8 have no xe_drm.h. Numbers and layouts are ABI.
 */
#ifndef DRMBENCH_XE_UAPI_H
#define DRMBENCH_XE_UAPI_H

#include <linux/build_bug.h>
#include <linux/types.h>
#include <drm/drm.h>

#define DRM_XE_DEVICE_QUERY	0x00
#define DRM_XE_GEM_CREATE	0x01
#define DRM_XE_GEM_MMAP_OFFSET	0x02

#define XE_QUERY_MEM_REGIONS	1
#define XE_QUERY_CONFIG		2

#define XE_REGION_SYSTEM	0
#define XE_REGION_VRAM		1

#define XE_CREATE_DEFER_BACKING		BIT(0)
#define XE_CREATE_SCANOUT		BIT(1)
#define XE_CREATE_NEEDS_VISIBLE_VRAM	BIT(2)

#define XE_CACHING_WB	1
#define XE_CACHING_WC	2

#define XE_CONFIG_DEVICE_ID	0
#define XE_CONFIG_FLAGS		1
#define XE_CONFIG_ALIGNMENT	2
#define XE_CONFIG_VA_BITS	3
#define XE_CONFIG_COUNT		5	/* the fifth is the greatest queue priority */
#define XE_CONFIG_HAS_VRAM	BIT(0)

struct xe_device_query {
	__u64 extensions;
	__u32 query;
	__u32 size;
	__u64 data;
	__u64 reserved[2];
};

struct xe_region {
	__u16 class;
	__u16 instance;
	__u32 min_page_size;
	__u64 total_size;
	__u64 used;
	__u64 visible_size;
	__u64 visible_used;
	__u64 reserved[6];
};

struct xe_query_regions {
	__u32 count;
	__u32 pad;
	struct xe_region regions[];
};

struct xe_query_config {
	__u32 count;
	__u32 pad;
	__u64 values[];
};

struct xe_gem_create {
	__u64 extensions;
	__u64 size;
	__u32 placement;
	__u32 flags;
	__u32 vm_id;
	__u32 handle;
	__u16 cpu_caching;
	__u16 pad[3];
	__u64 reserved[2];
};

struct xe_gem_mmap_offset {
	__u64 extensions;
	__u32 handle;
	__u32 flags;
	__u64 offset;
	__u64 reserved[2];
};

static_assert(sizeof(struct xe_device_query) == 40);
static_assert(sizeof(struct xe_region) == 88);
static_assert(sizeof(struct xe_gem_create) == 56);
static_assert(sizeof(struct xe_gem_mmap_offset) == 40);

#define DRM_IOCTL_XE_DEVICE_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_XE_DEVICE_QUERY, struct xe_device_query)
#define DRM_IOCTL_XE_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_XE_GEM_CREATE, struct xe_gem_create)
#define DRM_IOCTL_XE_GEM_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_XE_GEM_MMAP_OFFSET, struct xe_gem_mmap_offset)

#endif
