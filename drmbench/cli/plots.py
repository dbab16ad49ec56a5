# SPDX-License-Identifier: MIT
"""--plot: from reports to a figure, in a file that was proved writable, and a library proved to be there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drmbench.render.plot import draw, split_plot_option
from drmbench.render.plot.figure import styled
from drmbench.store import destination

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drmbench.render.plot.figure import Named


@contextlib.contextmanager
def plot_file(option: str) -> Iterator[Callable[[Sequence[Named]], None]]:
    """What draws (label, report) pairs as --plot says. Raises DrmbenchError, before anything is measured."""
    name, path = split_plot_option(option)
    styled()
    with destination(path) as file:
        yield lambda reports: file.save_bytes(draw(reports, name).encoded(path))
