# SPDX-License-Identifier: MIT
"""drmbench verify."""

from __future__ import annotations

import click

from drmbench.cli import completion
from drmbench.cli.options import output_options, size


@click.command(name="verify", epilog="Example: drmbench verify --device vkms --case 'mmap-contract/*'")
@click.option("--case", "globs", multiple=True, metavar="GLOB", shell_complete=completion.cases,
              help="Cases to run; repeatable.  [default: all]")
@click.option("--list", "listing", is_flag=True, help="List the cases with their rules, and run none.")
@click.option("--device", "devices", multiple=True, metavar="SPEC", shell_complete=completion.devices,
              help="Node, driver name, IGT filter or baseline, as for fault-latency; repeatable.")
@click.option("--buffer", metavar="KIND", shell_complete=completion.buffer_kinds,
              help="Buffer kind, or all. Default: the back-end's first.")
@click.option("--size", "size_bytes", type=size, default="256KiB", show_default=True, metavar="SIZE",
              help="Buffer size.")
@click.option("--lava-results", "lava_path", metavar="FILE",
              help="Write NAME RESULT MEASUREMENT UNITS there, for LAVA test definitions.")
@click.option("--list-subtests", is_flag=True, help="List the cases as IGT subtests, and run none.")
@click.option("--run-subtest", metavar="PATTERN", help="Cases to run, by IGT's names and wildcards: 'a*,!ab'.")
@click.option("--dynamic-subtest", metavar="PATTERN", help="Targets to run on, by IGT's names and wildcards.")
@output_options(("ktap", "junit", "lava", "kcidb", "igt"))
def command(globs: tuple[str, ...], listing: bool, devices: tuple[str, ...], buffer: str | None, size_bytes: int,
            lava_path: str | None, list_subtests: bool, run_subtest: str | None, dynamic_subtest: str | None,
            json_path: str | None, format_name: str) -> int:
    """Check the kernel's mmap rules on each device, case by case.

    Each case runs in a process of its own, without DRM master and without
    setting a mode, and is checked for what it left behind. Exit status: 0 all
    executed cases passed or are known to differ, 1 one failed or none was
    executed, 77 all were skipped. --format igt has IGT's: 0, 77, 79 for an
    unknown subtest, 98; the program drmbench-igt is that for igt_runner.
    """
    from drmbench.cli import verifying  # noqa: PLC0415 (--help must stay quick)
    from drmbench.cli.verify_output import Places  # noqa: PLC0415

    if listing or list_subtests:
        return verifying.list_cases(globs, subtests=list_subtests)
    asked = verifying.Asked(devices, buffer, size_bytes, globs, run_subtest, dynamic_subtest)
    return verifying.verify_and_report(asked, Places(json_path, lava_path, format_name))
