# SPDX-License-Identifier: MIT
"""`drmbench verify --list`: the cases as a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.render.document import Document, Section

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class CaseLine:
    """What is shown of a case; `needs` are names."""

    name: str
    rule: str
    source: str
    needs: tuple[str, ...]


def cases_document(cases: Sequence[CaseLine]) -> Document:
    """A section for each group: name, rule, source, and what it needs."""
    groups: dict[str, list[str]] = {}
    for case in cases:
        needs = f"; needs {', '.join(case.needs)}" if case.needs else ""
        lines = groups.setdefault(case.name.partition("/")[0], [])
        lines += [case.name, f"  {case.rule} ({case.source}{needs})"]
    return Document([Section(group, lines=lines) for group, lines in groups.items()])
