# SPDX-License-Identifier: MIT
"""A buffer whose descriptor may only be read: the O_RDONLY counterpart of every way to map one."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from drmbench.conformance.sharing import exported
from drmbench.conformance.subject import OpenFile
from drmbench.device import open_node
from drmbench.drivers.prime import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.conformance.subject import Subject
    from drmbench.drivers.protocol import MmapOffset


@contextlib.contextmanager
def read_only_place(subject: Subject) -> Iterator[MmapOffset]:
    """Where a fresh buffer of the subject's kind can be mapped through a descriptor opened O_RDONLY.

    A fake offset: a buffer of an open file that was opened so. A dma-buf: exported without DRM_RDWR. Any other
    file: opened once more. Raises OSError, DrmbenchError.
    """
    with contextlib.ExitStack() as stack:
        if subject.kind.startswith(PREFIX):
            buffer = stack.enter_context(subject.buffer())
            fd = stack.enter_context(exported(subject, buffer, os.O_RDONLY))
            place, _stage = buffer.locate()
            yield replace(place, fd=fd, owned=False)
        elif subject.is_drm and subject.target.node is not None and subject.target.on_fd is not None:
            fd = stack.enter_context(open_node(subject.target.node, os.O_RDONLY))
            buffer = stack.enter_context(subject.buffer(file=OpenFile(fd, subject.target.on_fd(fd))))
            yield buffer.locate()[0]
        else:
            place, _stage = stack.enter_context(subject.buffer()).locate()
            fd = os.open(f"/proc/self/fd/{place.fd}", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            yield replace(place, fd=fd)
