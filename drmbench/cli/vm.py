# SPDX-License-Identifier: MIT
"""`drmbench vm`: the same measurements on real DRM drivers in a virtual machine."""

from __future__ import annotations

from pathlib import Path

import click

from drmbench.cli import completion


@click.group()
def command() -> None:
    """Run any of this on real DRM drivers in a virtual machine.

    The guest is the running system, copy-on-write, under another kernel; it has
    no network and no disks. KVM is used where it works, else emulation.
    """


@command.command(context_settings={"allow_interspersed_args": False},
                 epilog="Example: drmbench vm run -- drmbench fault-latency --device vkms")
@click.option("--kernel", default="debian-6.1", show_default=True, metavar="KERNEL",
              shell_complete=completion.lab_kernels,
              help="debian-5.10, -6.1, -6.12 or -newest, host, or a path to a kernel image or build tree.")
@click.option("--device", "devices", multiple=True, metavar="NAME", shell_complete=completion.lab_devices,
              help="Driver to load; may be repeated.  [default: vkms, vgem; arm64: kirin]")
@click.option("--arch", type=click.Choice(["amd64", "arm64"]), default="amd64", show_default=True,
              help="Processor of the guest; arm64 is emulated and brings a Debian root of its own.")
@click.option("--cpu-model", default="", metavar="CPU",
              help="With arm64: cortex-a53 (the default) or cortex-a76, which has a hardware dirty bit.")
@click.option("--cpus", type=click.IntRange(1, 255), default=1, show_default=True, help="CPUs of the guest.")
@click.option("--memory", default="2GiB", show_default=True, metavar="SIZE", help="Memory of the guest.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=1), default=600.0, show_default=True,
              metavar="S", help="Seconds until the machine is given up.")
@click.option("--share", "shares", multiple=True, metavar="DIR", type=click.Path(path_type=Path),
              help="Directory that the guest may write; may be repeated.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def run(kernel: str, devices: tuple[str, ...], arch: str, cpu_model: str, cpus: int, memory: str, timeout_s: float,
        shares: tuple[Path, ...], words: tuple[str, ...]) -> int:
    """Run COMMAND in a virtual machine with DRM drivers loaded.

    Its stdout, stderr and exit status are the command's own, and the files of
    --json FILE and the like land here. Where the machine itself fails (it died,
    hung or lacks a driver) the status is 1 and the last line says why.
    COMMAND finds nothing on its stdin.
    """
    from drmbench.vm.lab import Request, run_command  # noqa: PLC0415 (--help needs none of it)

    if not words:
        raise click.UsageError("COMMAND is missing; write it after --, as in: vm run -- drmbench devices")
    return run_command(Request(words, kernel, devices, cpus, memory, timeout_s, shares, arch, cpu_model))


@command.command()
@click.option("--port", type=click.IntRange(1, 65535), required=True, metavar="PORT", help="Of 127.0.0.1, for SSH.")
@click.option("--authorized-key", "key", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="Public key that may log in as root.")
@click.option("--kernel", default="debian-6.1", show_default=True, metavar="KERNEL", help="As for vm run.")
@click.option("--device", "devices", multiple=True, metavar="NAME", help="Driver to load; may be repeated.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=1), default=3600.0, show_default=True,
              metavar="S", help="Seconds until the machine is ended.")
def board(port: int, key: Path, kernel: str, devices: tuple[str, ...], timeout_s: float) -> int:
    """Be a board: a virtual machine with an SSH server, until Ctrl-C.

    drmbench is on its PATH. Make a labgrid place of it with a NetworkService of
    address 127.0.0.1, this port and username root.
    """
    from drmbench.vm.board import MODULES, board_command, network_options  # noqa: PLC0415 (--help needs none of it)
    from drmbench.vm.lab import Request, run_command  # noqa: PLC0415

    return run_command(Request(board_command(key), kernel, devices, timeout_s=timeout_s,
                               qemu=tuple(network_options(port)), modules=MODULES))


