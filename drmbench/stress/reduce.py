# SPDX-License-Identifier: MIT
"""From a program that fails to a small one that fails the same way: steps are left out, then numbers made smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drmbench.stress import steps as s
    from drmbench.stress.program import Program

    Fails = Callable[[Program], bool]

_SIZES = ("pages", "count", "first")


class OutOfTimeError(Exception):
    """The time for reducing is over; what was found so far counts."""


class Reduction:
    """Makes `program` smaller as long as fails(program) stays True; fails() raises OutOfTimeError to end it."""

    def __init__(self, program: Program, fails: Fails) -> None:
        self.program = program
        self._fails = fails

    def run(self, failed_thread: int | None) -> Program:
        """The smallest program found."""
        try:
            self._try(structs.replace(self.program, shared=[]))
            if failed_thread is not None and 0 <= failed_thread < len(self.program.threads):
                self._try(_only(self.program, failed_thread))
            size = -1
            while self.program.length != size:
                size = self.program.length
                self._remove_steps()
            self._try(_without_idle_threads(self.program))
            self._try(structs.replace(self.program, shared=[]))
            self._shrink_numbers()
        except OutOfTimeError:
            pass
        return self.program

    def _try(self, candidate: Program) -> bool:
        if candidate == self.program or not self._fails(candidate):
            return False
        self.program = candidate
        return True

    def _remove_steps(self) -> None:
        """Chunks of half the steps, then of a quarter... down to single ones, the last first."""
        chunk = max(1, self.program.length // 2)
        while True:
            end = self.program.length
            while end > 0:
                self._try(_without(self.program, max(0, end - chunk), end))
                end -= chunk
            if chunk == 1:
                return
            chunk = max(1, chunk // 2)

    def _shrink_numbers(self) -> None:
        for index in range(self.program.length):
            for smaller in _smaller(_flat(self.program)[index][1]):
                if self._try(_with(self.program, index, smaller)):
                    break


def _flat(program: Program) -> list[tuple[int, s.Step]]:
    return [(thread, step) for thread, steps in enumerate(program.threads) for step in steps]


def _from_flat(program: Program, flat: Sequence[tuple[int, s.Step]]) -> Program:
    threads: list[list[s.Step]] = [[] for _thread in program.threads]
    for thread, step in flat:
        threads[thread].append(step)
    return structs.replace(program, threads=threads)


def _without(program: Program, first: int, last: int) -> Program:
    flat = _flat(program)
    return _from_flat(program, flat[:first] + flat[last:])


def _with(program: Program, index: int, step: s.Step) -> Program:
    flat = _flat(program)
    return _from_flat(program, [*flat[:index], (flat[index][0], step), *flat[index + 1:]])


def _only(program: Program, thread: int) -> Program:
    """The other threads keep their places, and so their pages of the shared buffers, but do nothing."""
    kept = [steps if number == thread else [] for number, steps in enumerate(program.threads)]
    return structs.replace(program, threads=kept)


def _without_idle_threads(program: Program) -> Program:
    return structs.replace(program, threads=[steps for steps in program.threads if steps] or [[]])


def _smaller(step: s.Step) -> Iterator[s.Step]:
    """The step with its sizes as small as can be, then with half of one of them."""
    numbers: dict[str, Any] = {name: value for name, value in structs.asdict(step).items() if name in _SIZES}
    least = {name: 0 if name == "first" else 1 for name in numbers}
    if numbers != least:
        yield structs.replace(step, **least)
    for name, value in numbers.items():
        for smaller in dict.fromkeys((least[name], value // 2)):
            if least[name] <= smaller < value:
                yield structs.replace(step, **{name: smaller})
