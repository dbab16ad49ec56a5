# SPDX-License-Identifier: MIT
"""What can be compared of one result of any report: counts, run-by-run samples and facts, under a key."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drmbench.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import TargetInfo


@dataclass(frozen=True, slots=True)
class Counted:
    """A count, one a run, or a single one where only their median was saved.

    `alignment` is where the mapping lay within a prefault window; counts that differ by one may differ for that.
    """

    name: str
    values: tuple[int, ...]
    alignment: int | None = None


@dataclass(frozen=True, slots=True)
class Sampled:
    """A quantity, one value a run, in the order of time. The first of a subject is its main one."""

    name: str
    values: tuple[float, ...]
    unit: str = "ns"
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """One result. `variant` says how it was measured: field -> value, in the order in which it is told."""

    target: TargetInfo
    size_bytes: int
    variant: dict[str, str]
    counts: Sequence[Counted] = ()
    times: Sequence[Sampled] = ()
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> dict[str, str]:
        """What makes it the same result in two reports: driver, buffer, and the variant."""
        return {"device": self.target.driver, "buffer": self.target.buffer, **self.variant}

    @property
    def node(self) -> str:
        """The name of the node, to tell two devices of one driver apart: "card1", "" for a baseline."""
        return os.path.basename(self.target.node or "")

    @property
    def variant_text(self) -> str:
        """The variant in a line: "write, cold, sequential, 64 MiB"."""
        return one_line(", ".join(self.variant.values()))
