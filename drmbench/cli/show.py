# SPDX-License-Identifier: MIT
"""drmbench show."""

from __future__ import annotations

import click


@click.command(name="show")
@click.argument("path", metavar="FILE")
@click.option("--format", "format_name", default="table", show_default=True,
              type=click.Choice(["table", "csv", "markdown", "json", "ktap", "junit", "lava", "lava-results", "igt"]),
              help="What stdout shows; from ktap on for reports of verify.")
@click.option("--histogram", is_flag=True, help="Show the latencies on a log scale.")
def command(path: str, format_name: str, histogram: bool) -> None:
    """Print a saved JSON report again; FILE may be - for stdin."""
    from drmbench.render import FORMATS  # noqa: PLC0415 (--help must stay quick)
    from drmbench.store import load  # noqa: PLC0415

    click.echo(FORMATS[format_name](load(path), histogram), nl=False)
