# SPDX-License-Identifier: MIT
"""Taking the driver away from a device and giving it back, through sysfs: in the lab only, as root."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drmbench.conformance.attachment import Attachment
from drmbench.conformance.known import excluded
from drmbench.errors import DrmbenchError, UnsupportedError

if TYPE_CHECKING:
    from drmbench.targets import Target

BACK_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class Port:
    """Where a device hangs on its driver, and a node that it once had: bound again, its number may be another."""

    attachment: Attachment
    once: str

    @property
    def node(self) -> str | None:
        """The node of that sort, primary or render, which the device has now; None without its driver."""
        return self.attachment.node_like(self.once)

    def unbind(self) -> None:
        """Raises OSError."""
        self.attachment.unbind()

    def bind(self) -> None:
        """Returns once there is a node. Raises OSError, ETIMEDOUT where none appears."""
        self.attachment.bind(BACK_WITHIN_S)


def present(target: Target, port: Port | None) -> Target:
    """The target with the node that it has now; the target itself without a port.

    Raises DrmbenchError (ENODEV) where its driver is away.
    """
    if port is None:
        return target
    node = port.node
    if node is None:
        raise DrmbenchError(target.label, "open", errno=errno.ENODEV, reason="its driver was taken away")
    return replace(target, node=node)


def find_port(target: Target) -> Port:
    """Where to take the target's driver away. Raises UnsupportedError with the reason why not."""
    reason = _refusal(target)
    if reason or target.node is None:
        raise UnsupportedError(target.label, "--unbind", reason=reason or "there is no driver to take away")
    try:
        attachment = Attachment.of_node(target.node)
    except OSError as error:
        raise UnsupportedError(target.label, "--unbind", errno=error.errno) from None
    if not attachment.can_unbind:
        raise UnsupportedError(target.label, "--unbind", reason="its device has no driver to unbind in sysfs")
    return Port(attachment, target.node)


def _refusal(target: Target) -> str:
    """Never on a machine that somebody looks at, and not where it is known to bring the kernel down."""
    if "DRMBENCH_VM_KERNEL" not in os.environ:
        return "a driver is only taken away in the lab: drmbench vm run"
    if os.geteuid() != 0:
        return "needs root"
    if target.kind != "drm":
        return "there is no driver to take away"
    return excluded("lab-unbind", driver=target.driver, kernel=os.uname().release)
