# SPDX-License-Identifier: MIT
"""What the model must know of a device and kernel: facts that a look at a mapping or one try tells, never a version."""

from __future__ import annotations

import msgspec

SPECIAL = frozenset({"io", "de", "pf", "mm"})
"""VM_SPECIAL of include/linux/mm.h in the letters of VmFlags: such VMAs never merge."""


class Traits(msgspec.Struct, frozen=True):
    """One buffer kind of one device under one kernel.

    vm_flags       VmFlags of a mapping through the fake offset (or of the descriptor, where there is none)
    prime_flags    those of the dma-buf's mapping; None: it cannot be mapped
    drm            handles of a node, not descriptors of their own
    fake_offset    mapped through the node at an offset that MAP_DUMB or the like tells
    imports        PRIME_FD_TO_HANDLE works between two open files of the device
    beyond         a mapping may be longer than its buffer, which then ends in SIGBUS (memfd)
    splits         what a VMA shows stays the same when the kernel splits it in front of a page that was not touched
    dofork         MADV_DOFORK undoes MADV_DONTFORK
    populate       the kernel knows MADV_POPULATE_READ and _WRITE
    past_holes     these two go on behind a hole, as other advice does (up to 6.9), and do not end there
    fresh_is_zero  a fresh buffer holds nothing but zeros
    granule_pages  buffers come in multiples of this
    unbind         the driver can be taken away and given back
    """

    vm_flags: frozenset[str] = frozenset()
    prime_flags: frozenset[str] | None = None
    drm: bool = False
    fake_offset: bool = False
    exports: bool = False
    imports: bool = False
    beyond: bool = False
    splits: bool = True
    dofork: bool = True
    populate: bool = True
    past_holes: bool = False
    fresh_is_zero: bool = True
    granule_pages: int = 1
    unbind: bool = False

    def flags(self, *, prime: bool) -> frozenset[str]:
        """VmFlags of a mapping of the dma-buf, or of the other kind."""
        return (self.prime_flags or frozenset()) if prime else self.vm_flags


class Limits(msgspec.Struct, frozen=True):
    """How much one thread may hold: pages of its largest buffer, and of all its live buffers together."""

    buffer_pages: int
    live_pages: int
