# SPDX-License-Identifier: MIT
"""Which way of mapping explains these counts? A table of what each is known to cost, and objections.

The oracle reads results and never changes a measured number. It decides by counts and VmFlags alone, never
by driver name or kernel version, so that a driver which changes its ways is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.model import Caveat, Mechanism

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import ComparePopulateResult, FaultLatencyResult

_FAULT_AROUND_PAGES = 16
_TTM_PREFAULT_PAGES = 16
_PMD_PAGES = 512
WHOLE = 0
"""A window as large as the buffer."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one mechanism costs: faults for each window of pages, by the pass that touches them.

    read, write   the first touch of a window is a load, or a store (None: stores do not map windows like this)
    after_read    a store to pages that were loaded before
    has, lacks    VmFlags that a mapping of this kind shows, and those that it does not
    window        pages that one fault makes present; WHOLE for all of them
    """

    name: str
    source: str
    window: int
    read: int
    write: int | None
    after_read: int
    has: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()


_PFN, _OWN = frozenset({"pf"}), frozenset({"io", "mm"})
_TTM = "drivers/gpu/drm/ttm/ttm_bo_vm.c, TTM_BO_VM_NUM_PREFAULT"
_DMA = "drivers/gpu/drm/drm_gem_dma_helper.c: dma_mmap_wc() in mmap()"
_SHMEM = "drivers/gpu/drm/drm_gem_shmem_helper.c, drm_gem_shmem_fault()"
_NO_DIRTY_BIT = "; this CPU sets no dirty bit itself, so the first store faults (arch/arm64, no HW DBM)"

TABLE: tuple[Row, ...] = (
    Row("GEM shmem", _SHMEM, 1, 1, 1, 0, has=_PFN, lacks=frozenset({"io"})),
    Row("GEM shmem, stores tracked", "pfn_mkwrite since commit 28e3918179aa (drm/gem-shmem: Track folio "
        "accessed/dirty status in mmap)", 1, 1, 2, 1, has=_PFN, lacks=frozenset({"io"})),
    Row("GEM shmem, huge pages", _SHMEM.replace("fault", "any_fault"), _PMD_PAGES, 1, 1, 0, has=_PFN,
        lacks=frozenset({"io"})),
    Row("GEM shmem, pages inserted", "drm_gem_shmem_helper.c before vmf_insert_pfn() (5.16)", 1, 1, 1, 0,
        has=frozenset({"mm"}), lacks=frozenset({"io", "pf"})),
    Row("TTM", _TTM, _TTM_PREFAULT_PAGES, 1, 1, 0, has=frozenset({"io"})),
    Row("TTM, no hardware dirty bit", _TTM + _NO_DIRTY_BIT, _TTM_PREFAULT_PAGES, 1, 1, 16, has=frozenset({"io"})),
    Row("GEM DMA helper", _DMA, 1, 0, 0, 0, has=_PFN),
    Row("GEM DMA helper, no hardware dirty bit", _DMA + _NO_DIRTY_BIT, 1, 0, 1, 1, has=_PFN),
    Row("own fault handler", "drivers/gpu/drm/etnaviv/etnaviv_gem.c, etnaviv_gem_fault()", 1, 1, 1, 0, has=_OWN,
        lacks=_PFN),
    Row("own fault handler, no hardware dirty bit", "etnaviv_gem_fault()" + _NO_DIRTY_BIT, 1, 1, 2, 1, has=_OWN,
        lacks=_PFN),
    Row("whole object", "drivers/gpu/drm/i915/gem/i915_gem_mman.c, vm_fault_cpu()", WHOLE, 1, 1, 0, has=_PFN),
    Row("dma-buf pages", "drivers/dma-buf/udmabuf.c, vmf_insert_pfn()", 1, 1, 1, 0, has=frozenset({"pf", "io"})),
    Row("kernel shmem", "mm/shmem.c, shmem_fault()", 1, 1, 1, 0, lacks=frozenset({"io", "pf", "mm"})),
    Row("kernel shmem, fault-around", "mm/memory.c, do_fault_around() over fault_around_bytes", _FAULT_AROUND_PAGES, 1,
        None, 0, lacks=frozenset({"io", "pf", "mm"})),
    Row("kernel shmem, huge pages", "mm/shmem.c with huge=", _PMD_PAGES, 1, 1, 0, lacks=frozenset({"io", "pf", "mm"})),
)


def _expected(row: Row, result: FaultLatencyResult) -> list[int] | None:
    """Faults of each pass of the result under this mechanism, None where it does not apply to the access."""
    windows = 1 if row.window == WHOLE else -(-result.pages // row.window)
    if result.access == "read-then-write":
        return [windows * row.read, windows * row.after_read]
    first = row.read if result.access == "read" else row.write
    return None if first is None else [windows * first]


def _window_fits(row: Row, result: FaultLatencyResult, expected: list[int]) -> bool:
    seen = result.passes[0].prefault_window_pages if result.passes else result.prefault_window_pages
    if seen is None:
        return expected[0] == 0
    wanted = result.pages if row.window == WHOLE else min(row.window, result.pages)
    return seen == wanted


def explains(row: Row, result: FaultLatencyResult) -> bool:
    """Whether flags, window and the count of every pass are what the mechanism gives.

    One fault more is accepted where windows can lie across the ends of the buffer, and any order but the
    sequential one for a window of more than a page: such counts depend on where each touch falls.
    """
    flags = set(result.vm_flags)
    expected = _expected(row, result)
    if expected is None or not row.has <= flags or row.lacks & flags or not _window_fits(row, result, expected):
        return False
    if result.order != "sequential" and row.window != 1:
        return True
    spare = 0 if row.window == 1 else 1
    counted = [touch_pass.faults for touch_pass in result.passes]
    return all(want <= got <= want + spare for want, got in zip(expected, counted, strict=True))


def mechanism_of(result: FaultLatencyResult) -> Mechanism | None:
    """The first row that explains the result, None where none does or where a file system decides."""
    if result.target.driver == "file":
        return None
    row = next((row for row in TABLE if explains(row, result)), None)
    return None if row is None else Mechanism(row.name, row.source)


def objections(label: str, result: FaultLatencyResult) -> Iterator[Caveat]:
    """A caveat where no row explains what was counted."""
    if result.target.driver == "file" or mechanism_of(result) is not None:
        return
    window = result.prefault_window_pages
    if result.faults.touch > result.pages:
        identity, what = "double-fault", "more than one fault a page"
    elif window is not None and window > 1:
        identity, what = "unexpected-prefault", f"a fault maps {window} pages"
    else:
        identity, what = "unexplained-faults", f"{result.faults_per_page:.4g} faults a page"
    yield Caveat(
        identity,
        f"{label} {result.access} {result.phase}: {what} ({result.faults.touch} for {result.pages} pages, VmFlags "
        f"{' '.join(result.vm_flags) or 'none'}): no mapping mechanism known to drmbench does that",
        "look at the driver's fault handler, or report it with the --json file",
    )


def populate_objections(label: str, result: ComparePopulateResult) -> Iterator[Caveat]:
    """A caveat for each strategy that populated only a part: every known one does all or nothing."""
    lazy = result.strategies["lazy"].faults.touch
    for name, strategy in result.strategies.items():
        left = strategy.faults.touch
        if 0 < left < lazy:
            yield Caveat("partial-populate", f"{label} {result.access} {name}: {left} of {lazy} touch faults are left",
                         "look at the driver's fault handler, or report it with the --json file")
