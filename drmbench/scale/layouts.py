# SPDX-License-Identifier: MIT
"""Which worker touches what: one buffer or one each, one mapping or one each, one open file or one each.

--size is that of all workers together in every layout, so that the work stays the same while workers are added;
only in shared-vma-same each of them touches all of it.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.scale.ascending import sum_ascending
from drmbench.workloads.passes import native_access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.buffer import Mapping
    from drmbench.drivers.protocol import Backend
    from drmbench.model import Layout, Phase
    from drmbench.targets import Target


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What the workers of a layout have of their own. Forked processes have page tables of their own anyway."""

    own_mapping: bool = False
    own_buffer: bool = False
    own_file: bool = False
    all_pages: bool = False


ARRANGEMENTS: dict[Layout, Arrangement] = {
    "shared-vma-split": Arrangement(),
    "shared-vma-same": Arrangement(all_pages=True),
    "own-vma": Arrangement(own_mapping=True),
    "own-buffer": Arrangement(own_mapping=True, own_buffer=True),
    "own-file": Arrangement(own_mapping=True, own_buffer=True, own_file=True),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Pages first_page to first_page + pages of a mapping: what one worker touches."""

    mapping: Mapping
    first_page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Ground:
    """A (target, buffer kind) and how its pages are touched; `warm`: they exist before the workers start."""

    target: Target
    kind: str
    access: str
    phase: Phase

    def native_access(self, backend: Backend) -> int:
        """The C access of a touch."""
        return native_access(backend, "read" if self.access == "read" else "write")


def shares(pages: int, workers: int) -> list[tuple[int, int]]:
    """(first page, pages) for each worker: as even as whole pages allow, one behind the other."""
    bounds = [pages * number // workers for number in range(workers + 1)]
    return [(first, last - first) for first, last in itertools.pairwise(bounds)]


@contextlib.contextmanager
def laid_out(ground: Ground, layout: Layout, workers: int, pages: int) -> Iterator[tuple[list[Place], int]]:
    """Fresh buffers, mapped as the layout has it: a Place for each worker, and the C access. Raises DrmbenchError."""
    arrangement = ARRANGEMENTS[layout]
    own = shares(pages, workers)
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(ground.target.open())
        access = ground.native_access(backend)
        places: list[Place] = []
        if arrangement.own_buffer:
            for number, (_first, count) in enumerate(own):
                if arrangement.own_file and number:
                    backend = stack.enter_context(ground.target.open())
                mapping = stack.enter_context(_mappings(ground, backend, count, 1))[0]
                places.append(Place(mapping, 0, count))
        else:
            mappings = stack.enter_context(_mappings(ground, backend, pages, workers if arrangement.own_mapping else 1))
            for number, (first, count) in enumerate([(0, pages)] * workers if arrangement.all_pages else own):
                places.append(Place(mappings[number % len(mappings)], first, count))
        for mapping in {id(place.mapping): place.mapping for place in places}.values():
            stack.enter_context(mapping.touching())
        yield places, access


@contextlib.contextmanager
def _mappings(ground: Ground, backend: Backend, pages: int, count: int) -> Iterator[list[Mapping]]:
    """A fresh buffer, mapped whole `count` times."""
    who = ground.target.buffer_label(ground.kind)
    with Buffer(who, backend, ground.kind, pages * PAGE_BYTES) as buffer, contextlib.ExitStack() as stack:
        place, _stage = buffer.locate()
        if ground.phase == "warm":
            with buffer.map(place, backend.prot) as mapping:
                sum_ascending(mapping, ground.native_access(backend))
        yield [stack.enter_context(buffer.map(place, backend.prot)) for _ in range(count)]
