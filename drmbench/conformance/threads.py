# SPDX-License-Identifier: MIT
"""Threads that start at one moment; what they do in native code they do at the same time, without Python's lock."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def together(works: Sequence[Callable[[], T]]) -> list[T]:
    """What each returns, in their order; once all have ended, raises what the first of them raised."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(run, work) for work in works]
    return [each.result() for each in running]
