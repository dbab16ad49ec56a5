# SPDX-License-Identifier: MIT
"""Ascending passes over a mapping of any size, in slices, with an order no longer than a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drmbench import native
from drmbench.buffer import PAGE_BYTES
from drmbench.workloads.passes import SLICE_TOUCHES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.buffer import Mapping


def ascending_spans(mapping: Mapping, access: int) -> Iterator[native.Span]:
    """Spans that touch each page once, first to last."""
    pages = mapping.size_bytes // PAGE_BYTES
    for start in range(0, pages, SLICE_TOUCHES):
        order = np.arange(start, min(start + SLICE_TOUCHES, pages), dtype=np.uint32)
        yield native.Span(mapping.address, mapping.size_bytes, PAGE_BYTES, order, access)


def sum_ascending(mapping: Mapping, access: int) -> native.Stage:
    """Time and faults of one touch of every page. Raises DrmbenchError on SIGBUS or SIGSEGV."""
    total = native.Stage()
    with mapping.touching():
        for span in ascending_spans(mapping, access):
            total += span.time_sum()
    return total
