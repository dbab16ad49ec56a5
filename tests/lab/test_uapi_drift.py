# SPDX-License-Identifier: MIT
"""Every ioctl layout we use, compared with the uAPI headers of the newest kernel in the lab's cache."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from drmbench._native import ffi, lib
from drmbench.vm.cache import cache_root

if TYPE_CHECKING:
    from pathlib import Path

# Each header with the prefixes of what it declares.
HEADERS = {
    "drm/drm.h": ("drm_gem_close", "drm_prime_handle", "DRM_IOCTL_GEM_CLOSE", "DRM_IOCTL_PRIME_"),
    "drm/drm_mode.h": ("drm_mode_", "DRM_IOCTL_MODE_"),
    "drm/amdgpu_drm.h": ("drm_amdgpu_", "DRM_IOCTL_AMDGPU_", "AMDGPU_"),
    "drm/etnaviv_drm.h": ("drm_etnaviv_", "DRM_IOCTL_ETNAVIV_", "ETNA_"),
    "drm/i915_drm.h": ("drm_i915_", "DRM_IOCTL_I915_", "I915_"),
    "drm/lima_drm.h": ("drm_lima_", "DRM_IOCTL_LIMA_"),
    "drm/msm_drm.h": ("drm_msm_", "DRM_IOCTL_MSM_", "MSM_"),
    "drm/nouveau_drm.h": ("drm_nouveau_", "NOUVEAU_"),
    "drm/panfrost_drm.h": ("drm_panfrost_", "DRM_IOCTL_PANFROST_"),
    "drm/panthor_drm.h": ("drm_panthor_", "DRM_IOCTL_PANTHOR_", "DRM_PANTHOR_"),
    "drm/qxl_drm.h": ("drm_qxl_", "DRM_IOCTL_QXL_"),
    "drm/radeon_drm.h": ("drm_radeon_", "DRM_IOCTL_RADEON_", "RADEON_"),
    "drm/v3d_drm.h": ("drm_v3d_", "DRM_IOCTL_V3D_"),
    "drm/vc4_drm.h": ("drm_vc4_", "DRM_IOCTL_VC4_"),
    "drm/virtgpu_drm.h": ("drm_virtgpu_", "DRM_IOCTL_VIRTGPU_", "VIRTGPU_"),
    "drm/xe_drm.h": ("drm_xe_", "DRM_IOCTL_XE_", "DRM_XE_"),
    "linux/dma-buf.h": ("dma_buf_", "DMA_BUF_"),
    "linux/dma-heap.h": ("dma_heap_", "DMA_HEAP_"),
    "linux/udmabuf.h": ("udmabuf_", "UDMABUF_"),
}
# Headers that came later: the first release that has them. Older ones alone compare nothing of theirs.
SINCE = {"drm/xe_drm.h": [6, 8], "drm/panthor_drm.h": [6, 10]}
# Layouts that the kernel has made longer since: release of the first headers that we have seen with it. Older headers
# are compared but for the size, which is in the request number too; the kernel takes longer structs than it knows.
GREW = {"drm/virtgpu_drm.h": ([7], {"sizeof(struct drm_virtgpu_resource_create_blob)",
                                   "DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB"})}
# The macro that the kernel's nouveau header builds its numbers from is all it has; ours is written out.
NO_MACRO = {"DRM_IOCTL_NOUVEAU_GEM_NEW", "DRM_IOCTL_NOUVEAU_GEM_INFO"}


def release_of(folder: Path) -> list[int]:
    """[6, 1, 0, 56, ...]: what the name of a headers folder sorts by."""
    return [int(number) for number in re.findall(r"\d+", folder.parts[-3])]


@pytest.fixture(scope="module")
def uapi() -> Path:
    """include/uapi of the newest kernel headers at hand."""
    found = list((cache_root() / "kernels").glob("*/usr/src/linux-headers-*-common/include/uapi"))
    if not found:
        subprocess.run([sys.executable, "-m", "drmbench", "vm", "fetch"], check=True, stdin=subprocess.DEVNULL)
        found = list((cache_root() / "kernels").glob("*/usr/src/linux-headers-*-common/include/uapi"))
    assert found, "no kernel headers in the cache, even after a fetch"
    return max(found, key=release_of)


def declared(prefixes: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(structs and unions, constants) of ours with one of the prefixes."""
    _typedefs, structs, unions = ffi.list_types()
    layouts = [f"struct {name}" for name in structs if name.startswith(prefixes)]
    layouts += [f"union {name}" for name in unions if name.startswith(prefixes)]
    constants = [name for name in dir(lib) if name.startswith(prefixes) and name not in NO_MACRO]
    return layouts, constants


