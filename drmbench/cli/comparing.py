# SPDX-License-Identifier: MIT
"""From two reports to stdout, the JSON file and the exit status of `drmbench compare`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from drmbench.comparison.compare import Asked, Side, compare
from drmbench.comparison.conditions import parse
from drmbench.comparison.judge import Rule
from drmbench.errors import EXIT_CANNOT_TEST, EXIT_OK, EXIT_REGRESSION, UsageError
from drmbench.render import FORMATS
from drmbench.saved_baselines import load_named
from drmbench.store import destination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import CompareReport

_FIELDS = ("device", "buffer", "access", "phase", "order", "size", "strategy")


def asked_for(noise_percent: float, fail_if: Sequence[str], across: str | None, *, live: bool = False) -> Asked:
    """The options as a whole. Raises UsageError."""
    fields = tuple(dict.fromkeys(part.strip() for part in (across or "").split(",") if part.strip()))
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise UsageError("--across", ",".join(unknown), reason="results have no such field",
                         remedy=f"there are {', '.join(_FIELDS)}")
    return Asked(Rule(noise_percent), tuple(parse(text) for text in fail_if), fields, live)


def sides_of(paths: Sequence[str]) -> list[Side]:
    """BASE and each NEW, read. Raises UsageError for less than two, DrmbenchError."""
    if len(paths) < 2:
        raise UsageError("compare", "FILE", reason=f"{len(paths) or 'no'} report{'' if len(paths) == 1 else 's'} given",
                         remedy="drmbench compare BASE NEW, or --live with two devices")
    return [Side.of(path, load_named(path)) for path in paths]


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
