# SPDX-License-Identifier: MIT
"""Reports -> one figure with axes, by matplotlib. PLOTS is where a new plot is entered; each has a file of its own.

matplotlib is an extra: it is imported when a figure is drawn, and not before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.errors import UsageError
from drmbench.render.plot import before_after, ecdf, histogram, pages, scaling
from drmbench.render.plot.figure import styled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.render.plot.figure import Drawing, Named


@dataclass(frozen=True, slots=True)
class Plot:
    """`applies` says whether there is anything to draw in these reports, `draw` draws it."""

    what: str
    applies: Callable[[Sequence[Named]], bool]
    draw: Callable[[Sequence[Named]], Drawing]


PLOTS = {
    "before-after": Plot("medians and p99 of the same thing in several reports", before_after.applies,
                         before_after.draw),
    "histogram": Plot("touches by latency, those that fault apart", histogram.applies, histogram.draw),
    "ecdf": Plot("the share of the touches that took at most so long", ecdf.applies, ecdf.draw),
    "pages": Plot("latency by page index", pages.applies, pages.draw),
    "scaling": Plot("faults per second by workers, or cost by size", scaling.applies, scaling.draw),
}
"""--plot NAME:FILE -> what is drawn. Without a name: the first that the reports have, in this order."""


def split_plot_option(value: str) -> tuple[str | None, str]:
    """--plot "NAME:FILE" -> (name, path); (None, path) where no plot's name stands before a colon.

    Raises UsageError where the file's name ends in neither .svg nor .png.
    """
    name, colon, path = value.partition(":")
    found = (name, path) if colon and name in PLOTS and path else (None, value)
    if not found[1].lower().endswith((".svg", ".png")):
        raise UsageError("--plot", found[1], reason="the file's name says what is drawn: it ends in .svg or .png")
    return found


def draw(reports: Sequence[Named], name: str | None) -> Drawing:
    """The plot called `name` of (label, report) pairs; None takes the first that applies.

    Raises UsageError where the reports have no such plot, DrmbenchError where matplotlib is missing.
    """
    there = [each for each, plot in PLOTS.items() if plot.applies(reports)]
    if name is None and there:
        name = there[0]
    if name not in there:
        remedy = f"there are {', '.join(there)}" if there else "plots are for fault-latency and what contains it"
        raise UsageError("--plot", name or "plot", reason="these reports have no such plot", remedy=remedy)
    with styled():
        return PLOTS[name].draw(reports)
