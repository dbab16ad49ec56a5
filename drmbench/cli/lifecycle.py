# SPDX-License-Identifier: MIT
"""drmbench lifecycle."""

from __future__ import annotations

import click

from drmbench.cli.options import (
    LAB_FORMATS,
    asked_repeats,
    live_counts,
    output_options,
    picture_options,
    repeating_options,
    sizes,
    target_options,
)

DEFAULT_LIVE = "1,100,10000"


@click.command(name="lifecycle")
@target_options
@click.option("--sizes", "sizes_bytes", type=sizes, default="4KiB,64KiB,1MiB", show_default=True, metavar="SIZE,...",
              help="Buffer sizes.")
@click.option("--live", type=live_counts, metavar="N,...",
              help=f"How many buffers are alive and mapped.  [default: {DEFAULT_LIVE}, less where they do not fit]")
@click.option("--cycles", type=click.IntRange(1, 1_000_000), default=100, show_default=True,
              help="Lives of one more buffer, in each run.")
@repeating_options("For the order in which targets take turns.")
@picture_options
@output_options(LAB_FORMATS)
def command(
    devices: tuple[str, ...], buffer: str | None, sizes_bytes: tuple[int, ...], live: tuple[int, ...] | None,
    cycles: int, runs: int | None, precision_percent: float | None, time_budget_s: float | None, warm_up: int,
    cpu: int | None, seed: int, no_baseline: bool, save_baseline: str | None, json_path: str | None,
    format_name: str, html_path: str | None, svg: str | None,
) -> int:
    """Time each call of a buffer's life, with 1 to 10000 others alive.

    create, map_offset, mmap, munmap, PRIME export and import, destroy: each
    call alone, with its faults. No page is touched, and the others stay mapped.
    """
    from drmbench.cli.reporting import measure_and_report  # noqa: PLC0415 (--help must stay quick)
    from drmbench.lifecycle import run_lifecycle  # noqa: PLC0415
    from drmbench.measurement import Options  # noqa: PLC0415

    options = Options(
        devices=devices, buffer=buffer, size_bytes=max(sizes_bytes), accesses=("write",), order="sequential",
        repeats=asked_repeats(runs, precision_percent, time_budget_s, warm_up), cpu=cpu, seed=seed,
        baseline=not no_baseline, sizes=sizes_bytes, live_fixed=live is not None,
        live_buffers=live or live_counts(DEFAULT_LIVE), cycles=cycles,
    )
    return measure_and_report(run_lifecycle, options, json_path, format_name, html_path=html_path, svg=svg,
                              save_baseline=save_baseline)
