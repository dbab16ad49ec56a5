# SPDX-License-Identifier: MIT
"""From a finished measurement to stdout and the JSON file, and to the exit status."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import click

from drmbench.cli.pages import page_files, takes_stdout
from drmbench.cli.progress import ProgressOnStderr
from drmbench.errors import EXIT_ERROR, EXIT_OK
from drmbench.render import FORMATS
from drmbench.saved_baselines import path_to_save
from drmbench.store import destination

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.measurement import Progress
    from drmbench.model import Report
    from drmbench.runner import Outcome

Asked = TypeVar("Asked")  # the options of a command


def measure_and_report(
    run: Callable[[Asked, Progress], Outcome], options: Asked, json_path: str | None, format_name: str,
    *, histogram: bool = False, html_path: str | None = None, svg: str | None = None,
    plot: str | None = None, save_baseline: str | None = None,
) -> int:
    """Measure, print, save, and say what is missing; returns the exit status.

    The table is printed before the file is written, so that a disk that fills up loses nothing.
    Raises DrmbenchError.
    """
    printed = not takes_stdout(json_path, html_path, svg)
    with contextlib.ExitStack() as stack:
        write_pages = stack.enter_context(page_files(html_path, svg, plot))
        file = stack.enter_context(destination(json_path)) if json_path is not None else None
        kept = stack.enter_context(destination(path_to_save(save_baseline))) if save_baseline is not None else None
        with ProgressOnStderr() as progress:
            outcome = run(options, progress)
        if printed:
            click.echo(FORMATS[format_name](outcome.report, histogram), nl=False)
        if file is not None:
            file.save(outcome.report)
        if kept is not None and not outcome.interrupted:
            kept.save(outcome.report)
        write_pages(outcome.report)
    for failure in outcome.failures:
        click.echo(f"drmbench: {failure}", err=True)
    if outcome.interrupted:
        click.echo("drmbench: interrupted: what had finished is reported", err=True)
    return EXIT_ERROR if outcome.failures or outcome.interrupted else EXIT_OK


def finished_report(make: Callable[[], Report], json_path: str | None, format_name: str) -> None:
    """Make a report that takes no time, print and save it. Raises DrmbenchError."""
    with destination(json_path) if json_path is not None else contextlib.nullcontext() as file:
        report = make()
        if json_path != "-":
            click.echo(FORMATS[format_name](report, False), nl=False)
        if file is not None:
            file.save(report)
