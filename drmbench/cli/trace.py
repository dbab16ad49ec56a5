# SPDX-License-Identifier: MIT
"""drmbench trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from drmbench.cli.options import output_options, subject_options

if TYPE_CHECKING:
    from typing import Literal


@click.command(name="trace", epilog="Example: drmbench trace --device vkms --step fault")
@subject_options("Default: 1MiB, halved until it fits the device.")
@click.option("--access", type=click.Choice(["write", "read"]), default="write", show_default=True,
              help="How the page is touched.")
@click.option("--step", type=click.Choice(["mmap", "fault", "munmap", "all", "denied"]),
              help="What is traced; denied: an mmap of the offset by a second open file, which owns no handle.  "
                   "[default: all; with --faults none]")
@click.option("--depth", type=click.IntRange(1, 50), metavar="N", help="Calls inside one another.  [default: all]")
@click.option("--faults", is_flag=True,
              help="Count the faults of touching every page twice: by the touch loop, and by the kernel (perf, else "
                   "ftrace) for the mapping's addresses. Where they differ, the exit status is 1.")
@click.option("--cpu", type=click.IntRange(0), help="Trace on this CPU.  [default: the last one]")
@click.option("--against", "against", metavar="FILE", help="Compare with the trace in this report.")
@click.option("--svg", "svg_path", metavar="FILE", help="Write the picture of the calls there.")
@click.option("--html", "html_path", metavar="FILE", help="Write a page there, which needs no network.")
@output_options(("tree", "json", "mermaid", "svg"))
def command(
    devices: tuple[str, ...], buffer: str | None, size_bytes: int | None, access: Literal["write", "read"],
    step: str | None, depth: int | None, faults: bool, cpu: int | None, against: str | None, svg_path: str | None,
    html_path: str | None, json_path: str | None, format_name: str,
) -> int:
    """Show the kernel's own call graph of one mmap, touch and munmap.

    Uses ftrace's function_graph, set to this thread and to the functions of
    memory management, DRM, TTM and the driver; needs root, or rights on tracefs.
    The tracer is put back as it was, and a busy one is refused. What tracing
    costs is measured in passes of their own. --faults alone needs only perf.
    """
    from drmbench.cli.tracing import Places, trace_and_report  # noqa: PLC0415 (--help must stay quick)
    from drmbench.trace_runner import TraceOptions  # noqa: PLC0415

    options = TraceOptions(devices, buffer, size_bytes, access, step or (None if faults else "all"), depth, faults, cpu)
    return trace_and_report(options, Places(json_path, html_path, svg_path, format_name), against)
