# SPDX-License-Identifier: MIT
"""Taking the driver away from a device and giving it back, through sysfs: in the lab only, as root."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError, UnsupportedError

if TYPE_CHECKING:
    from drmbench.targets import Target

_COMES_BACK_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Port:
    """The device in sysfs, and the driver's folder with its bind and unbind files."""

    device: Path
    driver: Path
    render: bool

    def unbind(self) -> None:
        """Raises OSError."""
        (self.driver / "unbind").write_text(self.device.name, encoding="ascii")

    def bind(self, target: Target) -> Target:
        """The target with the node that the device has now. Raises OSError, DrmbenchError where no node appears."""
        (self.driver / "bind").write_text(self.device.name, encoding="ascii")
        deadline = time.monotonic() + _COMES_BACK_WITHIN_S
        while time.monotonic() < deadline:
            node = self._node()
            if node is not None:
                return replace(target, node=node)
            time.sleep(_LOOK_EVERY_S)
        raise DrmbenchError(target.label, "bind", reason="no node appeared after the driver was given back")

    def _node(self) -> str | None:
        wanted = "renderD*" if self.render else "card[0-9]*"
        names = [path.name for path in self.device.glob(f"drm/{wanted}") if "-" not in path.name]
        return next((f"/dev/dri/{name}" for name in names if os.access(f"/dev/dri/{name}", os.R_OK | os.W_OK)), None)


def find_port(target: Target) -> Port:
    """Where to take the target's driver away. Raises UnsupportedError with the reason why not."""
    reason = _refusal(target)
    if reason or target.node is None:
        raise UnsupportedError(target.label, "--unbind", reason=reason or "there is no driver to take away")
    number = os.stat(target.node).st_rdev
    device = Path(f"/sys/dev/char/{os.major(number)}:{os.minor(number)}/device").resolve()
    if not os.access(device / "driver/unbind", os.W_OK):
        raise UnsupportedError(target.label, "--unbind", reason="its device has no driver to unbind in sysfs")
    return Port(device, (device / "driver").resolve(), "renderD" in target.node)


def _refusal(target: Target) -> str:
    """Never on a machine that somebody looks at."""
    if "DRMBENCH_VM_KERNEL" not in os.environ:
        return "a driver is only taken away in the lab: drmbench vm run"
    if os.geteuid() != 0:
        return "needs root"
    return "" if target.kind == "drm" else "there is no driver to take away"
