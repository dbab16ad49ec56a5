# SPDX-License-Identifier: MIT
"""Programs: the steps of every thread and the buffers that they share, from a seed or from a file."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import msgspec
from msgspec import Meta, Struct

from drmbench.stress.choices import SeededChoices
from drmbench.stress.generator import choose
from drmbench.stress.predict import expect
from drmbench.stress.state import UNKNOWN, ZERO, Body, State, pages_of_others
from drmbench.stress.steps import MOST_PAGES, SLOTS, Pages, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.stress.traits import Limits, Traits

MOST_THREADS = 64
SHARED_BUFFERS = 2
_TAGS_OF_A_THREAD = 1 << 40

Steps = list[Step]


class Program(Struct, frozen=True):
    """Steps of each thread; `shared` are the pages of each shared buffer."""

    shared: Annotated[list[Pages], Meta(max_length=SLOTS)]
    threads: Annotated[list[Steps], Meta(min_length=1, max_length=MOST_THREADS)]

    @property
    def length(self) -> int:
        """Steps of all threads."""
        return sum(map(len, self.threads))


class Replay(Struct, frozen=True, tag_field="format", tag="drmbench-stress-replay-1", kw_only=True):
    """A program as a file, with where it failed and how; only `program` and the sizes count when it is replayed."""

    program: Program
    buffer_pages: Annotated[int, Meta(ge=1, le=MOST_PAGES)]
    live_pages: Annotated[int, Meta(ge=1, le=MOST_PAGES * 64)]
    seed: int = 0
    driver: str = ""
    buffer: str = ""
    kernel: str = ""
    what: str = ""
    expected: str = ""
    actual: str = ""
    reproduced: Literal["yes", "sometimes", "no"] = "yes"


class Source(Protocol):
    """Where a thread's steps come from."""

    def next(self, state: State) -> Step | None:
        """The next one, None at the end."""


class Listed:
    """Steps that are known."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = iter(steps)

    def next(self, state: State) -> Step | None:  # noqa: ARG002 (the list does not look at it)
        """As the protocol."""
        return next(self._steps, None)


class Seeded:
    """Steps that follow from a seed and the model alone."""

    def __init__(self, seed: str, steps: int) -> None:
        self._choices = SeededChoices(random.Random(seed))  # noqa: S311 (to be repeated, not to be secret)
        self._left = steps

    def next(self, state: State) -> Step | None:
        """As the protocol."""
        if self._left == 0:
            return None
        self._left -= 1
        return choose(self._choices, state)


@dataclass(frozen=True, slots=True)
class Round:
    """A program by its seed: `steps` for each thread."""

    seed: int
    number: int
    threads: int
    steps: int

    def sources(self) -> list[Source]:
        """One for each thread."""
        return [Seeded(f"{self.seed}/{self.number}/{thread}", self.steps) for thread in range(self.threads)]

    def shared(self, limits: Limits) -> list[int]:
        """Pages of the shared buffers."""
        choices = SeededChoices(random.Random(f"{self.seed}/{self.number}/shared"))  # noqa: S311 (as above)
        return [choices.number(1, limits.buffer_pages) for _buffer in range(SHARED_BUFFERS)]

    def program(self, traits: Traits, limits: Limits, taken: Sequence[int]) -> Program:
        """The steps that each thread had taken, as they had been chosen."""
        shared = self.shared(limits)
        threads: list[Steps] = []
        for thread, (source, count) in enumerate(zip(self.sources(), taken, strict=True)):
            state = state_of(thread, self.threads, shared, traits, limits)
            threads.append(list(_chosen(source, state, count)))
        return Program(shared, threads)


def _chosen(source: Source, state: State, count: int) -> Iterator[Step]:
    for _step in range(count):
        step = source.next(state)
        if step is None:
            return
        if expect(state, step) is not None:
            yield step


def state_of(thread: int, threads: int, shared: Sequence[int], traits: Traits, limits: Limits) -> State:
    """The state in which a thread starts."""
    fresh = ZERO if traits.fresh_is_zero else UNKNOWN
    bodies = [Body([fresh] * rounded(pages, traits)) for pages in shared]
    for body in bodies:
        body.others = pages_of_others(thread, threads, body.pages)
    return State(traits, limits, bodies, tags=thread * _TAGS_OF_A_THREAD)


def rounded(pages: int, traits: Traits) -> int:
    """Pages that a buffer of so many really has."""
    return -(-pages // traits.granule_pages) * traits.granule_pages


def decode_replay(data: bytes) -> Replay:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=Replay)
