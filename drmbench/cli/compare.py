# SPDX-License-Identifier: MIT
"""drmbench compare."""

from __future__ import annotations

import click

from drmbench.cli.options import output_options, percent


@click.command(name="compare")
@click.argument("paths", metavar="BASE NEW...", nargs=-1)
@click.option("--noise", "noise_percent", type=percent, default="5%", show_default=True, metavar="PERCENT",
              help="A change of a median up to this much is no difference.")
@click.option("--fail-if", "fail_if", multiple=True, metavar="CONDITION",
              help="Exit with 3 where it is met: 'p99>+10%', 'faults>+0', 'median>+5%', 'mmap>+1ms'; repeatable.")
@click.option("--across", metavar="FIELD,...",
              help="Also compare results that differ in these: device, buffer, access, phase, order, size, strategy.")
@click.option("--bisect", is_flag=True,
              help="For git bisect run: what cannot be tested, errors too, exits with 125, so that it is skipped.")
@output_options(("table", "csv", "markdown"))
def command(
    paths: tuple[str, ...], noise_percent: float, fail_if: tuple[str, ...], across: str | None, bisect: bool,
    json_path: str | None, format_name: str,
) -> int:
    """Tell what changed between saved reports.

    BASE and NEW are files, or baseline:NAME as --save-baseline keeps them.
    Counts come first: they are exact, and one difference is proof. A time is
    faster or slower where the interval of the ratio, a rank test and the noise
    threshold agree; the same where the interval lies within the noise; else
    drmbench cannot tell. No GPU is needed.
    """
    from drmbench.cli.comparing import asked_for, compare_and_report, sides_of  # noqa: PLC0415 (--help must stay quick)

    asked = asked_for(noise_percent, fail_if, across)
    return compare_and_report(sides_of(paths), asked, json_path, format_name, bisect=bisect)
