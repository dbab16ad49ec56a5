# SPDX-License-Identifier: MIT
"""Progress of a fetch on stderr: a bar where somebody watches, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_MB = 1_000_000


class Progress:
    """Steps of one fetch; use as a context manager so that the terminal is left tidy."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._bar: object | None = None

    def step(self, text: str) -> None:
        """Say what begins now, with the seconds since the start."""
        self._close()
        print(f"drmbench: vm: {time.monotonic() - self._start:5.1f} s  {text}",  # noqa: T201 (progress is its job)
              file=sys.stderr, flush=True)

    def downloading(self, done_bytes: int, total_bytes: int) -> None:
        """Show how far a download is; nothing where stderr is no terminal."""
        if not sys.stderr.isatty() or not total_bytes:
            return
        from rich.console import Console  # noqa: PLC0415 (slow to import, needed on terminals only)
        from rich.progress import BarColumn, DownloadColumn, TransferSpeedColumn  # noqa: PLC0415 (as above)
        from rich.progress import Progress as Bar  # noqa: PLC0415 (as above)

        if self._bar is None:
            self._bar = Bar("download", BarColumn(), DownloadColumn(), TransferSpeedColumn(),
                            console=Console(stderr=True), transient=True)
            self._bar.add_task("download", total=total_bytes)
            self._bar.start()
        if isinstance(self._bar, Bar):
            self._bar.update(self._bar.task_ids[0], completed=done_bytes)

    def _close(self) -> None:
        stop = getattr(self._bar, "stop", None)
        if stop is not None:
            stop()
        self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._close()


def megabytes(size_bytes: int) -> str:
    """A download's size as mirrors print it: 70550672 -> "71 MB"."""
    return f"{size_bytes / _MB:.0f} MB"
