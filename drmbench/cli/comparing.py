# SPDX-License-Identifier: MIT
"""From two reports to stdout, the JSON file and the exit status of `drmbench compare`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from drmbench.comparison.compare import Asked, Side, compare
from drmbench.comparison.conditions import parse
from drmbench.comparison.judge import Rule
from drmbench.errors import EXIT_CANNOT_TEST, EXIT_OK, EXIT_REGRESSION, DrmbenchError, UsageError
from drmbench.model import FleetReport
from drmbench.render import FORMATS
from drmbench.saved_baselines import load_named
from drmbench.store import destination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import CompareReport

_SINGULAR = {"devices": "device", "buffers": "buffer", "accesses": "access", "strategies": "strategy",
             "kernels": "kernel"}
_FIELDS = ("device", "buffer", "access", "phase", "order", "size", "strategy")


def asked_for(noise_percent: float, fail_if: Sequence[str], across: str | None, *, live: bool = False) -> Asked:
    """The options as a whole. Raises UsageError."""
    fields = tuple(dict.fromkeys(part.strip() for part in (across or "").split(",") if part.strip()))
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise UsageError("--across", ",".join(unknown), reason="results have no such field",
                         remedy=f"there are {', '.join(_FIELDS)}")
    return Asked(Rule(noise_percent), tuple(parse(text) for text in fail_if), fields, live)


def check_live(live: bool, paths: Sequence[str], **measured: Sequence[str]) -> None:
    """Files or measuring, not both. Raises UsageError."""
    given = [f"--{_SINGULAR[name]}" for name, values in measured.items() if values]
    if live and paths:
        raise UsageError("compare", "--live", reason="it measures, and takes no file", remedy="leave the files out")
    if given and not live:
        raise UsageError("compare", given[0], reason="files hold what was measured", remedy="or give --live")


def sides_of(paths: Sequence[str]) -> list[Side]:
    """BASE and each NEW, read. Raises UsageError for less than two, DrmbenchError."""
    sides = [side for path in paths for side in _sides_in(path)]
    if len(sides) < 2:
        raise UsageError("compare", "FILE", reason=f"{len(sides) or 'no'} report{'' if len(sides) == 1 else 's'} given",
                         remedy="drmbench compare BASE NEW, or --live with two devices")
    return sides


def _sides_in(path: str) -> list[Side]:
    """The report, or that of each board of a fleet."""
    report = load_named(path)
    if not isinstance(report, FleetReport):
        return [Side.of(path, report)]
    found = [Side.of(f"{path}:{board.place}", board.report) for board in report.boards if board.report is not None]
    if not found:
        raise DrmbenchError(path, "compare", reason="no board of it has a report", remedy="fleet run --resume")
    return found


def compare_and_report(sides: Sequence[Side], asked: Asked, json_path: str | None, format_name: str, *,
                       bisect: bool) -> int:
    """Compare, print, save; returns the exit status: 3 where a --fail-if is met. Raises DrmbenchError."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(destination(json_path)) if json_path is not None else None
        report = compare(sides, asked)
        if json_path != "-":
            click.echo(FORMATS[format_name](report, False), nl=False)
        if file is not None:
            file.save(report)
    return _status(report, bisect=bisect)


def _status(report: CompareReport, *, bisect: bool) -> int:
    for condition in report.conditions:
        if condition.verdict != "not met":
            click.echo(f"drmbench: compare: --fail-if '{condition.text}' is {condition.verdict}: "
                       f"{'; '.join(condition.where)}", err=True)
    verdicts = {condition.verdict for condition in report.conditions}
    if "met" in verdicts:
        return EXIT_REGRESSION
    return EXIT_CANNOT_TEST if bisect and "undecided" in verdicts else EXIT_OK
