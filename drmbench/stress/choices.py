# SPDX-License-Identifier: MIT
"""Where the generator's decisions come from: a seed, or a tool that shrinks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

T = TypeVar("T")


class Choices(Protocol):
    """Small decisions; the low number and the first of a sequence are the simplest."""

    def number(self, low: int, high: int) -> int:
        """A number from low to high, both included."""

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""


class SeededChoices:
    """Those of random.Random, whose sequence for a seed never changes between versions of Python."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def number(self, low: int, high: int) -> int:
        """As the protocol; made of random(), the only method with a promised sequence."""
        return low + int(self._source.random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """As the protocol."""
        return options[self.number(0, len(options) - 1)]