def expectations(prefixes: tuple[str, ...]) -> dict[str, int]:
    """C expression -> the value it must have."""
    layouts, constants = declared(prefixes)
    wanted = {name: int(getattr(lib, name)) for name in constants}
    for layout in layouts:
        wanted[f"sizeof({layout})"] = ffi.sizeof(layout)
        for field, _type in ffi.typeof(layout).fields:
            wanted[f"offsetof({layout}, {field})"] = ffi.offsetof(layout, field)
    return wanted


def kernel_values(uapi: Path, header: str, expressions: list[str], tmp_path: Path) -> list[int]:
    """The same expressions, worked out by the compiler from the kernel's own header."""
    include = tmp_path / "include"
    (include / "linux").mkdir(parents=True)
    (include / "drm").symlink_to(uapi / "drm")
    # What the compared header includes comes from the C library, and from the kernel where that is too old.
    for path in (uapi / "linux").glob("*.h"):
        if f"linux/{path.name}" == header or not os.path.exists(f"/usr/include/linux/{path.name}"):
            (include / "linux" / path.name).symlink_to(path)
    lines = "".join(f'printf("%llu\\n", (unsigned long long)({e}));\n' for e in expressions)
    source = tmp_path / "layout.c"
    source.write_text(f"#define __user\n#include <stddef.h>\n#include <stdio.h>\n#include <stdint.h>\n"
                      f"#include <{header}>\nint main(void) {{ {lines} return 0; }}\n")
    program = tmp_path / "layout"
    subprocess.run(["gcc", "-I", str(include), "-o", str(program), str(source)], check=True)
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return [int(line) for line in printed.split()]


@pytest.mark.parametrize("header", HEADERS)
def test_layouts_and_numbers_are_the_kernels(header: str, uapi: Path, tmp_path: Path) -> None:
    wanted = expectations(HEADERS[header])
    assert wanted
    if not (uapi / header).is_file():
        assert release_of(uapi) < SINCE.get(header, [0]), f"{uapi} has no {header}"
        return
    since, longer = GREW.get(header, ([0], set()))
    if release_of(uapi) < since:
        wanted = {expression: value for expression, value in wanted.items() if expression not in longer}
    assert kernel_values(uapi, header, list(wanted), tmp_path) == list(wanted.values()), list(wanted)


def test_every_struct_of_ours_is_compared() -> None:
    _typedefs, structs, unions = ffi.list_types()
    prefixes = tuple(prefix for group in HEADERS.values() for prefix in group)
    # iovec is the C library's own: the compiler lays it out, and there is nothing of ours to drift.
    others = ("drmbench_", "_drmVersion", "iovec")
    ours = [name for name in (*structs, *unions) if not name.startswith(others)]
    assert [name for name in ours if not name.startswith(prefixes)] == []


def test_the_comparison_notices_drift(uapi: Path, tmp_path: Path) -> None:
    wanted: dict[str, Any] = expectations(HEADERS["drm/etnaviv_drm.h"])
    seen = kernel_values(uapi, "drm/etnaviv_drm.h", list(wanted), tmp_path)
    changed = {**wanted, "sizeof(struct drm_etnaviv_gem_new)": 24}
    assert seen == list(wanted.values())
    assert seen != list(changed.values())
