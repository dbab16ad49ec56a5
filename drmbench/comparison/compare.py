# SPDX-License-Identifier: MIT
"""Reports -> CompareReport: match, count, test, judge, and see whether a --fail-if is met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drmbench.comparison.conditions import evaluate
from drmbench.comparison.environments import caveats_of, distrust
from drmbench.comparison.judge import Rule, Tested, compare_counts, conclude, test_times
from drmbench.comparison.kinds import command_of, subjects_of
from drmbench.comparison.matching import describe, match
from drmbench.errors import DrmbenchError
from drmbench.inference.intervals import geometric_mean
from drmbench.inference.rank_test import adjusted
from drmbench.model import (
    SCHEMA_VERSION,
    CompareParameters,
    CompareReport,
    CompareResult,
    CompareSide,
    CountComparison,
    FactChange,
    GeometricMean,
    OneSided,
    Report,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from drmbench.comparison.conditions import Condition
    from drmbench.comparison.subject import Subject


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants to know: the noise threshold, conditions, and fields that are to differ."""

    rule: Rule = field(default_factory=Rule)
    conditions: tuple[Condition, ...] = ()
    across: tuple[str, ...] = ()
    live: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """A report under the name that the user gave it, or a part of one; the first side is the base."""

    name: str
    report: Report
    subjects: list[Subject]

    @classmethod
    def of(cls, name: str, report: Report) -> Side:
        """All of a report. Raises DrmbenchError where its kind cannot be compared."""
        return cls(name, report, subjects_of(report, name))


@dataclass(slots=True)
class _Pair:
    """A matched result on its way to a CompareResult."""

    side: int
    base: Subject
    new: Subject
    counts: list[CountComparison]
    tested: list[Tested]


def compare(sides: Sequence[Side], asked: Asked) -> CompareReport:
    """Compare every other side with the first one.

    Raises DrmbenchError where they have no result in common or a condition cannot be judged anywhere.
    """
    pairs, one_sided = _matched(sides, asked)
    described = [CompareSide(side.name, command_of(side.report), side.report.environment) for side in sides]
    rule = Rule(asked.rule.noise_percent, asked.rule.alpha, distrust(described, live=asked.live))
    results = _judged(pairs, rule)
    labels = [describe(pair.base) for pair in pairs]
    if len(sides) > 2:
        labels = [f"{sides[pair.side].name}: {label}" for pair, label in zip(pairs, labels, strict=True)]
    return CompareReport(
        schema_version=SCHEMA_VERSION,
        environment=sides[0].report.environment,
        parameters=CompareParameters(
            noise_percent=rule.noise_percent, alpha=rule.alpha, across=list(asked.across), live=asked.live,
            conditions=[condition.text for condition in asked.conditions], size_bytes=pairs[0].base.size_bytes),
        sides=described,
        results=results,
        geometric_means=[mean for side in range(1, len(sides)) for mean in _means(side, pairs)],
        one_sided=one_sided,
        conditions=[evaluate(condition, results, labels) for condition in asked.conditions],
        caveats=caveats_of(described, results, live=asked.live),
    )


def _matched(sides: Sequence[Side], asked: Asked) -> tuple[list[_Pair], list[OneSided]]:
    pairs: list[_Pair] = []
    one_sided: list[OneSided] = []
    base, *others = sides
    streams = 0
    for index, side in enumerate(others, 1):
        found = match(base.subjects, side.subjects, asked.across)
        for was, now in found.pairs:
            pairs.append(_pair(index, was, now, streams))
            streams += len(pairs[-1].tested)
        one_sided += [OneSided(0, index, describe(subject)) for subject in found.only_base]
        one_sided += [OneSided(index, 0, describe(subject)) for subject in found.only_new]
        if not found.pairs:
            raise _nothing_in_common(base, side)
    return pairs, one_sided


def _nothing_in_common(base: Side, side: Side) -> DrmbenchError:
    has = [describe(subject) for subject in (*base.subjects[:1], *side.subjects[:1])]
    return DrmbenchError(side.name, "compare", reason=f"no result in common with {base.name}: {' and '.join(has)}, say",
                         remedy="--across device,buffer compares what differs in these")


def _pair(side: int, base: Subject, new: Subject, first_stream: int) -> _Pair:
    counts = {count.name: count for count in new.counts}
    times = {time.name: time for time in new.times}
    tested: list[Tested] = []
    for time in base.times:
        other = times.get(time.name)
        if other is not None and other.unit == time.unit and max((*time.values, *other.values)) > 0:
            tested.append(test_times(time, other, first_stream + len(tested)))
    return _Pair(side, base, new, [compare_counts(c, counts[c.name]) for c in base.counts if c.name in counts], tested)


def _judged(pairs: Sequence[_Pair], rule: Rule) -> list[CompareResult]:
    """The p values of all tests are adjusted together: the more is asked, the more must be shown."""
    p_values = iter(adjusted([t.test.p for pair in pairs for t in pair.tested if t.test is not None]))
    results = []
    for pair in pairs:
        times = [conclude(t, next(p_values) if t.test is not None else None, rule) for t in pair.tested]
        results.append(CompareResult(
            side=pair.side, target=pair.base.target, new_target=pair.new.target, variant=pair.base.variant_text,
            counts=pair.counts, times=times, facts=_facts(pair.base, pair.new),
        ))
    return results


def _facts(base: Subject, new: Subject) -> list[FactChange]:
    names = [name for name in base.facts if name in new.facts]
    return [FactChange(name, base.facts[name], new.facts[name]) for name in names
            if base.facts[name] != new.facts[name]]


def _means(side: int, pairs: Sequence[_Pair]) -> list[GeometricMean]:
    """One a quantity, over the results of DRM devices where there are any: a baseline is not what is compared.

    None of what has too few runs for an interval.
    """
    here = [pair for pair in pairs if pair.side == side]
    here = [pair for pair in here if pair.base.target.kind == "drm"] or here
    found = []
    for name in dict.fromkeys(t.base.name for pair in here for t in pair.tested):
        ratios, drawn = _ratios_of(name, here)
        mean = geometric_mean(ratios, drawn)
        if mean is not None and len(ratios) > 1:
            found.append(GeometricMean(side, name, len(ratios), mean.middle, mean.low, mean.high))
    return found


def _ratios_of(name: str, pairs: Sequence[_Pair]) -> tuple[list[float], list[NDArray[np.float64]]]:
    ratios, drawn = [], []
    for pair in pairs:
        for tested in pair.tested:
            if tested.base.name == name and tested.test and tested.interval and tested.drawn is not None:
                ratios.append(tested.interval.middle)
                drawn.append(tested.drawn)
    return ratios, drawn
