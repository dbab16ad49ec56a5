# SPDX-License-Identifier: MIT
"""What the VmFlags of a mapping decide of it, as mm/ has it: the rules that cases choose between.

They are read from /proc/self/smaps of the mapping itself, so no driver name and no kernel version is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.conformance.case import Need
from drmbench.vma import vm_flags, vmas

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject

IO, PFNMAP, MIXEDMAP, DONTEXPAND = "io", "pf", "mm", "de"
DONTCOPY, DONTDUMP, LOCKED, HUGEPAGE = "dc", "dd", "lo", "hg"


def special(flags: list[str]) -> bool:
    """VM_SPECIAL (include/linux/mm.h): never locked, merged or expanded."""
    return not {IO, PFNMAP, MIXEDMAP, DONTEXPAND}.isdisjoint(flags)


def pages_are_hidden(flags: list[str]) -> bool:
    """get_user_pages() refuses it: check_vma_flags() in mm/gup.c."""
    return not {IO, PFNMAP}.isdisjoint(flags)


def cannot_grow(flags: list[str]) -> bool:
    """mremap() refuses to expand it: vma_to_resize() in mm/mremap.c."""
    return not {DONTEXPAND, PFNMAP}.isdisjoint(flags)


def _vm_flags(_subject: Subject) -> str:
    return "" if vm_flags(vmas()[0].first) else "the kernel shows no VmFlags (CONFIG_PROC_PAGE_MONITOR)"


VM_FLAGS = Need("vm-flags", _vm_flags)
