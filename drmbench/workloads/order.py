# SPDX-License-Identifier: MIT
"""In which order the pages of a mapping are touched; every order touches every page exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRIDE = "stride:"


def check_order(text: str) -> str:
    """`text` where it names an order: sequential, reverse, random or stride:N. Raises ValueError."""
    if text in {"sequential", "reverse", "random"}:
        return text
    step = text.removeprefix(_STRIDE)
    if text.startswith(_STRIDE) and step.isdecimal() and 0 < int(step) < 1 << 32:
        return f"{_STRIDE}{int(step)}"
    raise ValueError(f"{text!r} is no order; use sequential, reverse, random or stride:N (N pages, 1 or more)")


def page_order(order: str, pages: int, seed: int) -> NDArray[np.uint32]:
    """Page numbers in the order of their touch, shape (pages,).

    stride:N goes 0, N, 2N, ... and then 1, N+1, ... until all were touched; `seed` decides random.
    """
    ascending = np.arange(pages, dtype=np.uint32)
    if order == "reverse":
        return np.ascontiguousarray(ascending[::-1])
    if order == "random":
        np.random.default_rng(seed).shuffle(ascending)
        return ascending
    if order.startswith(_STRIDE):
        step = min(int(order.removeprefix(_STRIDE)), pages)
        return np.concatenate([ascending[start::step] for start in range(step)])
    return ascending
