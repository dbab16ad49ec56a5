# SPDX-License-Identifier: MIT
"""How a case ended -> VerifyResult, with what the kernel logged and what is known taken into account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from drmbench.conformance.known import covers
from drmbench.conformance.verdict import Judgement
from drmbench.model import Caveat, TargetInfo, VerifyResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.conformance.case import Case
    from drmbench.conformance.isolation import Ended, Place
    from drmbench.model import KnownBehaviour


def result_of(case: Case, place: Place, ended: Ended, entries: Sequence[KnownBehaviour]) -> VerifyResult:
    """The result; `entries` are those of the list of known breaches that speak of this case here.

    What the kernel complains of fails the case. A failure that is exactly what an entry says becomes "known".
    """
    judgement = ended.judgement
    if ended.kernel_log and judgement.verdict in {"pass", "skip"}:
        judgement = Judgement("fail", "kernel log", "no complaint", ended.kernel_log[0])
    result = VerifyResult(
        case=case.name,
        target=target_info(place),
        verdict=judgement.verdict, rule=case.rule, source=case.source, what=judgement.what,
        expected=judgement.expected, actual=judgement.actual, reason=judgement.reason,
        kernel_log=ended.kernel_log, duration_ns=ended.duration_ns, observed=judgement.observed,
    )
    if result.verdict == "fail" and not result.kernel_log:
        for entry in entries:
            if (entry.what, entry.actual) == (result.what, result.actual):
                return structs.replace(result, verdict="known", known=entry)
    return result


def target_info(place: Place) -> TargetInfo:
    """What a report says of the place."""
    target = place.target
    return TargetInfo(target.kind, target.node, target.driver, target.description, place.kind)


def entries_for(
    known: Sequence[KnownBehaviour], case: Case, place: Place, kernel: str,
) -> list[KnownBehaviour]:
    """The entries that speak of this case on this target, buffer kind and kernel release."""
    return [entry for entry in known if covers(
        entry, case=case.name, driver=place.target.driver, buffer=place.kind, kernel=kernel,
    )]


def outdated(label: str, entry: KnownBehaviour) -> Caveat:
    """The list says that this breaks the rule, and it does not."""
    return Caveat("known-outdated", f"{label}: {entry.case} passed, though known.toml expects {entry.actual} of "
                  f"{entry.what}", "narrow the kernel range of that entry")
