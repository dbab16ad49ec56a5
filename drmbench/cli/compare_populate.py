# SPDX-License-Identifier: MIT
"""drmbench compare-populate."""

from __future__ import annotations

import click

from drmbench.cli.options import (
    LAB_FORMATS,
    accesses,
    asked_repeats,
    measuring_options,
    output_options,
    picture_options,
)
from drmbench.cli.options import strategies as strategy_names


@click.command(name="compare-populate")
@measuring_options
@click.option("--strategies", type=strategy_names, default="all", show_default=True, metavar="NAME,...",
              help="lazy, map-populate, madv-populate-read, madv-populate-write, mlock, touch.")
@picture_options
@output_options(LAB_FORMATS)
def command(
    devices: tuple[str, ...], buffer: str | None, size_bytes: int | None, access: str, order: str,
    runs: int | None, precision_percent: float | None, time_budget_s: float | None, warm_up: int, cpu: int | None,
    seed: int, no_baseline: bool, save_baseline: str | None, strategies: tuple[str, ...], json_path: str | None,
    format_name: str, html_path: str | None, svg: str | None,
) -> int:
    """Prove which populate strategies did anything.

    A verdict follows from fault counts: real, no-op, refused or moot.
    """
    from drmbench.cli.reporting import measure_and_report  # noqa: PLC0415 (--help must stay quick)
    from drmbench.measurement import Options  # noqa: PLC0415
    from drmbench.runner import run_compare_populate  # noqa: PLC0415

    options = Options(
        devices=devices, buffer=buffer, size_bytes=size_bytes, accesses=accesses(access), order=order,
        repeats=asked_repeats(runs, precision_percent, time_budget_s, warm_up), cpu=cpu, seed=seed,
        baseline=not no_baseline, strategies=strategies,
    )
    return measure_and_report(
        run_compare_populate, options, json_path, format_name, html_path=html_path, svg=svg,
        save_baseline=save_baseline,
    )
