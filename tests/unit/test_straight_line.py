# SPDX-License-Identifier: MIT
"""Where costs leave a straight line: known answers."""

from __future__ import annotations

import pytest

from drmbench.straight_line import departure, fitted, knee

SIZES = [float(1 << power) for power in range(12)]
WOBBLE = (0.95, 1.0, 1.04)


def runs(cost: dict[float, float] | None = None, factor_above: tuple[float, float] = (0, 1)) -> list[list[float]]:
    """Three runs of 20 us + 500 ns a page; costs above a size are multiplied, single ones replaced."""
    above, factor = factor_above
    return [[((cost or {}).get(size) or (20_000 + 500 * size) * (factor if above and size >= above else 1)) * noise
             for noise in WOBBLE] for size in SIZES]


class TestLine:
    def test_exact_points_give_it_back(self) -> None:
        line = fitted(SIZES, [20_000 + 500 * size for size in SIZES])
        assert line is not None
        assert (line.fixed, line.slope) == (pytest.approx(20_000), pytest.approx(500))

    def test_two_points_are_needed(self) -> None:
        assert fitted([1.0], [2.0]) is None
        assert fitted([1.0, 2.0], [0.0, 2.0]) is None

    def test_a_run_is_held_against_its_own_line(self) -> None:
        found = departure(SIZES[:6], runs()[:6], SIZES[6], runs()[6])
        assert found is not None
        assert (found.least, found.ratio, found.most) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))
        assert departure(SIZES[:3], runs()[:3], SIZES[3], runs()[3]) is None


class TestKnee:
    def test_a_straight_line_has_none(self) -> None:
        assert knee(SIZES, runs()) is None

    @pytest.mark.parametrize("factor", [2.0, 0.5])
    def test_from_where_on_all_sizes_cost_more_or_less(self, factor: float) -> None:
        assert knee(SIZES, runs(factor_above=(256, factor))) == 8

    def test_within_the_tolerance_there_is_none(self) -> None:
        assert knee(SIZES, runs(factor_above=(256, 1.2))) is None
        assert knee(SIZES, runs(factor_above=(256, 1.2)), 0.1) == 8

    def test_one_size_that_was_disturbed_is_none(self) -> None:
        assert knee(SIZES, runs({64.0: 1e9})) is None

    def test_the_last_size_alone_is_none(self) -> None:
        assert knee(SIZES, runs(factor_above=(2048, 3.0))) is None
        assert knee(SIZES, runs(factor_above=(1024, 3.0))) == 10
