# SPDX-License-Identifier: MIT
"""drmbench show."""

from __future__ import annotations

import click

from drmbench.cli import completion
from drmbench.cli.options import GENERAL_FORMATS, LAB_FORMATS, picture_options, plot_option


@click.command(name="show")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, shell_complete=completion.files)
@click.option("--format", "format_name", default="table", show_default=True,
              type=click.Choice([*GENERAL_FORMATS, *LAB_FORMATS, "ktap", "junit", "lava-results", "igt",
                                 "mermaid"]),
              help="What stdout shows; lava and kcidb need numbers or verdicts, ktap to igt a report of verify, "
                   "mermaid one of trace.")
@click.option("--origin", metavar="NAME", help="With --format kcidb: the CI system.  [default: "
                                               "$DRMBENCH_KCIDB_ORIGIN, else drmbench]")
@click.option("--histogram", is_flag=True, help="Show the latencies on a log scale.")
@picture_options
@plot_option
def command(paths: tuple[str, ...], format_name: str, histogram: bool, html_path: str | None, svg: str | None,
            plot: str | None, origin: str | None) -> None:
    """Print saved JSON reports again; FILE may be - for stdin, or baseline:NAME.

    With --html, --svg or --plot nothing else is printed. The first two take
    one FILE, --plot draws several in one figure.
    """
    from drmbench.cli.pages import page_files, takes_stdout  # noqa: PLC0415 (--help must stay quick)
    from drmbench.cli.plots import plot_file  # noqa: PLC0415
    from drmbench.cli.showing import show_all  # noqa: PLC0415
    from drmbench.errors import UsageError  # noqa: PLC0415
    from drmbench.saved_baselines import load_named  # noqa: PLC0415

    takes_stdout(None, html_path, svg)
    if plot is not None:
        with plot_file(plot) as draw:
            draw([(path, load_named(path)) for path in paths])
    if html_path is None and svg is None:
        if plot is None:
            show_all(paths, format_name, histogram=histogram, origin=origin)
        return
    if len(paths) > 1:
        raise UsageError("show", "--html", reason="a page or picture is made of one report",
                         remedy="call it once for each FILE")
    report = load_named(paths[0])
    with page_files(html_path, svg) as write_pages:
        write_pages(report)
