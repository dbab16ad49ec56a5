/* SPDX-License-Identifier: MIT */
/* virtio-gpu blob resources (include/uapi/drm/virtgpu_drm.h since 5.11). */
#ifndef VIRTGPU_BLOB_MEM_GUEST
#define VIRTGPU_BLOB_MEM_GUEST 1
#define VIRTGPU_BLOB_FLAG_USE_MAPPABLE 1
struct drm_virtgpu_resource_create_blob {
    uint32_t blob_mem;
    uint32_t blob_flags;
    uint32_t bo_handle;
    uint32_t res_handle;
    uint64_t size;
    uint32_t pad;
    uint32_t cmd_size;
    uint64_t cmd;
    uint64_t blob_id;
    uint32_t blob_hints; /* newer kernels; older ones leave out what they do not know */
    uint32_t pad2;
};
#define DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB \
    DRM_IOWR(DRM_COMMAND_BASE + 0x0a, struct drm_virtgpu_resource_create_blob)
#endif
