# SPDX-License-Identifier: MIT
"""How often `compare` is wrong: alarms where nothing differs, and shifts of a tenth that it misses.

Simulated runs are heavy-tailed, as runs on a machine are: lognormal, and one in ten slowed down by up to three
times. Measured ones are of memfd, in turns. A pair counts as an alarm where any quantity of it is faster or slower.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from made_up_runs import report, result

from drmbench.calibration import calibrate
from drmbench.comparison.compare import Asked, Side, compare
from drmbench.drivers.baselines import MemfdBackend
from drmbench.measurement import Measurement, Options
from drmbench.repetition import Plan
from drmbench.results import fault_results
from drmbench.targets import Target
from drmbench.workloads.fault import FaultParameters, FaultSeries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drmbench.model import CompareReport, FaultLatencyResult

PAIRS = 200
MOST_ALARMS = 0.06 * PAIRS


def noisy(rng: np.random.Generator, runs: int, spread: float, factor: float = 1.0) -> list[float]:
    """Times a page of so many runs, in ns."""
    slowed = np.where(rng.random(runs) < 0.1, rng.uniform(1, 3, runs), 1.0)
    return (factor * 1000 * rng.lognormal(0, spread, runs) * slowed).tolist()


def compared(base: Sequence[FaultLatencyResult], new: Sequence[FaultLatencyResult]) -> CompareReport:
    return compare([Side.of("base", report(*base)), Side.of("new", report(*new))], Asked())


def alarms(reports: Iterable[CompareReport]) -> int:
    """How many of them call any time faster or slower."""
    return sum(any(time.verdict in {"faster", "slower"} for found in one.results for time in found.times)
               for one in reports)


def simulated(runs: int, spread: float, factor: float = 1.0, results: int = 1) -> list[CompareReport]:
    """PAIRS comparisons of so many results each, the new one slower by a factor."""
    rng = np.random.default_rng([runs, round(1000 * spread), round(1000 * factor)])
    accesses = ("write", "read", "read-then-write")[:results]
    return [
        compared(*([result(noisy(rng, runs, spread, by), p99=noisy(rng, runs, 3 * spread, 4 * by), access=access)
                    for access in accesses] for by in (1.0, factor)))
        for _ in range(PAIRS)
    ]


class TestNothingDiffers:
    @pytest.mark.parametrize(("runs", "spread", "results"), [(6, 0.03, 1), (10, 0.03, 1), (10, 0.15, 3), (30, 0.08, 3)])
    def test_simulated_pairs(self, runs: int, spread: float, results: int, record_testsuite_property: Any) -> None:
        false = alarms(simulated(runs, spread, results=results))
        record_testsuite_property(f"false_positives.{runs}_runs.spread_{spread}", f"{false} of {PAIRS}")
        print(f"{runs} runs, spread {spread}: {false} false alarms in {PAIRS} null pairs")  # noqa: T201 (pytest -s)
        assert false < MOST_ALARMS

    def test_measured_pairs(self, record_testsuite_property: Any) -> None:
        """Two series on memfd that are the same but for their name, 64 KiB, 10 runs, in turns."""
        clock = calibrate()
        found = [compared(*(fault_results(series, clock) for series in _two_of_memfd(seed))) for seed in range(PAIRS)]
        false = alarms(found)
        record_testsuite_property("false_positives.memfd", f"{false} of {PAIRS}")
        print(f"measured on memfd: {false} false alarms in {PAIRS} null pairs")  # noqa: T201 (pytest -s)
        assert false < MOST_ALARMS
        assert not [count for one in found for count in one.results[0].counts if count.verdict != "same"]


def _two_of_memfd(seed: int) -> list[FaultSeries]:
    options = Options(devices=(), buffer=None, size_bytes=64 << 10, accesses=("write",), order="sequential", runs=1,
                      cpu=None, seed=seed, baseline=False)
    measurement: Measurement[FaultSeries] = Measurement(
        options, _Silent(), lambda target, kind, access, size: FaultSeries(
            target, kind, FaultParameters(size, access, "sequential", ("cold", "warm"), 1)),
        plan=Plan(10, warm_up=1))
    one, other = (Target("baseline", None, "memfd", "", MemfdBackend.kinds, "named",
                         lambda: nullcontext(MemfdBackend())) for _ in range(2))
    measurement.run([(one, "memfd"), (other, "memfd")])
    # In the order of their making, not of their last round.
    return measurement.series


class _Silent:
    def start(self, total_runs: int) -> None:
        pass

    def extend(self, runs: int) -> None:
        pass

    def now(self, text: str) -> None:
        pass

    def advance(self) -> None:
        pass


class TestAShiftOfATenth:
    @pytest.mark.parametrize(("runs", "spread", "least"), [(10, 0.03, 0.65), (20, 0.05, 0.9), (30, 0.08, 0.75)])
    def test_is_found(self, runs: int, spread: float, least: float, record_testsuite_property: Any) -> None:
        found = [one.results[0].times[0].verdict for one in simulated(runs, spread, factor=1.1)]
        power = found.count("slower") / PAIRS
        record_testsuite_property(f"power.{runs}_runs.spread_{spread}", power)
        print(f"{runs} runs, spread {spread}: power {power:.0%} on +10 %")  # noqa: T201 (pytest -s)
        assert power >= least
        assert not {"faster", "same"} & set(found)
