# SPDX-License-Identifier: MIT
"""At most one drmbench measures on a machine: two at once would time each other."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

# An abstract socket name: the kernel frees it with its owner, however that ends, and no file is left.
_NAME = "\0drmbench-measuring"
_UCRED = struct.Struct("3i")


@contextlib.contextmanager
def only_one_measurement() -> Iterator[None]:
    """Hold the machine for the block. Raises DrmbenchError(EBUSY), naming the process that holds it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ours:
        try:
            ours.bind(_NAME)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise DrmbenchError(
                "drmbench", "measure", errno=errno.EBUSY, reason=f"{_holder()} is measuring on this machine",
                remedy="wait for it to end; two at once would time each other",
            ) from None
        ours.listen()
        yield


def _holder() -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.settimeout(1)
            probe.connect(_NAME)
            raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        except OSError:
            return "another drmbench"
        return f"another drmbench (pid {_UCRED.unpack(raw)[0]})"
