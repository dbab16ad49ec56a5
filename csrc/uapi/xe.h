/* SPDX-License-Identifier: MIT */
/* xe (include/uapi/drm/xe_drm.h since 6.8). */
#define DRM_XE_DEVICE_QUERY_MEM_REGIONS 1
#define DRM_XE_MEM_REGION_CLASS_SYSMEM 0
#define DRM_XE_MEM_REGION_CLASS_VRAM 1
#define DRM_XE_GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM (1 << 2)
#define DRM_XE_GEM_CPU_CACHING_WB 1
#define DRM_XE_GEM_CPU_CACHING_WC 2
struct drm_xe_mem_region {
    uint16_t mem_class;
    uint16_t instance;
    uint32_t min_page_size;
    uint64_t total_size;
    uint64_t used;
    uint64_t cpu_visible_size;
    uint64_t cpu_visible_used;
    uint64_t reserved[6];
};
struct drm_xe_query_mem_regions {
    uint32_t num_mem_regions;
    uint32_t pad;
    struct drm_xe_mem_region mem_regions[];
};
struct drm_xe_device_query {
    uint64_t extensions;
    uint32_t query;
    uint32_t size;
    uint64_t data;
    uint64_t reserved[2];
};
struct drm_xe_gem_create {
    uint64_t extensions;
    uint64_t size;
    uint32_t placement;
    uint32_t flags;
    uint32_t vm_id;
    uint32_t handle;
    uint16_t cpu_caching;
    uint16_t pad[3];
    uint64_t reserved[2];
};
struct drm_xe_gem_mmap_offset {
    uint64_t extensions;
    uint32_t handle;
    uint32_t flags;
    uint64_t offset;
    uint64_t reserved[2];
};
#define DRM_IOCTL_XE_DEVICE_QUERY DRM_IOWR(DRM_COMMAND_BASE + 0x00, struct drm_xe_device_query)
#define DRM_IOCTL_XE_GEM_CREATE DRM_IOWR(DRM_COMMAND_BASE + 0x01, struct drm_xe_gem_create)
#define DRM_IOCTL_XE_GEM_MMAP_OFFSET DRM_IOWR(DRM_COMMAND_BASE + 0x02, struct drm_xe_gem_mmap_offset)
