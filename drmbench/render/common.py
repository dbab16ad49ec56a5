# SPDX-License-Identifier: MIT
"""What every report shows alike: the machine under the title, the caveats at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from drmbench.errors import one_line
from drmbench.render.document import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import Caveat, Environment, TargetInfo


class HasTarget(Protocol):
    """A result of any report."""

    @property
    def target(self) -> TargetInfo:
        """What was measured."""


_SHORT = {"write": "write", "read": "read", "read-then-write": "r+w"}


def short_access(access: str) -> str:
    """The access in a narrow cell: read-then-write is "r+w"."""
    return _SHORT.get(access, access)


def label_of(target: TargetInfo) -> str:
    """The target in a sentence: "vkms card0 dumb", "memfd"."""
    node = "" if target.node is None else f" {os.path.basename(target.node)}"
    return one_line(f"{target.driver}{node}" if target.kind == "baseline" else f"{target.driver}{node} {target.buffer}")


def cells(results: Sequence[HasTarget]) -> list[str]:
    """The target in a narrow cell: "vkms dumb", or "card0 dumb" where two devices would read the same."""
    nodes: dict[tuple[str, str], set[str | None]] = {}
    for result in results:
        nodes.setdefault((result.target.driver, result.target.buffer), set()).add(result.target.node)
    cells = []
    for result in results:
        target = result.target
        name = target.driver
        if target.node is not None and len(nodes[name, target.buffer]) > 1:
            name = os.path.basename(target.node)
        cells.append(name if target.kind == "baseline" else f"{name} {target.buffer}")
    return cells


def machine(environment: Environment) -> str:
    """Kernel and machine in a line: "Linux 6.1.0-41-amd64, x86_64, qemu-tcg (emulated CPU)"."""
    where = "" if environment.virtualization == "none" else f", {environment.virtualization}"
    emulated = " (emulated CPU)" if environment.emulated else ""
    return f"Linux {environment.kernel}, {environment.arch}{where}{emulated}"


def caveat_section(caveats: Sequence[Caveat]) -> list[Section]:
    """The caveats as a last section, or nothing."""
    if not caveats:
        return []
    return [Section("Caveats", lines=[f"! {c.id}: {c.message} -> {c.remedy}" for c in caveats])]
