# SPDX-License-Identifier: MIT
"""drmbench doctor."""

from __future__ import annotations

import click

from drmbench.cli import completion
from drmbench.cli.options import output_options


@click.command(name="doctor")
@click.option("--device", "devices", multiple=True, metavar="SPEC", shell_complete=completion.devices,
              help="Look at this device only, named as for fault-latency; repeatable.  [default: all]")
@click.option("--cpu", type=click.IntRange(0), help="The CPU that would be measured on.")
@output_options()
def command(devices: tuple[str, ...], cpu: int | None, json_path: str | None, format_name: str) -> None:
    """Show what of this machine changes which number.

    Reads /proc, /sys and the kernel's configuration, and changes nothing: not
    even a remedy that it prints. Findings are no errors, so it exits 0. The
    warnings also stand under every result, as caveats with the same names.
    """
    from drmbench.cli.reporting import finished_report  # noqa: PLC0415 (--help must stay quick)
    from drmbench.doctor.visit import visit  # noqa: PLC0415

    finished_report(lambda: visit(devices, cpu), json_path, format_name)
