# SPDX-License-Identifier: MIT
"""Copies what the guest's command writes to our own stdout or stderr while it runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Follower:
    """One growing file in the exchange directory and the descriptor that its bytes go to."""

    def __init__(self, path: Path, target: int) -> None:
        path.touch()
        self._source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._target = target

    def pump(self) -> bool:
        """Copy everything new; True where there was something.

        Raises BrokenPipeError where the reader of our output is gone.
        """
        moved = False
        while piece := os.read(self._source, 1 << 16):
            moved = True
            while piece:
                piece = piece[os.write(self._target, piece):]
        return moved

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self._source)
