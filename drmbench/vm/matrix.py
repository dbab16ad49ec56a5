# SPDX-License-Identifier: MIT
"""`vm matrix`: every kernel times every device, measured in the lab; what is finished is never measured again."""

from __future__ import annotations

import contextlib
import json
import shlex
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from drmbench.errors import DrmbenchError, UsageError, one_line
from drmbench.units import parse_bytes
from drmbench.vm import kmod
from drmbench.vm.cache import cache_root, make_directory
from drmbench.vm.devices import LabDevice, find_devices
from drmbench.vm.image import BootKernel, has_module, resolve
from drmbench.vm.kernels import HOST_KERNEL, KERNELS, find_recipe, kernel_names
from drmbench.vm.lab import Request, run_command
from drmbench.vm.names import nearest
from drmbench.vm.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What is measured -> the options that it takes besides device, size and runs.
MEASUREMENTS = {
    "fault-latency": ("--access", "all", "--buffer", "all", "--phase", "cold", "--no-baseline", "--warm-up", "0"),
    "compare-populate": ("--buffer", "all", "--no-baseline"),
}
# The node of the card whose device or driver in sysfs has one of the given names.
_NODE_OF = """\
node_of() {
    for card in /sys/class/drm/card[0-9] /sys/class/drm/card[0-9][0-9]; do
        for link in "$card/device" "$card/device/driver"; do
            name=$(readlink -f "$link" 2>/dev/null) || continue
            for wanted in "$@"; do
                [ "${name##*/}" = "$wanted" ] && echo "/dev/dri/${card##*/}" && return 0
            done
        done
    done
    return 1
}"""
_BOOT_S = 240.0
_DEVICE_S = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a matrix is made of."""

    kernels: tuple[str, ...]
    devices: tuple[LabDevice, ...]
    size_bytes: int
    runs: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One device on one kernel: a report of each of MEASUREMENTS, or the `reason` why there is none.

    label    name and full version of the kernel, or its name alone where it could not be had
    """

    kernel: str
    label: str
    device: LabDevice
    reason: str = ""
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)


def make_plan(kernels: str, devices: str, size: str, runs: int, *, again: bool) -> Plan:
    """The plan that the options mean: comma-separated names, "" for all.

    Raises UsageError for a name that the lab does not have, or a size that is none.
    """
    chosen = tuple(name for name in kernels.split(",") if name) or tuple(row.name for row in KERNELS)
    for name in chosen:
        if "/" not in name and name != HOST_KERNEL and find_recipe(name) is None:
            raise nearest("kernel", name, kernel_names(), "drmbench vm list shows them")
    try:
        size_bytes = parse_bytes(size)
    except ValueError as error:
        raise UsageError("vm", "--size", reason=str(error)) from error
    rows = find_devices(tuple(name for name in devices.split(",") if name) or ("all",))
    return Plan(tuple(dict.fromkeys(chosen)), rows, size_bytes, runs, again)


def run(plan: Plan) -> Iterator[Cell]:
    """Measure what is not finished yet, one kernel after the other; a cell that fails says why and no more."""
    with Progress() as progress:
        for name in plan.kernels:
            try:
                kernel = _kernel(name)
            except DrmbenchError as error:
                progress.step(f"{name}: {error}")
                yield from (Cell(name, name, device, _why(error)) for device in plan.devices)
                continue
            yield from _Row(plan, name, kernel, progress).cells()


def _kernel(name: str) -> BootKernel:
    from drmbench.vm.fetch import fetch  # noqa: PLC0415 (only where one has to be fetched)

    if find_recipe(name) is not None:
        fetch(name)
    kernel = resolve(name)
    if kernel is None:
        raise DrmbenchError("vm", f"kernel {name}", reason="the fetch left no usable kernel",
                            remedy="drmbench vm fetch --again")
    return kernel


def _why(error: DrmbenchError) -> str:
    return one_line(str(error)).removeprefix("vm: ")


