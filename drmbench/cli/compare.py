# SPDX-License-Identifier: MIT
"""drmbench compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from drmbench.cli.options import ACCESSES, asked_repeats, output_options, percent, repeat_options, size
from drmbench.cli.options import order as touch_order

if TYPE_CHECKING:
    from drmbench.model import Access


@click.command(name="compare", epilog="Examples: drmbench compare baseline:good new.json --fail-if 'faults>+0'; "
               "drmbench compare --live --device vkms --device vgem")
@click.argument("paths", metavar="[BASE NEW...]", nargs=-1)
@click.option("--noise", "noise_percent", type=percent, default="5%", show_default=True, metavar="PERCENT",
              help="A change of a median up to this much is no difference.")
@click.option("--fail-if", "fail_if", multiple=True, metavar="CONDITION",
              help="Exit with 3 where it is met: 'p99>+10%', 'faults>+0', 'median>+5%', 'mmap>+1ms'; repeatable.")
@click.option("--across", metavar="FIELD,...",
              help="Also compare results that differ in these: device, buffer, access, phase, order, size, strategy.")
@click.option("--bisect", is_flag=True,
              help="For git bisect run: what cannot be tested, errors too, exits with 125, so that it is skipped.")
@click.option("--live", is_flag=True, help="Measure now, in turns: what is given twice below is compared.")
@click.option("--device", "devices", multiple=True, metavar="SPEC", help="Live: a device, or several.")
@click.option("--buffer", "buffers", multiple=True, metavar="KIND", help="Live: a buffer kind, or several.")
@click.option("--access", "accesses", type=click.Choice(ACCESSES), multiple=True, help="Live: likewise.")
@click.option("--strategy", "strategies", multiple=True, metavar="NAME", help="Live: of compare-populate, likewise.")
@click.option("--kernel", "kernels", multiple=True, metavar="KERNEL",
              help="Live: kernels as vm run takes them, each booted once with these --device.")
@click.option("--size", "size_bytes", type=size, metavar="SIZE", help="Live: buffer size.  [default: 64MiB]")
@click.option("--order", type=touch_order, default="sequential", show_default=True, metavar="ORDER",
              help="Live: sequential, reverse, random or stride:N.")
@repeat_options
@click.option("--cpu", type=click.IntRange(0), help="Live: measure on this CPU only.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Live: of the turns.")
@output_options()
def command(
    paths: tuple[str, ...], noise_percent: float, fail_if: tuple[str, ...], across: str | None, bisect: bool,
    live: bool, devices: tuple[str, ...], buffers: tuple[str, ...], accesses: tuple[Access, ...],
    strategies: tuple[str, ...], kernels: tuple[str, ...], size_bytes: int | None, order: str, runs: int | None,
    precision_percent: float | None, time_budget_s: float | None, warm_up: int, cpu: int | None, seed: int,
    json_path: str | None, format_name: str,
) -> int:
    """Tell what changed between saved reports, or what differs live.

    BASE and NEW are files, or baseline:NAME as --save-baseline keeps them.
    Counts come first: they are exact, and one difference is proof. A time is
    faster or slower where the interval of the ratio, a rank test and the noise
    threshold agree; the same where the interval lies within the noise; else
    drmbench cannot tell. No GPU is needed, but for --live.
    """
    from drmbench.cli.comparing import asked_for, check_live, compare_and_report, sides_of  # noqa: PLC0415 (quick help)

    check_live(live, paths, devices=devices, buffers=buffers, accesses=accesses, strategies=strategies,
               kernels=kernels)
    if not live:
        asked = asked_for(noise_percent, fail_if, across)
        return compare_and_report(sides_of(paths), asked, json_path, format_name, bisect=bisect)
    from drmbench.cli.comparing_live import live_and_report  # noqa: PLC0415 (brings the native code)
    from drmbench.compared_live import Contest  # noqa: PLC0415
    from drmbench.measurement import Options  # noqa: PLC0415

    options = Options(
        devices=devices, buffer=None, size_bytes=size_bytes, accesses=(), order=order, cpu=cpu, seed=seed,
        baseline=False, repeats=asked_repeats(runs, precision_percent, time_budget_s, warm_up), phases=("cold", "warm"),
    )
    return live_and_report(
        Contest(devices, buffers, accesses, strategies), kernels, options, noise_percent=noise_percent, fail_if=fail_if,
        across=across, json_path=json_path, format_name=format_name, bisect=bisect,
    )
