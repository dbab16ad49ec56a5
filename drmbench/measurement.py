# SPDX-License-Identifier: MIT
"""Driving series: sizes that fit, runs in turn, Ctrl-C, and devices that fail on the way."""

from __future__ import annotations

import errno
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from drmbench import caveats
from drmbench.buffer import PAGE_BYTES, TooLargeError
from drmbench.environment import memory_available_bytes
from drmbench.errors import DrmbenchError
from drmbench.repetition import Plan, forget
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from drmbench.doctor.measured import Watch
    from drmbench.model import Access, Caveat, Layout, Phase
    from drmbench.repetition import Asked, Stopped
    from drmbench.targets import Target

DEFAULT_SIZE_BYTES = 64 << 20
_MEMORY_SHARE = 0.9


class Series(Protocol):
    """The runs of one (target, buffer kind, access)."""

    target: Target

    def prepare(self) -> None:
        """The untimed first pass. Raises DrmbenchError, TooLargeError where a smaller size may do."""

    def sample(self) -> None:
        """One whole run. Raises DrmbenchError."""


class Progress(Protocol):
    """Where a measurement says how far it is."""

    def start(self, total_runs: int) -> None:
        """So many calls of advance() will follow."""

    def extend(self, runs: int) -> None:
        """So many calls of advance() more than was said."""

    def now(self, text: str) -> None:
        """What happens now."""

    def advance(self) -> None:
        """One run is done."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the measuring commands take; `size_bytes` None is `default_size_bytes`, halved until it fits.

    `repeats` says how often, where it is there; else exactly `runs` runs are made, and none before is discarded.
    """

    devices: tuple[str, ...]
    buffer: str | None
    size_bytes: int | None
    accesses: tuple[Access, ...]
    order: str
    cpu: int | None
    seed: int
    baseline: bool
    runs: int = 1
    phases: tuple[Phase, ...] = ()
    strategies: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    live_buffers: tuple[int, ...] = ()
    live_fixed: bool = False
    cycles: int | None = None
    default_size_bytes: int = DEFAULT_SIZE_BYTES
    layouts: tuple[Layout, ...] = ()
    threads: tuple[int, ...] = ()
    processes: tuple[int, ...] = ()
    size_sweep: tuple[int, ...] = ()
    floor: tuple[str, ...] = ("anon", "memfd")
    repeats: Asked | None = None

    @property
    def pinned(self) -> bool:
        """Whether what is measured stays on one CPU; crews do."""
        return self.cpu is not None or bool(self.layouts)


S = TypeVar("S", bound=Series)


@dataclass(slots=True)
class Measurement(Generic[S]):
    """The series of one command, and why those that the user asked for are missing."""

    options: Options
    progress: Progress
    make: Callable[[Target, str, Access, int], S]
    series: list[S] = field(default_factory=list)
    dropped: list[tuple[Target, DrmbenchError]] = field(default_factory=list)
    notes: list[Caveat] = field(default_factory=list)
    interrupted: bool = False
    watch: Watch | None = None
    plan: Plan | None = None
    rounds: int = 0
    elapsed_s: float = 0.0
    stopped: Stopped = "runs"

    def run(self, pairs: Sequence[tuple[Target, str]]) -> None:
        """Prepare every (target, buffer kind), then sample them in turn; Ctrl-C keeps what is finished.

        The plan says how often; without one it is Options.runs times and without a warm-up.
        """
        plan = self.plan or Plan(self.options.runs)
        series = len(pairs) * len(self.options.accesses)
        self.progress.start(series * (1 + plan.warm_up + plan.fewest))
        try:
            for target, kind in pairs:
                for access in self.options.accesses:
                    self._prepare(target, kind, access)
            self._repeat(plan)
        except KeyboardInterrupt:
            self.interrupted = True
            self.stopped = "interrupted"

    def _repeat(self, plan: Plan) -> None:
        """Rounds of all series, each in a new random order, so that no drift of the machine favours one of them."""
        order = random.Random(self.options.seed)  # noqa: S311 (no secret)
        for _run in range(plan.warm_up):
            self._round(order)
        for series in self.series:
            forget(series)
        began = time.monotonic()
        while self.series:
            stopped = plan.enough(self.series, self.rounds, self.elapsed_s)
            if stopped is not None:
                self.stopped = stopped
                return
            if self.rounds >= plan.fewest:
                self.progress.extend(len(self.series))
            self._round(order)
            self.rounds += 1
            self.elapsed_s = time.monotonic() - began

    def _round(self, order: random.Random) -> None:
        for series in order.sample(self.series, len(self.series)):
            self._sample(series)

    def _prepare(self, target: Target, kind: str, access: Access) -> None:
        self.progress.now(f"{target.label}: preparing ({access})")
        try:
            self.series.append(self._fitting(target, kind, access))
        except DrmbenchError as error:
            self._drop(target, error)
        self.progress.advance()

    def _fitting(self, target: Target, kind: str, access: Access) -> S:
        default = self.options.default_size_bytes
        size_bytes = self.options.size_bytes or default
        while True:
            try:
                check_memory(target, size_bytes)
                series = self.make(target, kind, access, size_bytes)
                series.prepare()
            except TooLargeError:
                if self.options.size_bytes is not None or size_bytes <= PAGE_BYTES:
                    raise
                size_bytes //= 2
            else:
                if self.options.size_bytes is None and size_bytes != default:
                    self.notes.append(caveats.size_reduced(
                        target.label, format_bytes(default), format_bytes(size_bytes),
                    ))
                return series

    def _sample(self, series: S) -> None:
        self.progress.now(f"{series.target.label}: measuring")
        try:
            series.sample()
        except DrmbenchError as error:
            self.series.remove(series)
            self._drop(series.target, error)
        self.progress.advance()

    def _drop(self, target: Target, error: DrmbenchError) -> None:
        self.dropped.append((target, error))
        self.notes.append(caveats.not_measured(error))

    @property
    def failures(self) -> list[DrmbenchError]:
        """The errors of what was named and could not be measured."""
        return unexpected(self.dropped, [series.target for series in self.series], self.options.buffer)


def unexpected(
    dropped: Iterable[tuple[Target, DrmbenchError]], working: Collection[Target], buffer: str | None,
) -> list[DrmbenchError]:
    """Which errors of targets that were dropped are failures: those of what the user named.

    With --buffer all (`buffer`) a kind that this device refuses is an answer, not a failure; and so is one of its two
    uAPIs where no kind was named and the other one works (virtio-gpu without 3D).
    """
    if buffer == "all":
        return []
    drivers = {target.driver for target in working} if buffer is None else set()
    return [error for target, error in dropped
            if target.role == "named" and (target.driver not in drivers or target in working)]


def check_memory(target: Target, size_bytes: int) -> None:
    """Refuse what would drive the machine out of memory; a file's pages can be dropped, so it is exempt.

    Raises TooLargeError.
    """
    available = memory_available_bytes()
    if target.driver != "file" and available is not None and size_bytes > available * _MEMORY_SHARE:
        raise TooLargeError(
            target.label, f"create ({format_bytes(size_bytes)})", errno=errno.ENOMEM,
            reason=f"only {available >> 20} MiB of memory are available", remedy="try a smaller --size",
        )
