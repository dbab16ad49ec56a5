# SPDX-License-Identifier: MIT
"""madvise() as mm/madvise.c has it, by VmFlags: which advice a VMA refuses, and what holes in the range do."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from drmbench.stress.traits import SPECIAL

if TYPE_CHECKING:
    from drmbench.stress.state import Run, State, Vma
    from drmbench.stress.steps import Advice, Advise, Prot

NUMBERS: dict[Advice, int] = {
    "normal": 0, "random": 1, "sequential": 2, "dontneed": 4, "free": 8, "dontfork": 10, "dofork": 11,
    "dontdump": 16, "dodump": 17, "wipeonfork": 18, "cold": 20, "pageout": 21, "populate-read": 22,
    "populate-write": 23,
}
"""The kernel's numbers, the same on every architecture but alpha and parisc."""

CHANGES_FLAGS: frozenset[Advice] = frozenset({
    "normal", "random", "sequential", "dontfork", "dofork", "dontdump", "dodump",
})
"""Advice that a VMA remembers, so that it is split where the advice ends."""

_POPULATES: dict[Advice, tuple[Prot, ...]] = {"populate-read": ("read", "write"), "populate-write": ("write",)}


def advise(state: State, step: Advise) -> int:
    """The errno, 0 for success; the state knows afterwards what a fork() leaves out.

    VMAs are taken in order: the first that refuses ends it; holes are passed over and are ENOMEM in the end. Since
    6.10 a hole ends MADV_POPULATE_READ and _WRITE at once: page by page has replaced that walk for them.
    """
    prots = _POPULATES.get(step.advice)
    if prots is not None and not state.traits.populate:
        return errno.EINVAL
    last = step.first + step.count
    if step.advice in CHANGES_FLAGS:
        state.split(step.mapping, step.first, last)
    holes = False
    for run in list(state.runs(step.mapping, step.first, last)):
        if run.vma is None:
            if prots is not None and not state.traits.past_holes:
                return errno.ENOMEM
            holes = True
            continue
        number = _on_vma(state, run.vma, step.advice) if prots is None else _populate(state, run, run.vma, prots)
        if number:
            return number
    return errno.ENOMEM if holes else 0


def _on_vma(state: State, vma: Vma, advice: Advice) -> int:
    flags = state.traits.flags(prime=vma.prime)
    special = bool(flags & SPECIAL)
    if advice == "dontfork":
        vma.forked = False
    elif advice == "dofork":
        # VM_IO keeps it since ever, any VM_SPECIAL since 7.0.
        if "io" in flags or (special and not state.traits.dofork):
            return errno.EINVAL
        vma.forked = True
    elif (advice in {"free", "wipeonfork"}  # anonymous private memory only
          or (advice == "dodump" and special)
          or (advice in {"dontneed", "cold", "pageout"} and "pf" in flags)):
        return errno.EINVAL
    return 0


def _populate(state: State, run: Run, vma: Vma, prots: tuple[Prot, ...]) -> int:
    """EINVAL on VM_IO, VM_PFNMAP or without the permission, EFAULT behind the buffer's end."""
    if state.traits.flags(prime=vma.prime) & {"io", "pf"} or vma.prot not in prots:
        return errno.EINVAL
    return errno.EFAULT if vma.index + run.first - vma.first + run.pages > vma.body.pages else 0
