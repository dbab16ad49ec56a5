# SPDX-License-Identifier: MIT
"""Two or more devices, buffer kinds, accesses or strategies, measured in turns in one session, as sides to compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drmbench.comparison.compare import Side
from drmbench.comparison.kinds import subjects_of
from drmbench.errors import DrmbenchError, UsageError
from drmbench.runner import run_compare_populate, run_fault_latency
from drmbench.targets import find_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.comparison.subject import Subject
    from drmbench.measurement import Options, Progress
    from drmbench.model import Access, Report


@dataclass(frozen=True, slots=True)
class Contest:
    """What is given more than once is what is compared, the first one being the base; all else is common to the sides.

    `strategies` are those of compare-populate; without them first touches are measured.
    """

    devices: tuple[str, ...]
    buffers: tuple[str, ...] = ()
    accesses: tuple[Access, ...] = ()
    strategies: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        """The field of a result that differs. Raises UsageError where none or several do."""
        given = {"device": self.devices, "buffer": self.buffers, "access": self.accesses, "strategy": self.strategies}
        several = [name for name, values in given.items() if len(dict.fromkeys(values)) > 1]
        if len(several) != 1:
            raise UsageError("compare", "--live", reason="more than one thing differs" if several else
                             "there is nothing to compare", remedy="give one of --device, --buffer, --access and "
                             "--strategy twice: --live --device vkms --device vgem")
        return several[0]

    @property
    def values(self) -> tuple[str, ...]:
        """The sides, by name."""
        by_field = {"device": self.devices, "buffer": self.buffers, "access": self.accesses,
                    "strategy": self.strategies}
        return tuple(dict.fromkeys(by_field[self.field]))


def measure_sides(contest: Contest, options: Options, progress: Progress) -> tuple[list[Side], tuple[str, ...]]:
    """Measure all sides in turns; (sides, the fields in which results that belong together differ).

    Raises UsageError, DrmbenchError where a side could not be measured, KeyboardInterrupt.
    """
    field = contest.field
    whole = replace(options, devices=contest.devices, buffer=",".join(contest.buffers) or None,
                    accesses=contest.accesses or ("write",), baseline=False)
    run = run_compare_populate if contest.strategies else run_fault_latency
    outcome = run(whole, progress)
    if outcome.failures:
        raise outcome.failures[0]
    if outcome.interrupted:
        raise KeyboardInterrupt
    subjects = subjects_of(outcome.report, "compare")
    if field == "device":
        parts = _by_device(contest.devices, subjects, writing=any(a != "read" for a in whole.accesses))
    else:
        parts = {value: [s for s in subjects if s.key.get(field) == value] for value in contest.values}
    sides = [_side(value, outcome.report, parts[value]) for value in contest.values]
    return sides, ("device", "buffer") if field == "device" and not contest.buffers else (field,)


def _by_device(devices: Sequence[str], subjects: Sequence[Subject], *, writing: bool) -> dict[str, list[Subject]]:
    """The results of each --device. Raises UsageError where one result would stand on two sides."""
    parts: dict[str, list[Subject]] = {}
    taken: dict[tuple[str | None, str], str] = {}
    for spec in dict.fromkeys(devices):
        targets, _unusable = find_targets((spec,), writing=writing, floor=False)
        mine = {(target.node, target.driver) for target in targets}
        for key in mine & set(taken):
            raise UsageError("compare", "--live", reason=f"{taken[key]} and {spec} are the same device")
        taken |= dict.fromkeys(mine, spec)
        parts[spec] = [s for s in subjects if (s.target.node, s.target.driver) in mine]
    return parts


def _side(name: str, report: Report, subjects: list[Subject]) -> Side:
    if not subjects:
        raise DrmbenchError("compare", "--live", reason=f"nothing was measured of {name}",
                            remedy="drmbench devices lists what is here")
    return Side(name, report, subjects)
