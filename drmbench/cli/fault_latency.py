# SPDX-License-Identifier: MIT
"""drmbench fault-latency."""

from __future__ import annotations

import click

from drmbench.cli.options import (
    LAB_FORMATS,
    accesses,
    asked_repeats,
    measuring_options,
    output_options,
    picture_options,
    plot_option,
)


@click.command(name="fault-latency")
@measuring_options
@click.option("--phase", type=click.Choice(["cold", "warm", "both"]), default="both", show_default=True,
              help="cold: first mapping of a fresh buffer; warm: mapped again.")
@click.option("--histogram", is_flag=True, help="Show the latencies on a log scale.")
@picture_options
@plot_option
@output_options(LAB_FORMATS)
def command(
    devices: tuple[str, ...], buffer: str | None, size_bytes: int | None, access: str, order: str,
    runs: int | None, precision_percent: float | None, time_budget_s: float | None, warm_up: int, cpu: int | None,
    seed: int, no_baseline: bool, save_baseline: str | None, phase: str, histogram: bool, json_path: str | None,
    format_name: str, html_path: str | None, svg: str | None,
    plot: str | None,
) -> int:
    """Time and count the first touches of mapped buffers.

    Each touch is timed alone, in C; the faults of every stage are counted.
    """
    from drmbench.cli.reporting import measure_and_report  # noqa: PLC0415 (--help must stay quick)
    from drmbench.measurement import Options  # noqa: PLC0415
    from drmbench.runner import run_fault_latency  # noqa: PLC0415

    options = Options(
        devices=devices, buffer=buffer, size_bytes=size_bytes, accesses=accesses(access), order=order,
        repeats=asked_repeats(runs, precision_percent, time_budget_s, warm_up), cpu=cpu, seed=seed,
        baseline=not no_baseline,
        phases=tuple(p for p in ("cold", "warm") if phase in {p, "both"}),
    )
    return measure_and_report(
        run_fault_latency, options, json_path, format_name, histogram=histogram, html_path=html_path, svg=svg,
        plot=plot, save_baseline=save_baseline,
    )
