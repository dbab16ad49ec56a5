# SPDX-License-Identifier: MIT
"""`vm run`: a kernel, devices and a command become a machine; its outcome becomes an exit status."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError, UsageError, one_line
from drmbench.units import parse_bytes
from drmbench.vm import accel, guest, kmod
from drmbench.vm.console import first_trouble
from drmbench.vm.devices import ALL, LabDevice, find_devices, kernel_options, qemu_options, rom_path, simulations
from drmbench.vm.image import BootKernel, has_module, resolve
from drmbench.vm.kernels import find_recipe
from drmbench.vm.machine import LabError, Outcome, boot
from drmbench.vm.programs import find_program, require
from drmbench.vm.roms import ROMS
from drmbench.vm.roms import image as rom_image
from drmbench.vm.shares import Share, is_hidden, plan
from drmbench.vm.vng import Machine, find_vng, kernel_argument, vng_command, write_stand_ins

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST_MEMORY_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What `vm run` was asked for; memory as text ("2GiB"), the limit in seconds.

    qemu, modules  more options of it, and modules that COMMAND itself will load
    """

    command: tuple[str, ...]
    kernel: str
    devices: tuple[str, ...] = ()
    cpus: int = 1
    memory: str = "2GiB"
    timeout_s: float = 600.0
    shares: tuple[Path, ...] = ()
    arch: str = "amd64"
    cpu_model: str = ""
    qemu: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


def run_command(request: Request) -> int:
    """Run the command in a virtual machine and return its exit status.

    Raises UsageError for a request that makes no sense, DrmbenchError where a program is missing,
    LabError (after the console's last lines on stderr) where the machine was lost.
    """
    if request.arch == "arm64":
        from drmbench.vm.arm64_lab import run_arm64  # noqa: PLC0415 (a machine of its own kind)

        return run_arm64(request)
    if request.cpu_model:
        raise UsageError("vm", "--cpu-model", reason="only arm64 guests have a choice of CPUs",
                         remedy="add --arch arm64")
    devices = find_devices(request.devices)
    memory_bytes = memory_of(request.memory)
    kernel = resolve(request.kernel)
    require("qemu-system-x86_64", "busybox", "modprobe", "depmod", "file", "strings", "bash")
    vng = find_vng()
    incomplete = kernel is not None and _is_incomplete(request, kernel)
    if kernel is None or incomplete or _is_outdated(request.kernel, kernel, devices):
        from drmbench.vm.fetch import fetch  # noqa: PLC0415 (needed once in the life of a cache)

        fetch(request.kernel, again=incomplete)
        kernel = resolve(request.kernel)
    if kernel is None:
        raise DrmbenchError("vm", f"kernel {request.kernel}", reason="the fetch left no usable kernel",
                            remedy="drmbench vm fetch --again")
    devices = with_modules(kernel, devices, required=ALL not in request.devices)
    working = Path.cwd()
    shares = plan(request.command, kernel.tree, working, request.shares)
    accelerator = accel.choose(find_program("qemu-system-x86_64") or "", kernel.boot)
    with scratch_folder() as scratch:
        machine = _machine(request, kernel, devices, accelerator, memory_bytes, shares, scratch)
        facts = {"DRMBENCH_VM_ACCEL_USED": accelerator, "DRMBENCH_VM_KERNEL": kernel.label,
                 "DRMBENCH_VM_SIMULATED": simulations(devices)}
        for device in devices:
            if device.rom:
                rom_path(device.rom, scratch).write_bytes(rom_image(ROMS[device.rom]))
        _write_exchange(machine, request.command, devices, working, facts)
        return finish(vng_command(vng, machine), machine.exchange, scratch, request.timeout_s)


def memory_of(text: str) -> int:
    try:
        size = parse_bytes(text)
    except ValueError as error:
        raise UsageError("vm", "--memory", reason=str(error)) from error
    if size < _LEAST_MEMORY_BYTES:
        raise UsageError("vm", "--memory", reason=f"{text} is too little to boot", remedy="give 256MiB or more")
    return size


def _is_outdated(name: str, kernel: BootKernel, devices: tuple[LabDevice, ...]) -> bool:
    """Whether `devices` need modules that this drmbench would build differently from those in the cache."""
    return (find_recipe(name) is not None and any(device.built for device in devices)
            and not kmod.is_current(kernel.tree))


