# SPDX-License-Identifier: MIT
"""drmbench explain."""

from __future__ import annotations

import click

from drmbench.cli.options import output_options, picture_options, plot_option, subject_options

DEFAULT_SIZE_BYTES = 4 << 20


@click.command(name="explain")
@subject_options("Default: 4MiB, halved until it fits the device.")
@click.option("--runs", type=click.IntRange(1, 1000), default=3, show_default=True,
              help="Timed runs of each measurement; counts need none.")
@click.option("--cpu", type=click.IntRange(0), help="Measure on this CPU only.")
@picture_options
@plot_option
@output_options()
def command(
    devices: tuple[str, ...], buffer: str | None, size_bytes: int | None, runs: int, cpu: int | None,
    json_path: str | None, format_name: str, html_path: str | None, svg: str | None,
    plot: str | None,
) -> int:
    """Show how a driver maps its buffers, and name the mechanism.

    Faults are counted, VmFlags read, and the mapping is forked, closed and
    mapped once more; what follows is told with the evidence. No privilege is
    needed. Two devices or buffer kinds stand side by side.
    """
    from drmbench.cli.reporting import measure_and_report  # noqa: PLC0415 (--help must stay quick)
    from drmbench.measurement import Options  # noqa: PLC0415
    from drmbench.runner import run_explain  # noqa: PLC0415

    options = Options(
        devices=devices, buffer=buffer, size_bytes=size_bytes, accesses=("write",), order="sequential", runs=runs,
        cpu=cpu, seed=1, baseline=False, default_size_bytes=DEFAULT_SIZE_BYTES,
    )
    return measure_and_report(
        run_explain, options, json_path, format_name, html_path=html_path, svg=svg,
        plot=plot,
    )
