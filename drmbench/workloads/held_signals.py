# SPDX-License-Identifier: MIT
"""Ctrl-C between two steps and never inside of one, so that nothing that was just made is lost from sight."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_HELD = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def held_signals() -> Iterator[None]:
    """SIGINT and SIGTERM wait until the block ends, and then do what they did before; for the main thread.

    A signal mask would not do: another thread (numpy has some) would take the signal, and Python run its handler here.
    """
    caught: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        caught.append(number)

    before = [(number, signal.signal(number, remember)) for number in _HELD]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if caught:
            signal.raise_signal(caught[0])
