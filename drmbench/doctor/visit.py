# SPDX-License-Identifier: MIT
"""From the options of `drmbench doctor` to its report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from drmbench.calibration import calibrate, pin
from drmbench.device import list_devices
from drmbench.doctor import examine
from drmbench.doctor.activity import look
from drmbench.doctor.check import Machine
from drmbench.environment import describe_environment
from drmbench.errors import DrmbenchError, UnsupportedError
from drmbench.kernel_files import THIS_MACHINE, KernelFiles
from drmbench.model import SCHEMA_VERSION, DoctorParameters, DoctorReport
from drmbench.targets import matching_devices, requested_specs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.device import DrmDevice

_LOOK_S = 0.2


def visit(options: Sequence[str], cpu: int | None, files: KernelFiles = THIS_MACHINE) -> DoctorReport:
    """Look at everything that `files` and the devices show; waits 0.2 s to see who is busy.

    `options` are the --device arguments. Raises UsageError for a spec or a CPU that makes no sense.
    """
    specs = requested_specs(options)
    devices = _devices(specs)
    # Before our own work would count as somebody's.
    before = look(files)
    time.sleep(_LOOK_S)
    after = look(files)
    pin(cpu)
    clock = calibrate()
    environment = describe_environment(cpu, files)
    machine = Machine(files, environment, clock, cpu, devices, before, after)
    return DoctorReport(SCHEMA_VERSION, environment, DoctorParameters(specs, cpu), examine(machine))


def _devices(specs: Sequence[str]) -> list[DrmDevice]:
    """Those that were named, else all; a machine without any is looked at all the same."""
    try:
        here = list_devices()
    except DrmbenchError:
        here = []
    found: list[DrmDevice] = []
    for spec in specs:
        try:
            found += matching_devices(spec, here)
        except UnsupportedError:
            continue  # the finding that there is no such device says it
    return list(dict.fromkeys(found if specs else here))
