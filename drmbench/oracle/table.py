# SPDX-License-Identifier: MIT
"""The mechanisms: what each costs, which flags it shows, and what else sets it apart, with the kernel source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

WHOLE = 0
"""A window as large as the buffer."""

_FAULT_AROUND_PAGES = 16
_TTM_PREFAULT_PAGES = 16
_PMD_PAGES = 512

Reach = Literal["forward", "around", "whole"]
Arrival = Literal["before mmap", "mmap", "first touch", "each touch"]


@dataclass(frozen=True, slots=True)
class Row:
    """What one mechanism costs: faults for each window of pages, by the pass that touches them; and its other traits.

    family        rows that are one mechanism under different circumstances
    window        pages that one fault makes present; WHOLE for all of them
    read, write   the first touch of a window is a load, or a store (None: stores do not map windows like this)
    after_read    a store to pages that were loaded before
    has, lacks    VmFlags that a mapping of this kind shows, and those that it does not
    private       whether mmap(MAP_PRIVATE) is accepted; None here and below: this does not tell
    node          False where only a file or dma-buf without a DRM node is mapped so
    reach         where the window of a fault lies: from the touched page on, around it, or everywhere
    arrives       when the pages of a fresh buffer can be brought in
    copied        whether fork() copies the page table entries
    links         helper modules one of which the driver uses; () where it uses none
    dirty_bit     False where it is so only on a CPU that does not set the dirty bit of a page itself
    alike         other code that looks the same from user space
    """

    family: str
    name: str
    source: str
    window: int
    read: int
    write: int | None
    after_read: int
    has: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    private: bool | None = None
    node: bool | None = None
    reach: Reach | None = None
    arrives: frozenset[Arrival] | None = None
    copied: bool | None = True
    links: tuple[str, ...] | None = None
    dirty_bit: bool | None = None
    alike: str = ""


def _flags(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AT_ONCE: frozenset[Arrival] = frozenset({"first touch"})
_ONE_BY_ONE: frozenset[Arrival] = frozenset({"each touch"})

# A store to a page that only a load has mapped: the entry is there, clean, and made dirty by a fault.
_NO_DIRTY_BIT = "a CPU that sets no dirty bit itself faults at the first store (arch/arm64 without HW DBM)"
_TRACKED = "pfn_mkwrite since commit 28e3918179aa (drm/gem-shmem: Track folio accessed/dirty status in mmap)"

_SHMEM = Row(
    family="GEM shmem", name="GEM shmem", source="drivers/gpu/drm/drm_gem_shmem_helper.c, drm_gem_shmem_fault()",
    window=1, read=1, write=1, after_read=0, has=_flags("pf"), lacks=_flags("io"), private=False,
    arrives=frozenset({"before mmap", "mmap"}), links=("drm_shmem_helper",),
)
_TTM = Row(
    family="TTM", name="TTM", source="drivers/gpu/drm/ttm/ttm_bo_vm.c, TTM_BO_VM_NUM_PREFAULT",
    window=_TTM_PREFAULT_PAGES, read=1, write=1, after_read=0, has=_flags("pf io"), private=False, reach="forward",
    links=("ttm",),
)
_DMA = Row(
    family="GEM DMA helper", name="GEM DMA helper",
    source="drivers/gpu/drm/drm_gem_dma_helper.c: dma_mmap_wc() in mmap()",
    window=1, read=0, write=0, after_read=0, has=_flags("pf io"), private=True, node=True,
    links=("drm_dma_helper", "drm_cma_helper"),
    alike="a driver that calls dma_mmap_attrs() or remap_pfn_range() in its own mmap(), as exynos, mediatek, rockchip "
          "and tegra do",
)
_OWN = Row(
    family="own fault handler", name="own fault handler",
    source="drivers/gpu/drm/etnaviv/etnaviv_gem.c, etnaviv_gem_fault()",
    window=1, read=1, write=1, after_read=0, has=_flags("io mm"), lacks=_flags("pf"), private=True, arrives=_AT_ONCE,
    links=(), alike="any driver whose fault handler gets all pages at the first fault and inserts one of them a fault",
)
_OWN_PFN = replace(
    _OWN, source=f"{_OWN.source} on VM_PFNMAP (drm/etnaviv: switch to PFN mappings)", has=_flags("pf"),
    lacks=_flags("io"),
)
_PAGE_AT_A_TIME = replace(
    _OWN, name="own fault handler, a page at a time", arrives=_ONE_BY_ONE, alike="",
    source="drivers/gpu/drm/vkms/vkms_gem.c, vkms_gem_fault() before it moved to GEM shmem", has=_flags("pf io"),
    lacks=frozenset(),
)
_KERNEL_SHMEM = Row(
    family="kernel shmem", name="kernel shmem", source="mm/shmem.c, shmem_fault()",
    window=1, read=1, write=1, after_read=0, lacks=_flags("io pf mm de"), private=True, copied=False,
)

TABLE: tuple[Row, ...] = (
    _SHMEM,
    replace(_SHMEM, name="GEM shmem, stores tracked or no hardware dirty bit", write=2, after_read=1, dirty_bit=False,
            source=f"{_SHMEM.source}; {_TRACKED}; {_NO_DIRTY_BIT}"),
    replace(_SHMEM, name="GEM shmem, stores tracked", write=2, after_read=1, source=_TRACKED),
    replace(_SHMEM, name="GEM shmem, huge pages", window=_PMD_PAGES,
            source="drivers/gpu/drm/drm_gem_shmem_helper.c, drm_gem_shmem_any_fault()"),
    replace(_SHMEM, name="GEM shmem, pages inserted", has=_flags("mm"), lacks=_flags("io pf"),
            source="drm_gem_shmem_helper.c before vmf_insert_pfn() (5.16)"),
    _TTM,
    replace(_TTM, source=f"{_TTM.source}, on VM_MIXEDMAP before 5.14", has=_flags("io mm"), lacks=_flags("pf"),
            private=True),
    replace(_TTM, name="TTM, no hardware dirty bit", source=f"{_TTM.source}; {_NO_DIRTY_BIT}",
            after_read=_TTM_PREFAULT_PAGES, has=_flags("io"), private=None, dirty_bit=False),
    _DMA,
    replace(_DMA, name="GEM DMA helper, no hardware dirty bit", source=f"{_DMA.source}; {_NO_DIRTY_BIT}", write=1,
            after_read=1, dirty_bit=False),
    *(variant for own in (_OWN, _OWN_PFN) for variant in (
        own, replace(own, name="own fault handler, no hardware dirty bit", source=f"{own.source}; {_NO_DIRTY_BIT}",
                     write=2, after_read=1, dirty_bit=False),
    )),
    _PAGE_AT_A_TIME,
    replace(_PAGE_AT_A_TIME, has=_flags("de dd"), lacks=_flags("pf io mm"), copied=False,
            source="drivers/gpu/drm/vgem/vgem_drv.c, vgem_gem_fault() before it moved to GEM shmem"),
    Row(family="whole object", name="whole object", source="drivers/gpu/drm/i915/gem/i915_gem_mman.c, vm_fault_cpu()",
        window=WHOLE, read=1, write=1, after_read=0, has=_flags("pf"), reach="whole"),
    Row(family="dma-buf pages", name="dma-buf pages", source="drivers/dma-buf/udmabuf.c, vmf_insert_pfn()",
        window=1, read=1, write=1, after_read=0, has=_flags("pf io"), private=False, node=False),
    Row(family="dma-buf heap", name="dma-buf heap", source="drivers/dma-buf/heaps/: remap_pfn_range() in mmap()",
        window=1, read=0, write=0, after_read=0, has=_flags("pf io"), node=False),
    _KERNEL_SHMEM,
    replace(_KERNEL_SHMEM, name="kernel shmem, fault-around", window=_FAULT_AROUND_PAGES, write=None, reach="around",
            source="mm/memory.c, do_fault_around() over fault_around_bytes"),
    replace(_KERNEL_SHMEM, name="kernel shmem, huge pages", window=_PMD_PAGES, reach="around",
            source="mm/shmem.c with huge="),
)
"""In order of preference within a family: the first row that explains a result gives it its name."""

FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(row.family for row in TABLE))
