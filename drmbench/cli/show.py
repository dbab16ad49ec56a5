# SPDX-License-Identifier: MIT
"""drmbench show."""

from __future__ import annotations

import click

from drmbench.cli.options import GENERAL_FORMATS, picture_options


@click.command(name="show")
@click.argument("path", metavar="FILE")
@click.option("--format", "format_name", default="table", show_default=True,
              type=click.Choice([*GENERAL_FORMATS, "ktap", "junit", "lava", "lava-results", "igt"]),
              help="What stdout shows; from ktap on for reports of verify.")
@click.option("--histogram", is_flag=True, help="Show the latencies on a log scale.")
@picture_options
def command(path: str, format_name: str, histogram: bool, html_path: str | None, svg: str | None) -> None:
    """Print a saved JSON report again; FILE may be - for stdin.

    With --html or --svg nothing else is printed.
    """
    from drmbench.cli.pages import page_files, takes_stdout  # noqa: PLC0415 (--help must stay quick)
    from drmbench.render import FORMATS  # noqa: PLC0415
    from drmbench.store import load  # noqa: PLC0415

    takes_stdout(None, html_path, svg)
    report = load(path)
    with page_files(html_path, svg) as write_pages:
        write_pages(report)
    if html_path is None and svg is None:
        click.echo(FORMATS[format_name](report, histogram), nl=False)
