/* SPDX-License-Identifier: MIT */
/* Every layout that the cdef files beside this one name: libdrm's and the C library's headers, then ours. */
#ifndef DRMBENCH_LAYOUTS_H
#define DRMBENCH_LAYOUTS_H

#include <stdint.h>

#include <amdgpu_drm.h>
#include <drm.h>
#include <drm_mode.h>
#include <i915_drm.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <qxl_drm.h>
#include <radeon_drm.h>
#include <vc4_drm.h>
#include <virtgpu_drm.h>
#include <xf86drm.h>

#include "embedded.h"
#include "etnaviv.h"
#include "virtgpu_blob.h"
#include "xe.h"

#endif
