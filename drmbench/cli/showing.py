# SPDX-License-Identifier: MIT
"""Several saved reports on stdout, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from drmbench.errors import UsageError, one_line
from drmbench.render import FORMATS
from drmbench.render.kcidb import render_kcidb
from drmbench.saved_baselines import load_named

if TYPE_CHECKING:
    from collections.abc import Sequence

# Format -> the line that stands before each of several reports; one without can show only one.
_TITLES = {"table": "== {name}", "markdown": "## {name}", "csv": "# {name}"}


def show_all(paths: Sequence[str], format_name: str, *, histogram: bool, origin: str | None = None) -> None:
    """Print each, a line with its name before it where there are several. All are read before any is printed.

    Raises UsageError for a format that holds one report only, DrmbenchError.
    """
    if len(paths) > 1 and format_name not in _TITLES:
        raise UsageError("show", f"--format {format_name}", reason="this is one document for one report",
                         remedy="call it once for each FILE")
    if origin is not None and format_name != "kcidb":
        raise UsageError("show", "--origin", reason="only KCIDB knows origins", remedy="--format kcidb")
    reports = [load_named(path) for path in paths]
    texts = [FORMATS[format_name](report, histogram) if origin is None else render_kcidb(report, origin)
             for report in reports]
    for index, (path, text) in enumerate(zip(paths, texts, strict=True)):
        if len(paths) > 1:
            title = _TITLES[format_name].format(name=one_line(path))
            click.echo(f"{chr(10) if index else ''}{title}\n")
        click.echo(text, nl=False)
