# SPDX-License-Identifier: MIT
"""Checks of DRM devices: whether a driver is there, who may open its nodes, who has, where its interrupts go."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from drmbench.doctor.check import Check, Seen
from drmbench.kernel_files import Unreadable, cpu_list

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.device import DrmDevice
    from drmbench.doctor.check import Machine

_WITHOUT_BUFFERS = frozenset({"simpledrm", "efidrm", "vesadrm", "ofdrm"})


def _label(device: DrmDevice) -> str:
    driver = device.driver.name if device.driver is not None else "unknown driver"
    return f"{driver} {os.path.basename(device.nodes[0])}" if device.nodes else driver


def _present(machine: Machine) -> Iterator[Seen]:
    if not machine.devices:
        yield Seen("note", "there is no DRM device here", "sudo modprobe vgem, or drmbench vm run -- drmbench ...")
    for device in machine.devices:
        if device.driver is None:
            yield Seen("unknown", "no node can be opened to ask for the driver", target=_label(device))
        elif device.driver.name in _WITHOUT_BUFFERS:
            yield Seen("note", f"only the firmware's framebuffer: {device.driver.description}",
                       "sudo modprobe the GPU's own driver", _label(device))
        else:
            yield Seen("ok", f"{device.driver.description}, {device.driver.version}", target=_label(device))


def _access(machine: Machine) -> Iterator[Seen]:
    for device in machine.devices:
        for node in device.nodes:
            yield _node_access(machine, device, node)


def _node_access(machine: Machine, device: DrmDevice, node: str) -> Seen:
    path = machine.files.root + node
    if os.access(path, os.R_OK | os.W_OK):
        return Seen("ok", f"{node} may be opened", target=_label(device))
    if not os.path.exists(path):
        return Seen("unknown", f"{node}: ENOENT", target=_label(device))
    problem = device.problem
    remedy = problem.remedy if problem is not None and problem.errno in {errno.EACCES, errno.EPERM} else ""
    return Seen("warning", f"{node} may not be opened", remedy or _group_remedy(path), _label(device))


def _group_remedy(path: str) -> str:
    import grp  # noqa: PLC0415 (only for a node that is closed to us)

    with contextlib.suppress(OSError, KeyError):
        group = grp.getgrgid(os.stat(path).st_gid).gr_name
        if group != "root":
            return f"sudo usermod -aG {group} $USER, then log in again"
    return "run as root"


def _interrupts(machine: Machine) -> Iterator[Seen]:
    for device in machine.devices:
        try:
            numbers = _numbers(machine, device)
            cpus = {number: _cpus(machine, number) for number in numbers}
        except Unreadable as reason:
            yield Seen("unknown", str(reason), target=_label(device))
            continue
        if not numbers:
            yield Seen("ok", "it has no interrupt", target=_label(device))
            continue
        here = [number for number in numbers if machine.cpu in cpus[number]]
        listed = ", ".join(f"{number} on CPU {','.join(map(str, sorted(cpus[number])[:4]))}" for number in numbers[:4])
        if here:
            yield Seen("warning", f"interrupt {', '.join(map(str, here))} is handled by CPU {machine.cpu}",
                       f"another --cpu, or echo N | sudo tee /proc/irq/{here[0]}/smp_affinity_list", _label(device))
        else:
            yield Seen("ok", f"interrupt {listed}", target=_label(device))


def _numbers(machine: Machine, device: DrmDevice) -> list[int]:
    """Its interrupts: those of MSI by name, else the one of the slot; a device without a bus has none."""
    with contextlib.suppress(Unreadable):
        found = [int(name) for name in machine.files.names(f"{device.sysfs}/msi_irqs") if name.isdecimal()]
        if found:
            return sorted(found)
    if not machine.files.has(f"{device.sysfs}/irq"):
        return []
    number = machine.files.number(f"{device.sysfs}/irq")
    return [number] if number > 0 else []


def _cpus(machine: Machine, number: int) -> set[int]:
    with contextlib.suppress(Unreadable):
        return cpu_list(machine.files.line(f"/proc/irq/{number}/effective_affinity_list"))
    return cpu_list(machine.files.line(f"/proc/irq/{number}/smp_affinity_list"))


def _users(machine: Machine) -> Iterator[Seen]:
    if machine.after is None or not machine.devices:
        return
    hidden = f"; {machine.after.hidden} processes of others may not be looked at" if machine.after.hidden else ""
    for device in machine.devices:
        users = [user for user in machine.after.users if user.node in device.nodes]
        if not users:
            yield Seen("ok", f"nobody else is seen to have it open{hidden}", target=_label(device))
            continue
        working = [] if machine.before is None else [
            user for user in users if machine.after.engine_ns_since(machine.before, user) > 0]
        shown = working or users
        listed = ", ".join(f"{user.name} (pid {user.pid}{f', client {user.client}' if user.client else ''})"
                           for user in shown[:4]) + (", ..." if len(shown) > 4 else "")
        if working:
            yield Seen("warning", f"in use meanwhile by {listed}", f"sudo fuser -v {' '.join(device.nodes)}; stop it",
                       _label(device))
        else:
            yield Seen("note", f"open, idle: {listed}{hidden}", f"sudo fuser -v {' '.join(device.nodes)}",
                       _label(device))


CHECKS = (
    Check("drm-device", ("every result of a DRM driver",), "without a driver only the baselines can be measured",
          _present),
    Check("node-access", ("every result of this device",), "what needs this node is left out", _access),
    Check("gpu-interrupts", ("fault_ns.p99", "fault_ns.max"), "an interrupt handler falls into some touches",
          _interrupts, in_results=True),
    Check("other-users", ("fault_ns.p99", "stages_ns"), "their jobs hold the driver's locks, and VRAM, while a fault "
          "waits", _users, in_results=True),
)