def _is_incomplete(request: Request, kernel: BootKernel) -> bool:
    """Whether an entry of the cache was made when fewer of the kernel's modules were kept."""
    return find_recipe(request.kernel) is not None and not all(has_module(kernel, name) for name in request.modules)


def with_modules(kernel: BootKernel, devices: tuple[LabDevice, ...], *, required: bool) -> tuple[LabDevice, ...]:
    """Those of `devices` that the kernel has modules for; raises DrmbenchError for the first that is `required`."""
    present = []
    for device in devices:
        missing = next((module for module in device.modules if not has_module(kernel, module)), None)
        if missing is None:
            present.append(device)
            continue
        record = kmod.BuiltModules.read(kernel.tree)
        why = record.why_not(missing) if record else ""
        reason = f"kernel {kernel.label} has no module {missing}{why and f' ({one_line(why)})'}"
        if required:
            raise DrmbenchError("vm", f"device {device.name}", errno=2, reason=reason,
                                remedy="choose other devices with --device, or --kernel debian-6.1")
        print(f"drmbench: vm: device {device.name} left out: {reason}", file=sys.stderr)  # noqa: T201 (as above)
    return tuple(present)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary directory that the guest's first program sees and whose name virtme-ng does not mangle."""
    places = (tempfile.gettempdir(), "/tmp", os.path.expanduser("~"))  # noqa: S108 (mkdtemp makes one in it)
    folder = next((place for place in places if _suits(place)), None)
    if folder is None:
        raise DrmbenchError("vm", "temporary directory", reason=f"none of {', '.join(places)} suits the guest",
                            remedy="set TMPDIR to a writable directory outside /run and /var, with a plain name")
    scratch = Path(tempfile.mkdtemp(prefix="drmbench-vm-", dir=folder))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _suits(place: str) -> bool:
    plain = re.fullmatch(r"/[A-Za-z0-9/._+-]*", place) is not None
    return plain and not is_hidden(Path(place).resolve()) and os.access(place, os.W_OK | os.X_OK)


def _machine(request: Request, kernel: BootKernel, devices: tuple[LabDevice, ...], accelerator: str,
             memory_bytes: int, shares: list[Share], scratch: Path) -> Machine:
    return Machine(
        kernel=kernel_argument(kernel, scratch / "kernel"), accelerator=accelerator, cpus=request.cpus,
        memory_bytes=memory_bytes,
        qemu=(*qemu_options(devices, scratch), *request.qemu), cmdline=tuple(kernel_options(devices)),
        exchange=scratch / "exchange", fast_path=scratch / "init", shares=tuple(shares),
    )


def _write_exchange(machine: Machine, command: tuple[str, ...], devices: tuple[LabDevice, ...],
                    working: Path, facts: dict[str, str]) -> None:
    write_stand_ins(machine.fast_path)
    machine.exchange.mkdir()
    programs = machine.exchange / "bin"
    programs.mkdir()
    shim = programs / "drmbench"
    shim.write_text(guest.program_shim(), encoding="utf-8", errors="surrogateescape")
    shim.chmod(0o755)
    variables = guest.environment(f"{guest.EXCHANGE}/bin", facts)
    for name, text in (
        ("guest.sh", guest.guest_script(list(machine.shares), devices)),
        ("command.sh", guest.command_script(command, working, variables)),
    ):
        (machine.exchange / name).write_text(text, encoding="utf-8", errors="surrogateescape")


def finish(command: list[str], exchange: Path, scratch: Path, timeout_s: float) -> int:
    """Boot what `command` starts and return the exit status of the command in it; trouble goes to stderr."""
    try:
        outcome = boot(command, exchange, scratch, timeout_s)
    except LabError as error:
        for line in error.console:
            print(f"| {one_line(line)}", file=sys.stderr)  # noqa: T201 (the console, before the one-line error)
        raise
    _warn(outcome)
    return outcome.status


def _warn(outcome: Outcome) -> None:
    trouble = first_trouble(outcome.kernel_log, guest.LOG_MARK)
    if trouble is not None:
        print(f"drmbench: vm: warning: the guest's kernel reported: {one_line(trouble)}",  # noqa: T201
              file=sys.stderr)
