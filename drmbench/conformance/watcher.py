# SPDX-License-Identifier: MIT
"""Who is told while the suite runs, so that a machine that dies on the way has said how far it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import Environment, TargetInfo, VerifyResult


class Planned(NamedTuple):
    """A case that is going to be run on a target."""

    case: str
    target: TargetInfo


class Watcher(Protocol):
    """What the suite tells of its run."""

    def planned(self, environment: Environment, plan: Sequence[Planned], failures: Sequence[str]) -> None:
        """What will be run, in this order, and why targets that the user named will be missing."""

    def started(self, case: Planned) -> None:
        """It runs now."""

    def ended(self, result: VerifyResult) -> None:
        """The case that was started last has ended."""


class Unwatched:
    """A Watcher that does nothing."""

    def planned(self, environment: Environment, plan: Sequence[Planned], failures: Sequence[str]) -> None:
        """Nothing."""

    def started(self, case: Planned) -> None:
        """Nothing."""

    def ended(self, result: VerifyResult) -> None:
        """Nothing."""
