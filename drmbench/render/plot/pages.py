# SPDX-License-Identifier: MIT
"""A heat map of latency by page index: row by row from the start of the buffer, as a page of text is read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drmbench.render.plot.figure import Drawing, new_figure, shown, time_axis, touches_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from drmbench.model import PageLatency
    from drmbench.render.plot.figure import Named

MOST = 8
_COLUMNS = 64


def _series(reports: Sequence[Named]) -> Iterator[tuple[str, PageLatency]]:
    for label, result in touches_of(reports):
        for one in result.passes:
            if one.page_latency is not None and one.page_latency.median_ns and one.page_latency.max_ns:
                again = f", {one.access} pass" if len(result.passes) > 1 else ""
                yield f"{label}{again}", one.page_latency


def applies(reports: Sequence[Named]) -> bool:
    """Whether a pass knows its latencies by page."""
    return any(True for _ in _series(reports))


def draw(reports: Sequence[Named]) -> Drawing:
    """A row a pass: medians to the left, maxima to the right, each side on a scale of colours of its own.

    Numbers: label -> pages a cell, medians, maxima, in ns.
    """
    series = list(_series(reports))[:MOST]
    figure, axes = new_figure(len(series), 1.9, columns=2)
    drawing = Drawing(figure)
    for side, words in enumerate(("median", "maximum")):
        values = [latency.median_ns if side == 0 else latency.max_ns for _label, latency in series]
        limits = _limits(values)
        for number, (label, latency) in enumerate(series):
            place = axes[2 * number + side]
            image = _cells(place, values[number], limits)
            image.set_gid(f"pages-{number}-{words}")
            place.set_title(words if side else shown(f"{label}: {words}"))
            place.set_ylabel("" if side else "page")
            _page_ticks(place, latency.pages_per_group, len(values[number]))
        bar = figure.colorbar(image, ax=axes[side::2], location="bottom", shrink=0.9, aspect=40, pad=0.02)
        time_axis(bar.ax.xaxis)
        bar.set_label(f"{words} latency of a touch")
    for number, (label, latency) in enumerate(series):
        drawing.numbers[f"{number} {label}"] = [latency.pages_per_group, latency.median_ns, latency.max_ns]
    return drawing


def _limits(values: Sequence[Sequence[int]]) -> tuple[int, int]:
    every = [max(1, ns) for each in values for ns in each]
    return min(every), max(*every, min(every) + 1)


def _cells(place: Axes, values: Sequence[int], limits: tuple[int, int]) -> AxesImage:
    from matplotlib.colors import LogNorm  # noqa: PLC0415 (an extra)

    columns = min(_COLUMNS, len(values))
    rows = math.ceil(len(values) / columns)
    padded = [max(1.0, float(ns)) for ns in values] + [math.nan] * (rows * columns - len(values))
    table = [padded[row * columns:(row + 1) * columns] for row in range(rows)]
    place.grid(visible=False)
    return place.imshow(table, norm=LogNorm(*limits), cmap="viridis", aspect="auto", interpolation="nearest")


def _page_ticks(place: Axes, pages_per_cell: int, cells: int) -> None:
    columns = min(_COLUMNS, cells)
    rows = math.ceil(cells / columns)
    step = max(1, rows // 4)
    place.set_yticks(range(0, rows, step), [str(row * columns * pages_per_cell) for row in range(0, rows, step)])
    across = range(0, columns, max(1, columns // 4))
    place.set_xticks(across, [f"+{column * pages_per_cell}" for column in across])
