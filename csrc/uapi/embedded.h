/* SPDX-License-Identifier: MIT */
/* v3d, panfrost, panthor, lima, msm and nouveau: one call makes a buffer, one tells its offset (include/uapi/drm). */
struct drm_v3d_create_bo {
    uint32_t size;
    uint32_t flags;
    uint32_t handle;
    uint32_t offset;
};
struct drm_v3d_mmap_bo {
    uint32_t handle;
    uint32_t flags;
    uint64_t offset;
};
#define DRM_IOCTL_V3D_CREATE_BO DRM_IOWR(DRM_COMMAND_BASE + 0x02, struct drm_v3d_create_bo)
#define DRM_IOCTL_V3D_MMAP_BO DRM_IOWR(DRM_COMMAND_BASE + 0x03, struct drm_v3d_mmap_bo)

struct drm_panfrost_create_bo {
    uint32_t size;
    uint32_t flags;
    uint32_t handle;
    uint32_t pad;
    uint64_t offset;
};
struct drm_panfrost_mmap_bo {
    uint32_t handle;
    uint32_t flags;
    uint64_t offset;
};
#define DRM_IOCTL_PANFROST_CREATE_BO DRM_IOWR(DRM_COMMAND_BASE + 0x02, struct drm_panfrost_create_bo)
#define DRM_IOCTL_PANFROST_MMAP_BO DRM_IOWR(DRM_COMMAND_BASE + 0x03, struct drm_panfrost_mmap_bo)

#define DRM_PANTHOR_BO_WB_MMAP (1 << 1)
struct drm_panthor_bo_create {
    uint64_t size;
    uint32_t flags;
    uint32_t exclusive_vm_id;
    uint32_t handle;
    uint32_t pad;
};
struct drm_panthor_bo_mmap_offset {
    uint32_t handle;
    uint32_t pad;
    uint64_t offset;
};
#define DRM_IOCTL_PANTHOR_BO_CREATE DRM_IOWR(DRM_COMMAND_BASE + 0x05, struct drm_panthor_bo_create)
#define DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET DRM_IOWR(DRM_COMMAND_BASE + 0x06, struct drm_panthor_bo_mmap_offset)

struct drm_lima_gem_create {
    uint32_t size;
    uint32_t flags;
    uint32_t handle;
    uint32_t pad;
};
struct drm_lima_gem_info {
    uint32_t handle;
    uint32_t va;
    uint64_t offset;
};
#define DRM_IOCTL_LIMA_GEM_CREATE DRM_IOWR(DRM_COMMAND_BASE + 0x01, struct drm_lima_gem_create)
#define DRM_IOCTL_LIMA_GEM_INFO DRM_IOWR(DRM_COMMAND_BASE + 0x02, struct drm_lima_gem_info)

#define MSM_BO_CACHED 0x00010000
#define MSM_BO_WC 0x00020000
struct drm_msm_gem_new {
    uint64_t size;
    uint32_t flags;
    uint32_t handle;
};
struct drm_msm_gem_info {
    uint32_t handle;
    uint32_t info;
    uint64_t value;
    uint32_t len;
    uint32_t pad;
};
#define DRM_IOCTL_MSM_GEM_NEW DRM_IOWR(DRM_COMMAND_BASE + 0x02, struct drm_msm_gem_new)
#define DRM_IOCTL_MSM_GEM_INFO DRM_IOWR(DRM_COMMAND_BASE + 0x03, struct drm_msm_gem_info)

#define NOUVEAU_GEM_DOMAIN_VRAM (1 << 1)
#define NOUVEAU_GEM_DOMAIN_GART (1 << 2)
#define NOUVEAU_GEM_DOMAIN_MAPPABLE (1 << 3)
struct drm_nouveau_gem_info {
    uint32_t handle;
    uint32_t domain;
    uint64_t size;
    uint64_t offset;
    uint64_t map_handle;
    uint32_t tile_mode;
    uint32_t tile_flags;
};
struct drm_nouveau_gem_new {
    struct drm_nouveau_gem_info info;
    uint32_t channel_hint;
    uint32_t align;
};
#define DRM_IOCTL_NOUVEAU_GEM_NEW DRM_IOWR(DRM_COMMAND_BASE + 0x40, struct drm_nouveau_gem_new)
#define DRM_IOCTL_NOUVEAU_GEM_INFO DRM_IOWR(DRM_COMMAND_BASE + 0x44, struct drm_nouveau_gem_info)
