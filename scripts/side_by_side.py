# SPDX-License-Identifier: MIT
"""One line of the table of `make bench`, and how the lines are printed."""

import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 80


@dataclass(frozen=True)
class Beside:
    """A number of ours beside another program's, whether it is as it must be, and what each contains."""

    what: str
    ours: str
    theirs: str
    ratio: str
    verdict: str
    contains: str


def compared(what: str, ours: Sequence[float], theirs: Sequence[float], unit: str, contains: str,
             within: float | None = None, most: float | None = None) -> Beside:
    """Medians, and the median and range of the ratios taken round by round.

    `within` is the share by which the ratio may differ from 1, `most` what it may be at most.
    """
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    verdict = "-"
    if within is not None:
        verdict = f"{_met(abs(ratio - 1) <= within)} (1 +- {within:.2f})"
    if most is not None:
        verdict = f"{_met(ratio <= most)} (at most {most:g})"
    return Beside(what, f"{statistics.median(ours):.4g} {unit}", f"{statistics.median(theirs):.4g} {unit}",
                  f"{ratio:.3f} ({min(ratios):.2f}-{max(ratios):.2f})", verdict, contains)


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def missing(what: str, why: str) -> Beside:
    """A comparison that could not be made."""
    return Beside(what, "-", "-", "-", "not compared", why)


def show(rows: Sequence[Beside]) -> None:
    """The table, then what each number contains."""
    head = ("", "drmbench", "beside it", "ratio (range)", "target")
    cells = [head] + [(f"{number}", row.ours, row.theirs, row.ratio, row.verdict)
                      for number, row in enumerate(rows, 1)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print()
    for number, row in enumerate(rows, 1):
        print(textwrap.fill(f"{number}. {row.what}: {row.contains}", _WIDTH, subsequent_indent="   "))
