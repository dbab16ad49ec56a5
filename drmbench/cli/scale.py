# SPDX-License-Identifier: MIT
"""drmbench scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from drmbench.cli.options import (
    LAB_FORMATS,
    asked_repeats,
    output_options,
    picture_options,
    plot_option,
    repeat_options,
    save_baseline_option,
    subject_options,
)
from drmbench.cli.scaling import layouts as layout_names
from drmbench.cli.scaling import size_range, worker_numbers

if TYPE_CHECKING:
    from drmbench.model import Layout


@click.command(name="scale", epilog="Example: drmbench scale --device vkms --layout all --threads 1,2,4")
@subject_options("Of all workers together. Default: 16MiB, halved until it fits the device.")
@click.option("--threads", type=worker_numbers, metavar="N,...", help="Numbers of threads; 1 is always among them.")
@click.option("--processes", type=worker_numbers, metavar="N,...", help="Numbers of forked processes, likewise.")
@click.option("--max-workers", type=click.IntRange(1, 1024), metavar="N",
              help="1, 2, 4... N of each instead.  [default: the CPUs that may be used]")
@click.option("--layout", type=layout_names, default="shared-vma-split,own-buffer", show_default=True,
              metavar="NAME,...", help="shared-vma-split, shared-vma-same, own-vma, own-buffer, own-file, or all.")
@click.option("--size-sweep", type=size_range, metavar="FROM..TO",
              help="Instead of workers: each doubled size from 4KiB..4GiB or the like.")
@click.option("--access", type=click.Choice(["write", "read"]), default="write", show_default=True,
              help="How pages are touched.")
@click.option("--phase", type=click.Choice(["cold", "warm"]), default="cold", show_default=True,
              help="cold: fresh buffers; warm: their pages exist, a fault only maps them.")
@repeat_options
@click.option("--cpu", type=click.IntRange(0), help="Of --size-sweep: measure on this CPU only.")
@click.option("--no-baseline", is_flag=True, help="Leave out memfd, the curve to compare with.")
@save_baseline_option
@picture_options
@plot_option
@output_options(LAB_FORMATS)
def command(devices: tuple[str, ...], buffer: str | None, size_bytes: int | None, threads: tuple[int, ...] | None,
            processes: tuple[int, ...] | None, max_workers: int | None, layout: tuple[Layout, ...],
            size_sweep: tuple[int, ...] | None, access: str, phase: str, runs: int | None,
            precision_percent: float | None, time_budget_s: float | None, warm_up: int, cpu: int | None,
            no_baseline: bool, save_baseline: str | None, html_path: str | None, svg: str | None, plot: str | None,
            json_path: str | None, format_name: str) -> int:
    """Take the same faults with 1, 2... workers at once, each on its CPU.

    The workers are native threads, then forked processes, that start together;
    each counts its own faults. A layout says what they share:

    \b
    shared-vma-split  one buffer and mapping, each touches its part
    shared-vma-same   the same, each touches all pages
    own-vma           one buffer, a mapping each, each touches its part
    own-buffer        a buffer each, on one open file
    own-file          a buffer each, each on an open file of its own

    Efficiency is the rate of faults over N times that of one worker.
    """  # noqa: D301 (click's mark for lines that stay as they are)
    from drmbench.cli.reporting import measure_and_report  # noqa: PLC0415 (--help must stay quick)
    from drmbench.cli.scaling import options_for  # noqa: PLC0415
    from drmbench.scale.suite import run_scale  # noqa: PLC0415

    options = options_for(devices=devices, buffer=buffer, size_bytes=size_bytes, threads=threads, processes=processes,
                          max_workers=max_workers, layouts=layout, size_sweep=size_sweep, access=access, phase=phase,
                          repeats=asked_repeats(runs, precision_percent, time_budget_s, warm_up), cpu=cpu,
                          baseline=not no_baseline)
    return measure_and_report(run_scale, options, json_path, format_name, html_path=html_path, svg=svg,
                              plot=plot, save_baseline=save_baseline)
