# SPDX-License-Identifier: MIT
"""Which case runs on which buffer and when, and what becomes of a device that cases take from its driver."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from drmbench.conformance.attachment import Attachment
from drmbench.conformance.isolation import Ended, Place, run_apart, run_case
from drmbench.conformance.verdict import Judgement, judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.conformance.case import Case
    from drmbench.conformance.kernel_log import KernelLog
    from drmbench.targets import Target


_BACK_WITHIN_S = 5.0


class Turn(NamedTuple):
    """One run of one case; `device` is for those that take it away, and shared by them."""

    case: Case
    place: Place
    device: Detachable | None = None

    def run(self, log: KernelLog) -> tuple[Place, Ended]:
        """Run it; returns where it really ran, and how it ended."""
        if self.device is None:
            return self.place, run_case(self.case, self.place, log)
        place = self.device.place
        return place, self.device.run(self.case, log)


def turns(places: Sequence[Place], cases: Sequence[Case], *, by_case: bool = False) -> list[Turn]:
    """Every case on every place, then, once a device, those that come last.

    A case of a device, not of a buffer, is for the first place on it. `by_case`: all places of a case follow each
    other, instead of all cases of a place.
    """
    first: dict[tuple[str | None, str], Place] = {}
    for place in places:
        first.setdefault((place.target.node, place.target.driver), place)
    lasting = [Turn(case, place) for place in places for case in cases
               if not case.last and (case.per == "buffer" or first[place.target.node, place.target.driver] is place)]
    devices: dict[str, Place] = {}
    for place in places:
        devices.setdefault(_device_of(place.target), place)
    ending = [case for case in cases if case.last]
    last = [Turn(case, d.place, d) for d in map(Detachable.at, devices.values() if ending else ()) for case in ending]
    if by_case:
        for part in (lasting, last):
            part.sort(key=lambda turn: cases.index(turn.case))
    return [*lasting, *last]


def _device_of(target: Target) -> str:
    """The device in sysfs that several targets may share, or the baseline's own name."""
    if target.kind != "drm" or target.node is None:
        return target.label
    try:
        return Attachment.of_node(target.node).device
    except OSError:
        return target.node


@dataclass(slots=True)
class Detachable:
    """A device for the cases that take it away; once it did not come back in order, the others are skipped."""

    place: Place
    _attachment: Attachment | None
    _doubt: str = ""

    @classmethod
    def at(cls, place: Place) -> Self:
        """The device of this place."""
        node = place.target.node
        return cls(place, Attachment.of_node(node) if node is not None and place.target.kind == "drm" else None)

    def run(self, case: Case, log: KernelLog) -> Ended:
        """Run the case, or skip it; the place afterwards has the node that the device has then."""
        if self._doubt:
            return Ended(Judgement("skip", reason=self._doubt), [], 0)
        ended = run_case(case, self.place, log)
        node = self.place.target.node
        if self._attachment is not None and node is not None:
            now = self._attachment.node_like(node)
            if now is None and not ended.kernel_log:  # a case that was killed could not put the driver back itself
                now = self._bound_again(self._attachment, node, log)
            if now is None or ended.kernel_log:
                trouble = "left no node behind" if now is None else "upset the kernel"
                self._doubt = f"{case.name} {trouble}"
            else:  # bound again, its number may be another
                self.place = replace(self.place, target=replace(self.place.target, node=now))
        return ended

    def _bound_again(self, attachment: Attachment, node: str, log: KernelLog) -> str | None:
        """The device's node once its driver was put back, in a process of its own: that may hang as the case did."""
        limit_s = _BACK_WITHIN_S * self.place.time_factor
        run_apart(lambda: judged(lambda: attachment.bind(limit_s)), 2 * limit_s, log)
        return attachment.node_like(node)
