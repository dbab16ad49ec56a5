# SPDX-License-Identifier: MIT
"""How many faults a crew must take, from those of one worker on the whole buffer and from the prefault window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.scale.layouts import ARRANGEMENTS, shares

if TYPE_CHECKING:
    from drmbench.model import Layout, WorkerKind


@dataclass(frozen=True, slots=True)
class Alone:
    """What one ascending pass of one worker over all pages took; `window` pages appear with a fault, None for none."""

    pages: int
    faults: int
    window: int | None


def expected_faults(alone: Alone, layout: Layout, kind: WorkerKind, workers: int) -> tuple[int, int]:
    """(least, most) faults of all workers together.

    A fault maps at most a window, so a share of the pages takes no less than its number of windows. It takes one
    more where windows are aligned and the share is not. Workers that meet in a window of page tables that they
    share may both fault, or one of them not at all.
    """
    if alone.faults == 0 or alone.window is None:
        return 0, 0
    own_tables = kind == "processes" or ARRANGEMENTS[layout].own_mapping
    if ARRANGEMENTS[layout].all_pages:
        return (alone.faults * workers if own_tables else alone.faults), alone.faults * workers
    windows = math.ceil(alone.pages / alone.window)
    each = alone.faults / windows
    apart = [math.ceil(pages / alone.window) for _first, pages in shares(alone.pages, workers)]
    slack = 1 if alone.window > 1 and workers > 1 else 0
    least = sum(apart) if own_tables else windows
    return math.floor(least * each), math.ceil(sum(count + slack for count in apart) * each)
