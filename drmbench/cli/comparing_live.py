# SPDX-License-Identifier: MIT
"""From the options of `drmbench compare --live` to sides that were measured in turns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from drmbench.cli.comparing import asked_for, compare_and_report
from drmbench.cli.comparing_kernels import kernel_sides
from drmbench.cli.options import strategies
from drmbench.cli.progress import ProgressOnStderr
from drmbench.compared_live import measure_sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.compared_live import Contest
    from drmbench.measurement import Options


def live_and_report(
    contest: Contest, kernels: Sequence[str], options: Options, *, noise_percent: float, fail_if: Sequence[str],
    across: str | None, json_path: str | None, format_name: str, bisect: bool,
) -> int:
    """Measure, compare, print, save; returns the exit status. Raises DrmbenchError."""
    asked = asked_for(noise_percent, fail_if, across, live=not kernels)
    if kernels:
        return compare_and_report(kernel_sides(kernels, contest, options), asked, json_path, format_name, bisect=bisect)
    if contest.strategies:
        # compare-populate measures lazy along, the reference of its verdicts.
        options = replace(options, strategies=strategies(",".join(contest.strategies)))
    with ProgressOnStderr() as progress:
        sides, fields = measure_sides(contest, options, progress)
    asked = replace(asked, across=tuple(dict.fromkeys((*asked.across, *fields))))
    return compare_and_report(sides, asked, json_path, format_name, bisect=bisect)
