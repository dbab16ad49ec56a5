# SPDX-License-Identifier: MIT
"""`vm run --arch arm64`: an emulated arm64 machine with a Debian root of its own, drmbench and the command in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import UsageError
from drmbench.vm import guest, initramfs
from drmbench.vm.arm64_devices import ALL, KIRIN, check_cpu_model, find_arm64_devices
from drmbench.vm.arm64_fetch import Parts, ensure_parts
from drmbench.vm.arm64_machine import QEMU, Arm64Machine
from drmbench.vm.arm64_native import write_package
from drmbench.vm.arm64_shares import plan_for_root
from drmbench.vm.cache import cache_root, make_directory
from drmbench.vm.devices import kernel_options, qemu_options, rom_path, simulations
from drmbench.vm.lab import finish, memory_of, scratch_folder, with_modules
from drmbench.vm.programs import find_program, require
from drmbench.vm.roms import ROMS
from drmbench.vm.roms import image as rom_image

if TYPE_CHECKING:
    from drmbench.vm.devices import LabDevice
    from drmbench.vm.lab import Request
    from drmbench.vm.shares import Share

_PYTHON_FOLDER = "python"
# Of the interrupt controller that kirin's interrupt is written for.
_MOST_CPUS = 8
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHIM = """\
#!/bin/sh
exec /usr/bin/python3 -c 'import sys; sys.argv[0] = "drmbench"; from drmbench.cli import main; main()' "$@"
"""


def run_arm64(request: Request) -> int:
    """Run the command in an arm64 guest and return its exit status; makes what the cache lacks first.

    Raises as lab.run_command does.
    """
    devices = find_arm64_devices(request.devices)
    cpu_model = check_cpu_model(request.cpu_model)
    memory_bytes = memory_of(request.memory)
    require(QEMU, "dtc", "depmod")
    if request.cpus > _MOST_CPUS:
        raise UsageError("vm", "--cpus", reason=f"an arm64 guest has at most {_MOST_CPUS}")
    parts = ensure_parts(request.kernel)
    devices = with_modules(parts.kernel, devices, required=ALL not in request.devices)
    working = Path.cwd()
    shares = plan_for_root(request.command, parts.root, working, request.shares)
    qemu = find_program(QEMU) or QEMU
    with scratch_folder() as scratch:
        machine = _machine(request, parts, devices, cpu_model, memory_bytes, shares, scratch)
        machine.initramfs.write_bytes(initramfs.build(machine.modules, machine.root / "usr/bin/busybox"))
        for device in devices:
            if device.rom:
                rom_path(device.rom, scratch).write_bytes(rom_image(ROMS[device.rom]))
        _write_exchange(machine.exchange, request.command, devices, shares, working, parts.extension,
                        {"DRMBENCH_VM_ACCEL_USED": "tcg", "DRMBENCH_VM_KERNEL": parts.kernel.label,
                         "DRMBENCH_VM_SIMULATED": simulations(devices)})
        return finish(machine.command(qemu, machine.device_tree(qemu, scratch)), machine.exchange, scratch,
                      request.timeout_s)


def _machine(request: Request, parts: Parts, devices: tuple[LabDevice, ...], cpu_model: str,
             memory_bytes: int, shares: list[Share], scratch: Path) -> Arm64Machine:
    kernel = parts.kernel
    modules = kernel.modules.parent if kernel.modules else kernel.tree
    return Arm64Machine(
        kernel=kernel.boot, initramfs=scratch / "initramfs", cpu_model=cpu_model, cpus=request.cpus,
        memory_bytes=memory_bytes, kirin=any(device.name == KIRIN for device in devices), root=parts.root,
        modules=modules,
        bytecode=make_directory(cache_root() / "arm64" / "bytecode"), exchange=scratch / "exchange",
        shares=tuple(shares), qemu=tuple(qemu_options(devices, scratch)), cmdline=tuple(kernel_options(devices)),
    )


def _write_exchange(exchange: Path, command: tuple[str, ...], devices: tuple[LabDevice, ...], shares: list[Share],
                    working: Path, extension: Path, facts: dict[str, str]) -> None:
    programs = exchange / "bin"
    programs.mkdir(parents=True)
    write_package(exchange / _PYTHON_FOLDER, extension)
    shim = programs / "drmbench"
    shim.write_text(_SHIM, encoding="utf-8")
    shim.chmod(0o755)
    for name, text in (
        ("guest.sh", guest.guest_script(shares, devices)),
        ("command.sh", guest.command_script(command, working, environment(facts))),
    ):
        (exchange / name).write_text(text, encoding="utf-8", errors="surrogateescape")


def environment(facts: dict[str, str]) -> dict[str, str]:
    """The command's whole environment: ours but for what names things that are only here, then `facts`."""
    kept = {name: value for name, value in guest.inherited().items()
            if not name.startswith("PYTHON") and name not in {"HOME", "VIRTUAL_ENV"}}
    return {**kept, "HOME": "/root", "PATH": f"{guest.EXCHANGE}/bin:{_PATH}",
            "PYTHONPATH": f"{guest.EXCHANGE}/{_PYTHON_FOLDER}", "PYTHONPYCACHEPREFIX": initramfs.BYTECODE,
            "PYTHONSAFEPATH": "1", **facts}