class _Row:
    """All devices on one kernel.

    The guest itself puts each report into the folder where finished ones are looked for, so none is
    lost with the machine, or with us.
    """

    def __init__(self, plan: Plan, name: str, kernel: BootKernel, progress: Progress) -> None:
        self._plan = plan
        self._name = name
        self._kernel = kernel
        self._progress = progress
        build = kernel.label if find_recipe(name) is not None else f"{kernel.label} {kernel.boot.stat().st_mtime_ns}"
        key = "".join(letter if letter.isalnum() or letter in ".+~-" else "_" for letter in build)
        self._folder = cache_root() / "matrix" / f"{version('drmbench')}-{plan.size_bytes}-{plan.runs}" / key
        self._reasons: dict[str, str] = {}

    def cells(self) -> Iterator[Cell]:
        """A cell for each device of the plan, in its order."""
        make_directory(self._folder)
        if self._plan.again:
            for device in self._plan.devices:
                for path in self._paths(device).values():
                    path.unlink(missing_ok=True)
        waiting = [device for device in self._plan.devices if not self._reports(device) and self._has_driver(device)]
        if waiting:
            self._measure(waiting)
            left = [device for device in waiting if not self._reports(device)]
            if len(waiting) > 1:
                for device in left:
                    self._measure([device])
        for device in self._plan.devices:
            reports = self._reports(device)
            reason = "" if reports else self._reasons.get(device.name, "no report came out")
            yield Cell(self._name, self._kernel.label, device, reason, reports)

    def _paths(self, device: LabDevice) -> dict[str, Path]:
        return {name: self._folder / f"{device.name}.{name}.json" for name in MEASUREMENTS}

    def _reports(self, device: LabDevice) -> dict[str, dict[str, Any]]:
        """The finished reports of `device`; empty where one is missing or torn."""
        found = {}
        for name, path in self._paths(device).items():
            with contextlib.suppress(OSError, ValueError):
                found[name] = json.loads(path.read_text(encoding="utf-8"))
        return found if len(found) == len(MEASUREMENTS) else {}

    def _has_driver(self, device: LabDevice) -> bool:
        missing = next((module for module in device.modules if not has_module(self._kernel, module)), None)
        if missing is None:
            return True
        record = kmod.BuiltModules.read(self._kernel.tree)
        why = record.why_not(missing) if record else ""
        self._reasons[device.name] = one_line(why) or f"the kernel has no module {missing.replace('|', ' or ')}"
        return False

    def _measure(self, devices: list[LabDevice]) -> None:
        """Boot once with `devices`; what failed is in the reasons afterwards."""
        names = tuple(device.name for device in devices)
        self._progress.step(f"{self._name}: booting with {', '.join(names)}")
        script = "\n".join([_NODE_OF, "{", *(self._steps(device) for device in devices), "} | drmbench vm each"])
        request = Request(("sh", "-c", script), self._name, names, timeout_s=_BOOT_S + _DEVICE_S * len(devices),
                          shares=(self._folder,))
        try:
            run_command(request)
        except DrmbenchError as error:
            self._reasons |= dict.fromkeys(names, _why(error))
            return
        for device in devices:
            self._reasons[device.name] = self._last_words(device)

    def _steps(self, device: LabDevice) -> str:
        """Shell code that says how to measure `device`, one line for each report."""
        # By its node: what DRM calls the driver is not the same on all kernels.
        lines = [f"node=$(node_of {shlex.join(device.sysfs)})"]
        for name, path in self._paths(device).items():
            words = shlex.join([str(path), name, "--size", str(self._plan.size_bytes), "--runs",
                                str(self._plan.runs), *MEASUREMENTS[name]])
            lines.append(f'echo {shlex.quote(words)} --device "$node"')
        return "\n".join(lines)

    def _last_words(self, device: LabDevice) -> str:
        for path in self._paths(device).values():
            with contextlib.suppress(OSError):
                lines = path.with_name(f"{path.name}.err").read_text(encoding="utf-8", errors="replace").splitlines()
                if lines:
                    return one_line(lines[-1]).removeprefix("drmbench: ")
        return ""
