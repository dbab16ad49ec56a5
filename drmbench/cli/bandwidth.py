# SPDX-License-Identifier: MIT
"""drmbench bandwidth."""

from __future__ import annotations

import click

from drmbench.cli.options import (
    LAB_FORMATS,
    asked_repeats,
    operations,
    output_options,
    picture_options,
    repeating_options,
    subject_options,
)


@click.command(name="bandwidth")
@subject_options("Default: 64MiB, halved until it fits the device.")
@click.option("--operations", "operation_names", type=operations, default="all", show_default=True, metavar="NAME,...",
              help="read, write, fill, copy-to, copy-from.")
@repeating_options("For the order of the passes.")
@picture_options
@output_options(LAB_FORMATS)
def command(
    devices: tuple[str, ...], buffer: str | None, size_bytes: int | None, operation_names: tuple[str, ...],
    runs: int | None, precision_percent: float | None, time_budget_s: float | None, warm_up: int, cpu: int | None,
    seed: int, no_baseline: bool, save_baseline: str | None, json_path: str | None, format_name: str,
    html_path: str | None, svg: str | None,
) -> int:
    """Measure how fast the CPU moves bytes through a mapping.

    Every page was touched before. Words of 8 bytes, vectors, non-temporal
    accesses, memcpy() and memset(); and what their ratios say of the caching
    mode (write-back, write-combining, uncached).
    """
    from drmbench.bandwidth import run_bandwidth  # noqa: PLC0415 (--help must stay quick)
    from drmbench.cli.reporting import measure_and_report  # noqa: PLC0415
    from drmbench.measurement import Options  # noqa: PLC0415

    stores = bool(set(operation_names) - {"read", "copy-from"})
    options = Options(
        devices=devices, buffer=buffer, size_bytes=size_bytes, accesses=("write",) if stores else ("read",),
        order="sequential", repeats=asked_repeats(runs, precision_percent, time_budget_s, warm_up),
        cpu=cpu, seed=seed, baseline=not no_baseline, operations=operation_names,
    )
    return measure_and_report(run_bandwidth, options, json_path, format_name, html_path=html_path, svg=svg,
                              save_baseline=save_baseline)
