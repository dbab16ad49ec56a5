# SPDX-License-Identifier: MIT
"""drmbench verify."""

from __future__ import annotations

import click

from drmbench.cli.options import output_options, size


@click.command(name="verify", epilog="Example: drmbench verify --device vkms --case 'mmap-contract/*'")
@click.option("--case", "globs", multiple=True, metavar="GLOB", help="Cases to run; repeatable.  [default: all]")
@click.option("--list", "listing", is_flag=True, help="List the cases with their rules, and run none.")
@click.option("--device", "devices", multiple=True, metavar="SPEC",
              help="Node, driver name, IGT filter or baseline, as for fault-latency; repeatable.")
@click.option("--buffer", metavar="KIND", help="Buffer kind, or all. Default: the back-end's first.")
@click.option("--size", "size_bytes", type=size, default="256KiB", show_default=True, metavar="SIZE",
              help="Buffer size.")
@output_options(("table", "csv", "markdown"))
def command(globs: tuple[str, ...], listing: bool, devices: tuple[str, ...], buffer: str | None, size_bytes: int,
            json_path: str | None, format_name: str) -> int:
    """Check the kernel's mmap rules on each device, case by case.

    Each case runs in a process of its own, without DRM master and without
    setting a mode, and is checked for what it left behind. Exit status: 0 all
    executed cases passed or are known to differ, 1 one failed or none was
    executed, 77 all were skipped.
    """
    from drmbench.cli.verifying import list_cases, verify_and_report  # noqa: PLC0415 (--help must stay quick)
    from drmbench.conformance.suite import VerifyOptions  # noqa: PLC0415

    if listing:
        return list_cases(globs)
    options = VerifyOptions(devices=devices, buffer=buffer, size_bytes=size_bytes, globs=globs)
    return verify_and_report(options, json_path, format_name)
