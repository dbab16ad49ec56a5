# SPDX-License-Identifier: MIT
"""How a DRM device hangs on its driver in sysfs: taking it off, putting it back, and the nodes it has meanwhile."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

_NODES = ("card", "renderD")
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Attachment:
    """A device that a node belongs to, by its sysfs directory, and the driver it was bound to ("" for none)."""

    device: str
    driver: str

    @classmethod
    def of_node(cls, node: str) -> Attachment:
        """The one behind a node in /dev. Raises OSError where there is none, as for /dev/null."""
        number = os.stat(node).st_rdev
        device = Path(f"/sys/dev/char/{os.major(number)}:{os.minor(number)}/device").resolve(strict=True)
        driver = device / "driver"
        return cls(str(device), str(driver.resolve()) if driver.exists() else "")

    @property
    def can_unbind(self) -> bool:
        """Whether this process may take the driver off; some have none, and some hide the way (suppress_bind_attrs)."""
        return bool(self.driver) and os.access(f"{self.driver}/unbind", os.W_OK)

    @property
    def nodes(self) -> list[str]:
        """Its nodes in /dev/dri as they are now, primary first; none while it has no driver."""
        folder = Path(self.device, "drm")
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        paths = [f"/dev/dri/{name}" for name in names if name.startswith(_NODES)]
        return [path for path in paths if os.path.exists(path)]

    def node_like(self, node: str) -> str | None:
        """The node of the same sort, primary or render, that it has now; its number may be another."""
        sort = os.path.basename(node).rstrip("0123456789")
        return next((path for path in self.nodes if os.path.basename(path).startswith(sort)), None)

    def unbind(self) -> None:
        """Take the driver off. Raises OSError."""
        self._write("unbind")

    def bind(self, timeout_s: float) -> None:
        """Put the driver back and wait for a node. Raises OSError; ETIMEDOUT where none appears."""
        self._write("bind")
        deadline = time.monotonic() + timeout_s
        while not self.nodes:
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, f"{os.path.basename(self.device)} was bound again and got no node")
            time.sleep(_LOOK_EVERY_S)

    def _write(self, name: str) -> None:
        with open(f"{self.driver}/{name}", "w", encoding="ascii") as file:
            file.write(os.path.basename(self.device))
