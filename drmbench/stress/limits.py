# SPDX-License-Identifier: MIT
"""How much memory a run may hold at once, from --size and --threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.conformance.calls import PAGE_BYTES
from drmbench.stress.program import SHARED_BUFFERS
from drmbench.stress.traits import Limits

if TYPE_CHECKING:
    from drmbench.stress.program import Replay

_LARGEST_BUFFERS = 16
_OF_A_THREAD = 2


def limits_for(size_bytes: int, threads: int, replay: Replay | None) -> Limits:
    """Those of one thread: sixteen of the largest buffers go round, but each thread has room for two."""
    if replay is not None:
        return Limits(replay.buffer_pages, replay.live_pages)
    pages = size_bytes // PAGE_BYTES
    return Limits(pages, max(_OF_A_THREAD, _LARGEST_BUFFERS // threads) * pages)


def live_limit_bytes(limits: Limits, threads: int, replay: Replay | None) -> int:
    """Of all threads and the buffers that they share."""
    shared = limits.buffer_pages * SHARED_BUFFERS if replay is None else sum(replay.program.shared)
    return (limits.live_pages * threads + shared) * PAGE_BYTES
