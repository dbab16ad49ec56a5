# SPDX-License-Identifier: MIT
"""Which loads and stores a step makes, what they must find, and which signal ends them."""

from __future__ import annotations

import signal
from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

from drmbench.stress.state import UNKNOWN, ZERO, Run
from drmbench.stress.steps import PROT_BITS, Write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.stress.state import State, Vma
    from drmbench.stress.steps import Read

NO_SIGNAL = 0
MAYBE_SIGBUS = -1

Action = Literal["fill", "compare", "zero", "load"]


class Access(NamedTuple):
    """Pages of a slot that are accessed alike.

    tag     of the pattern that is stored or must be there; `page` is the buffer's that `first` shows
    signal  that must end it at its first page: NO_SIGNAL, a number, or MAYBE_SIGBUS for an unplugged device
    """

    mapping: int
    first: int
    pages: int
    action: Action
    tag: int = 0
    page: int = 0
    signal: int = NO_SIGNAL


def accesses_of(state: State, step: Read | Write, *, in_child: bool) -> list[Access] | None:
    """The accesses up to the one that a signal ends, the state changed by what is stored; None where it has no sense.

    `in_child`: what MADV_DONTFORK keeps from a child is a hole.
    """
    last = step.first + step.count
    writing = isinstance(step, Write)
    runs = list(state.runs(step.mapping, step.first, last))
    if writing and any(_of_others(run) for run in runs):
        return None
    found: list[Access] = []
    for run in runs:
        found += _stores(step, run, in_child) if isinstance(step, Write) else _loads(step, run, in_child)
        if found[-1].signal != NO_SIGNAL:
            break
    return found


def _of_others(run: Run) -> bool:
    if run.vma is None or not run.vma.body.others:
        return False
    start = run.vma.index + run.first - run.vma.first
    return any(page in run.vma.body.others for page in range(start, start + run.pages))


def _stores(step: Write, run: Run, in_child: bool) -> Iterator[Access]:
    vma, ended = run.vma, _refused(run, "write", in_child)
    if vma is None or ended:
        yield Access(step.mapping, run.first, 1, "fill", step.tag, signal=ended)
        return
    index = vma.index + run.first - vma.first
    if vma.body.gone:
        yield Access(step.mapping, run.first, run.pages, "fill", step.tag, index, MAYBE_SIGBUS)
        return
    inside = min(run.pages, vma.body.pages - index)
    if inside > 0:
        vma.body.content[index:index + inside] = [step.tag] * inside
        yield Access(step.mapping, run.first, inside, "fill", step.tag, index)
    if inside < run.pages:
        yield Access(step.mapping, run.first + max(0, inside), 1, "fill", step.tag, signal=signal.SIGBUS)


def _loads(step: Read, run: Run, in_child: bool) -> Iterator[Access]:
    vma, ended = run.vma, _refused(run, "read", in_child)
    if vma is None or ended:
        yield Access(step.mapping, run.first, 1, "load", signal=ended)
        return
    index = vma.index + run.first - vma.first
    if vma.body.gone:
        yield Access(step.mapping, run.first, run.pages, "load", signal=MAYBE_SIGBUS)
        return
    inside = min(run.pages, vma.body.pages - index)
    if inside > 0:
        yield from _comparisons(step.mapping, run.first, vma, index, inside)
    if inside < run.pages:
        yield Access(step.mapping, run.first + max(0, inside), 1, "load", signal=signal.SIGBUS)


def _comparisons(mapping: int, first: int, vma: Vma, index: int, count: int) -> Iterator[Access]:
    """Pages with the same content in a row are one comparison; what other threads write to is only loaded."""
    content = vma.body.content

    def known(page: int) -> int:
        return UNKNOWN if page in vma.body.others else content[page]

    for tag, group in groupby(range(index, index + count), key=known):
        pages = list(group)
        action: Action = "zero" if tag == ZERO else "load" if tag == UNKNOWN else "compare"
        yield Access(mapping, first + pages[0] - index, len(pages), action, max(tag, 0), pages[0])


def _refused(run: Run, prot: Literal["read", "write"], in_child: bool) -> int:
    """The signal that ends an access to the run's first page, as far as the VMA decides it."""
    vma = run.vma
    if vma is None or (in_child and not vma.forked) or PROT_BITS[prot] & ~PROT_BITS[vma.prot]:
        return signal.SIGSEGV
    return NO_SIGNAL
