# SPDX-License-Identifier: MIT
"""Progress on stderr: a bar on a terminal, a line now and then elsewhere, nothing for short work."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_QUIET_S = 1.0
_LINE_EVERY_S = 10.0


class ProgressOnStderr:
    """Silent for the first second; then a rich bar if stderr is a terminal, else a plain line every 10 s.

    `silent` it says nothing at all.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._terminal = sys.stderr.isatty()
        self._started = self._spoke = time.monotonic()
        self._total = self._done = 0
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, total_runs: int) -> None:
        """So many calls of advance() will follow."""
        self._total = total_runs

    def extend(self, runs: int) -> None:
        """So many calls of advance() more than was said."""
        self._total += runs

    def now(self, text: str) -> None:
        """What happens now."""
        elapsed = time.monotonic() - self._started
        if self._silent or elapsed < _QUIET_S:
            return
        if self._terminal:
            self._show(text)
        elif time.monotonic() - self._spoke >= _LINE_EVERY_S:
            self._spoke = time.monotonic()
            with contextlib.suppress(OSError):
                sys.stderr.write(f"drmbench: {self._done} of {self._total} after {elapsed:.0f} s: {text}\n")
                sys.stderr.flush()

    def advance(self) -> None:
        """One run is done."""
        self._done += 1

    def _show(self, text: str) -> None:
        if self._bar is None:
            from rich.console import Console  # noqa: PLC0415 (only for work that takes long)
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

            self._bar = Progress(
                BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False),
                console=Console(stderr=True), transient=True, auto_refresh=False,  # no thread beside a measurement
            )
            self._task = self._bar.add_task(text, total=self._total)
            self._bar.start()
        if self._task is not None:
            self._bar.update(self._task, completed=self._done, total=self._total, description=text, refresh=True)