@command.command()
@click.argument("kernels", nargs=-1, metavar="[KERNEL]...")
@click.option("--kernel", "more", multiple=True, metavar="KERNEL", hidden=True)
@click.option("--all", "everything", is_flag=True, help="Fetch every Debian kernel of the lab.")
@click.option("--arch", type=click.Choice(["amd64", "arm64"]), default="amd64", show_default=True,
              help="Processor of the guest; for arm64, fetch its Debian root too.")
@click.option("--again", is_flag=True, help="Fetch even where it is cached, for the newest version.")
def fetch(kernels: tuple[str, ...], more: tuple[str, ...], everything: bool, arch: str, again: bool) -> None:
    """Download Debian kernels, build the drivers they lack, and cache both.

    KERNEL is debian-5.10, debian-6.1 (the default), debian-6.12 or
    debian-newest. Signatures are checked by apt and nothing is installed; a
    kernel that needs a newer compiler than this system's gets its own suite's.
    The cache is $XDG_CACHE_HOME/drmbench or ~/.cache/drmbench.
    """
    from drmbench.vm.fetch import fetch_each  # noqa: PLC0415
    from drmbench.vm.kernels import DEFAULT_KERNEL, KERNELS  # noqa: PLC0415

    if arch == "arm64":
        from drmbench.vm.arm64_fetch import fetch_arm64  # noqa: PLC0415 (a cache of its own)

        for name in (*kernels, *more) or (DEFAULT_KERNEL,):
            click.echo(fetch_arm64(name, again=again))
        return
    names = tuple(row.name for row in KERNELS) if everything else (*kernels, *more) or (DEFAULT_KERNEL,)
    fetch_each(names, again=again, say=click.echo)


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Show the lab's kernels and devices, and what is cached."""
    from drmbench.vm.listing import as_text, inventory, to_json  # noqa: PLC0415

    found = inventory()
    click.echo(to_json(found) if as_json else as_text(found))


@command.command()
@click.option("--kernels", default="", metavar="K,...", help="Kernels, as for vm run.  [default: all of Debian's]")
@click.option("--devices", default="", metavar="D,...", help="Devices, as for vm run.  [default: all]")
@click.option("--size", default="4MiB", show_default=True, metavar="SIZE", help="Buffer size.")
@click.option("--runs", type=click.IntRange(1, 1000), default=3, show_default=True, help="Runs of each measurement.")
@click.option("--again", is_flag=True, help="Measure what is finished once more.")
@click.option("--json", "json_path", metavar="FILE", help="Write all reports there as one document; - is stdout.")
@click.option("--format", "format_name", type=click.Choice(["table", "markdown"]), default="table", show_default=True,
              help="A row for each kernel, device and buffer, or a column for each kernel.")
def matrix(kernels: str, devices: str, size: str, runs: int, again: bool, json_path: str | None,
           format_name: str) -> int:
    """Compare the drivers over the kernels: faults, stages, populate.

    One machine a kernel measures all devices, or one each where that fails.
    What is finished is kept in the cache: run it again after an interruption.
    """
    from contextlib import ExitStack  # noqa: PLC0415 (--help needs none of it)

    from drmbench.store import destination  # noqa: PLC0415
    from drmbench.vm.matrix import make_plan, run  # noqa: PLC0415
    from drmbench.vm.matrix_markdown import as_markdown  # noqa: PLC0415
    from drmbench.vm.matrix_table import as_document, as_text  # noqa: PLC0415

    plan = make_plan(kernels, devices, size, runs, again=again)
    with ExitStack() as stack:
        file = stack.enter_context(destination(json_path)) if json_path is not None else None
        cells = list(run(plan))
        if json_path != "-":
            click.echo((as_markdown if format_name == "markdown" else as_text)(cells))
        if file is not None:
            file.save(as_document(plan, cells))
    return 0 if any(cell.reports for cell in cells) else 1


@command.command(hidden=True)
def each() -> int:
    """Run the command lines on stdin, "FILE WORD...", each with --json FILE and in a process of its own."""
    from sys import stdin  # noqa: PLC0415

    from drmbench.cli.each import run_each  # noqa: PLC0415 (--help needs none of it)

    return run_each(stdin)
