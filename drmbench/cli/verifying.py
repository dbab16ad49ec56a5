# SPDX-License-Identifier: MIT
"""From the cases to stdout, the JSON file and the exit status."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from drmbench.cli.progress import ProgressOnStderr
from drmbench.conformance.cases import CASES
from drmbench.conformance.selection import select
from drmbench.conformance.suite import run_verify
from drmbench.errors import EXIT_OK
from drmbench.render import FORMATS
from drmbench.render.cases import CaseLine, cases_document
from drmbench.render.table import render_table
from drmbench.store import destination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.conformance.suite import VerifyOptions


def list_cases(globs: Sequence[str]) -> int:
    """Print the cases that match. Raises UsageError where a glob matches none."""
    lines = [CaseLine(c.name, c.rule, c.source, tuple(need.name for need in c.needs)) for c in select(CASES, globs)]
    click.echo(render_table(cases_document(lines)), nl=False)
    return EXIT_OK


def verify_and_report(options: VerifyOptions, json_path: str | None, format_name: str) -> int:
    """Run, print, save, and say what is missing; returns the exit status. Raises DrmbenchError."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(destination(json_path)) if json_path is not None else None
        with ProgressOnStderr() as progress:
            outcome = run_verify(options, CASES, progress)
        if json_path != "-":
            click.echo(FORMATS[format_name](outcome.report, False), nl=False)
        if file is not None:
            file.save(outcome.report)
    for failure in outcome.failures:
        click.echo(f"drmbench: {failure}", err=True)
    if outcome.interrupted:
        click.echo("drmbench: interrupted: what had finished is reported", err=True)
    return outcome.exit_status
