# SPDX-License-Identifier: MIT
"""drmbench stress."""

from __future__ import annotations

import click

from drmbench.cli import completion
from drmbench.cli.options import output_options, size


@click.command(name="stress", epilog="Example: drmbench stress --device vkms --seconds 60 --threads 4")
@click.option("--device", "devices", multiple=True, metavar="SPEC", shell_complete=completion.devices,
              help="Node, driver name, IGT filter or memfd, as for fault-latency; repeatable.")
@click.option("--buffer", metavar="KIND", shell_complete=completion.buffer_kinds,
              help="Buffer kind, or all. Default: the back-end's first.")
@click.option("--seconds", type=click.FloatRange(0.1, 1e6), metavar="N",
              help="How long on each target.  [default: 10; a replay: once]")
@click.option("--threads", type=click.IntRange(1, 64), metavar="N",
              help="Threads, each with a program of its own.  [default: 1]")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="S", help="Default: another one each time.")
@click.option("--size", "size_bytes", type=size, default="256KiB", show_default=True, metavar="SIZE",
              help="Largest buffer; some sixteen times as much is alive at once.")
@click.option("--replay", metavar="FILE", help="Run the steps of this file instead of random ones.")
@click.option("--save", metavar="FILE", help="Where a replay goes, if one fails.  [default: stress-DRIVER-SEED.json]")
@click.option("--unbind", is_flag=True, help="Also take the driver away and give it back: root, in the lab only.")
@output_options()
def command(devices: tuple[str, ...], buffer: str | None, seconds: float | None, threads: int | None,
            seed: int | None, size_bytes: int, replay: str | None, save: str | None, unbind: bool,
            json_path: str | None, format_name: str) -> int:
    """Run random programs of buffer and mapping calls against a model.

    Creates, maps, writes, reads, protects, moves, unmaps, forks, exports,
    imports, closes; compares every page it reads, every errno and every signal
    with what a model of the kernel's rules says, and looks for what is left
    behind. Rounds of some hundred steps run in a process of their own. Exit
    status: 0 all as it must be, 1 something failed; the steps that lead there
    are made few and written to a file for --replay.
    """
    from drmbench.cli.stressing import options_for, stress_and_report  # noqa: PLC0415 (--help must stay quick)

    options = options_for(devices=devices, buffer=buffer, seconds=seconds, threads=threads, seed=seed,
                          size_bytes=size_bytes, replay=replay, save=save, unbind=unbind)
    return stress_and_report(options, json_path, format_name)
