# SPDX-License-Identifier: MIT
"""What every report shows alike: the machine under the title, the caveats at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.render.document import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import Caveat, Environment

_SHORT = {"write": "write", "read": "read", "read-then-write": "r+w"}


def short_access(access: str) -> str:
    """The access in a narrow cell: read-then-write is "r+w"."""
    return _SHORT.get(access, access)


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
