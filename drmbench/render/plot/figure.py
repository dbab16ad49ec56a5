# SPDX-License-Identifier: MIT
"""A matplotlib figure as the bytes of an SVG or PNG file, with the numbers it was drawn from inside.

Names in a report are text, never TeX; the picture depends on nothing but the report and matplotlib's version.
"""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drmbench.errors import DrmbenchError, one_line
from drmbench.model import ExplainReport, FaultLatencyReport
from drmbench.render.common import label_of, short_access

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from drmbench.model import FaultLatencyResult, Report

Named = tuple[str, "Report"]
"""What the report is called, and the report."""

FAULT, HIT = "#c1440e", "#2f6f9f"
CYCLE = ("#2f6f9f", "#c1440e", "#3f7f4f", "#8a5aa8", "#9a7b1c", "#5b6470", "#d1799b", "#1f9e9e")
_LONGEST = 60
_STYLE: dict[Any, Any] = {
    "text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "drmbench", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "axes.titlesize": 9, "axes.titlelocation": "left", "legend.frameon": False, "legend.fontsize": 8,
}


@dataclass(slots=True)
class Drawing:
    """A figure, and the numbers that were drawn: they go into the file's metadata as JSON."""

    figure: Figure
    numbers: dict[str, Any] = field(default_factory=dict)

    def encoded(self, path: str) -> bytes:
        """The file: SVG or PNG, by the end of its name."""
        suffix = "svg" if path.lower().endswith(".svg") else "png"
        told: dict[str, str | None] = {"Description": json.dumps(self.numbers), "Title": "drmbench"}
        told["Date" if suffix == "svg" else "Software"] = None
        output = io.BytesIO()
        with styled(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a letter that no font has is drawn as a box
            self.figure.savefig(output, format=suffix, metadata=told, dpi=144)
        return output.getvalue()


def styled() -> AbstractContextManager[None]:
    """Our style, which what is made in the block keeps. Raises DrmbenchError where matplotlib is not installed."""
    try:
        from matplotlib import rc_context  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise DrmbenchError("--plot", "matplotlib", reason=f"not installed ({one_line(str(error))})",
                            remedy="pip install 'drmbench[plot]', or pip install matplotlib") from None
    return rc_context(_STYLE)


def new_figure(rows: int, height: float = 3.0, *, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure 8 inches wide with rows x columns axes, row by row; to be called inside styled()."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 (an extra)
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 0.4 + max(height * rows, 2.6)), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [each for row in figure.subplots(rows, columns, squeeze=False) for each in row]


def shown(text: str) -> str:
    """A text that matplotlib takes as it is: clean, not too long, and no label that it would hide."""
    clean = one_line(text)
    clean = clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST - 3]}..."
    return f" {clean}" if clean.startswith("_") else clean


def touches_of(reports: Sequence[Named]) -> Iterator[tuple[str, FaultLatencyResult]]:
    """(label, result) for each fault-latency result in the reports; the label names its report if there are several."""
    for name, report in reports:
        before = f"{name}: " if len(reports) > 1 else ""
        if isinstance(report, FaultLatencyReport):
            results = report.results
        elif isinstance(report, ExplainReport):
            results = [touch for result in report.results for touch in result.touches]
        else:
            continue
        for result in results:
            yield f"{before}{series_label(result)}", result


def series_label(result: FaultLatencyResult) -> str:
    """What was touched and how: "vkms card0 dumb, write, cold"."""
    return f"{label_of(result.target)}, {short_access(result.access)}, {result.phase}"


def time_axis(axis: Any) -> None:  # noqa: ANN401 (matplotlib's axis)
    """A logarithmic axis of values in ns whose ticks read 1 us, 10 us..., between them 2 and 5 where there is room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415 (an extra)

    low, high = axis.get_view_interval()
    within = high < 100 * max(low, 1)
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if within else (1.0,), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda ns, _position: tick(ns)))
    axis.set_minor_formatter(NullFormatter())


def count_axis(axis: Any) -> None:  # noqa: ANN401 (matplotlib's axis)
    """Ticks that read 1, 1000, 10^6."""
    from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: PLC0415 (an extra)

    axis.set_major_formatter(FuncFormatter(lambda count, _position: f"{count:g}"))
    axis.set_minor_formatter(NullFormatter())


def tick(ns: float) -> str:
    """A time at a tick: 2000 -> "2 us"."""
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= unit:
            return f"{ns / unit:g} {name}"
    return f"{ns:g} ns"
