# SPDX-License-Identifier: MIT
"""Mann-Whitney U, Cliff's delta, and p values of many tests at once; scipy is imported when one is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXACT_UP_TO = 60


@dataclass(frozen=True, slots=True)
class RankTest:
    """`p` is two-sided; Cliff's `delta` is P(new > base) - P(new < base), from -1 to 1."""

    p: float
    delta: float


def mann_whitney(base: Sequence[float], new: Sequence[float]) -> RankTest:
    """Whether one of two samples tends to larger values; neither may be empty.

    The p value is exact up to 60 runs a side without ties, else that of the normal approximation with
    corrections for ties and continuity.
    """
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 (takes a second to import)

    tied = len(set(base) | set(new)) < len(base) + len(new)
    exact = not tied and max(len(base), len(new)) <= _EXACT_UP_TO
    u, p = mannwhitneyu(new, base, alternative="two-sided", method="exact" if exact else "asymptotic")
    return RankTest(min(1.0, float(p)) if p == p else 1.0, 2 * float(u) / (len(base) * len(new)) - 1)  # noqa: PLR0124 (all values tied: p is NaN)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The p values of tests made together, after Benjamini and Hochberg: no more than a share p are false alarms.

    Where nothing differs at all, the chance of even one alarm among them is p.
    """
    if not p_values:
        return []
    from scipy.stats import false_discovery_control  # noqa: PLC0415 (as above)

    return [float(p) for p in false_discovery_control(list(p_values))]
