# SPDX-License-Identifier: MIT
"""Which functions are traced: the kernel's way from mmap() to the driver, and everything that DRM and TTM have.

Names change between kernels, and a compiler inlines what it likes: what is not there is named, not missed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# One place of the walk a line, with its names from new kernels to old (mm/mmap.c, mm/vma.c, mm/memory.c, mm/gup.c).
_WALK: tuple[tuple[str, ...], ...] = (
    ("__x64_sys_mmap", "__arm64_sys_mmap", "__ia32_sys_mmap_pgoff", "sys_mmap"),
    ("ksys_mmap_pgoff",),
    ("vm_mmap_pgoff",),
    ("security_mmap_file",),
    ("do_mmap",),
    ("mmap_region",),
    ("mmap_file", "call_mmap"),
    ("mm_populate", "__mm_populate"),
    ("exc_page_fault", "do_page_fault"),
    ("do_user_addr_fault", "do_mem_abort"),
    ("handle_mm_fault",),
    ("__handle_mm_fault",),
    ("handle_pte_fault",),
    ("do_fault",),
    ("do_shared_fault",),
    ("do_read_fault",),
    ("__do_fault",),
    ("do_page_mkwrite",),
    ("do_wp_page",),
    ("finish_fault",),
    ("vmf_insert_pfn_prot",),
    ("vmf_insert_mixed", "vmf_insert_mixed_prot"),
    ("insert_pfn",),
    ("vmf_insert_page_mkwrite", "vm_insert_page"),
    ("remap_pfn_range",),
    ("__x64_sys_munmap", "__arm64_sys_munmap", "sys_munmap"),
    ("__vm_munmap",),
    ("do_vmi_munmap", "do_mas_munmap", "__do_munmap"),
    ("do_vmi_align_munmap", "do_mas_align_munmap", "__do_munmap"),
    ("vms_complete_munmap_vmas", "unmap_region"),
    ("unmap_vmas",),
    ("unmap_page_range", "unmap_single_vma"),
    ("free_pgtables",),
    ("remove_vma", "remove_vma_list", "remove_mt"),
)

# Taken along where they are; nobody misses them.
_BESIDE = (
    "get_unmapped_area", "__get_unmapped_area", "__mmap_region", "__mmap_new_vma", "__mmap_prepare", "vma_link",
    "vma_set_page_prot", "populate_vma_page_range", "drm_mmap", "vm_iomap_memory", "remap_pfn_range_notrack",
    "remap_pfn_range_internal", "remap_pfn_range_complete", "io_remap_pfn_range", "track_pfn_remap", "track_pfn_insert",
    "untrack_pfn", "apply_to_page_range", "dma_mmap_attrs", "dma_direct_mmap", "dma_common_mmap", "dma_mmap_pages",
    "dma_mmap_noncontiguous", "dma_buf_mmap", "dma_buf_mmap_internal", "create_huge_pmd", "do_cow_fault",
    "do_anonymous_page", "do_swap_page", "do_numa_page", "wp_page_shared", "wp_pfn_shared", "wp_page_reuse",
    "do_page_fault_around", "do_fault_around", "filemap_map_pages", "filemap_fault", "do_set_pmd", "__do_set_pmd",
    "alloc_set_pte", "do_set_pte", "set_pte_range", "ptep_set_access_flags", "fault_dirty_shared_page",
    "vmf_insert_pfn", "vmf_insert_pfn_pmd", "vmf_insert_pfn_pud", "vmf_insert_mixed_mkwrite", "vmf_insert_page",
    "vmf_insert_folio_pmd", "insert_pfn_pmd", "insert_page", "insert_pages", "vm_insert_pages", "__vm_insert_mixed",
    "__vmf_insert_mixed", "shmem_mmap", "shmem_mmap_prepare", "shmem_fault", "shmem_get_folio_gfp",
    "shmem_getpage_gfp", "shmem_getpage", "shmem_read_mapping_page_gfp", "shmem_read_folio_gfp",
    "shmem_get_unmapped_area", "shmem_zero_setup", "vm_munmap", "do_munmap", "do_vma_munmap", "vms_gather_munmap_vmas",
    "vms_clear_ptes", "__split_vma", "zap_page_range_single", "tlb_finish_mmu", "vma_close", "unlink_file_vma",
)
_LIBRARIES = ("drm", "ttm", "dma_buf", "udmabuf", "gpu_sched")
_LIBRARY_PREFIXES = ("drm_", "ttm_", "dma_buf_")
_MODULE = re.compile(r"\[(\w+)\]")


@dataclass(frozen=True, slots=True)
class CallPath:
    """What is traced, and the places of the walk that this kernel does not let ftrace see.

    functions  number of the line in available_filter_functions, from 1 -> function
    """

    functions: dict[int, str]
    untraceable: list[str]


def call_path(available: str, drivers: Sequence[tuple[str, str | None]]) -> CallPath:
    """Choose from the text of available_filter_functions.

    Of each driver comes its module too, None where it is built in and known by its name alone.
    """
    wanted = {*_BESIDE, *(name for place in _WALK for name in place)}
    modules = {*_LIBRARIES, *(module for _driver, module in drivers if module is not None)}
    prefixes = (*_LIBRARY_PREFIXES, *(f"{_identifier(driver)}_" for driver, module in drivers if module is None))
    functions: dict[int, str] = {}
    for number, line in enumerate(available.splitlines(), start=1):
        name, _, rest = line.partition(" ")
        module = _MODULE.match(rest.lstrip())
        if module is not None:
            chosen = module[1] in modules or module[1].startswith(_LIBRARY_PREFIXES)
        else:
            chosen = name in wanted or name.startswith(prefixes)
        if chosen:
            functions[number] = name
    seen = set(functions.values())
    return CallPath(functions, [place[0] for place in _WALK if not seen.intersection(place)])


def _identifier(driver: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in driver)
