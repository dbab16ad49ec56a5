# SPDX-License-Identifier: MIT
"""The machine as it was around a measurement: who else used the measured devices meanwhile."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from drmbench.device import DriverVersion, DrmDevice
from drmbench.doctor.activity import look
from drmbench.doctor.check import Machine
from drmbench.kernel_files import THIS_MACHINE, KernelFiles, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drmbench.model import Environment
    from drmbench.native import Clock
    from drmbench.targets import Target


class Watch:
    """Looks when it is made, and again when asked for the machine; without a DRM device nothing is looked at."""

    def __init__(self, targets: Iterable[Target], files: KernelFiles = THIS_MACHINE) -> None:
        self._files = files
        found = {target.node: target for target in targets if target.kind == "drm" and target.node is not None}
        self._devices = [_device(files, node, target) for node, target in found.items()]
        self._before = look(files) if self._devices else None

    def machine(self, environment: Environment, clock: Clock, cpu: int | None) -> Machine:
        """What checks may look at, now that everything is measured."""
        after = look(self._files) if self._devices else None
        return Machine(self._files, environment, clock, cpu, self._devices, self._before, after)


def _device(files: KernelFiles, node: str, target: Target) -> DrmDevice:
    """The device as sysfs shows it, with its other node, which others may use."""
    name = os.path.basename(node)
    sysfs = os.path.realpath(f"/sys/class/drm/{name}/device")
    nodes = {name}
    with contextlib.suppress(Unreadable):
        nodes |= {other for other in files.names(f"{sysfs}/drm") if other.startswith(("card", "renderD"))}
    paths = sorted(f"{os.path.dirname(node)}/{each}" for each in nodes)
    primary = next((path for path in paths if "/card" in path), None)
    render = next((path for path in paths if "/renderD" in path), None)
    return DrmDevice(primary, render, sysfs, "", "", None, DriverVersion(target.driver, target.description, ""), None)
