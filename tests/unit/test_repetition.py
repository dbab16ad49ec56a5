# SPDX-License-Identifier: MIT
"""How often a command measures, and when it stops: --runs, --precision, --time-budget, --warm-up."""

from __future__ import annotations

import random
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from drmbench import repetition as rules
from drmbench.errors import DrmbenchError
from drmbench.measurement import Measurement, Options
from drmbench.repetition import MOST_RUNS, Asked, Plan, plan
from drmbench.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

SIZE = "64KiB"
COMMANDS = {
    "fault-latency": ("--size", SIZE), "compare-populate": ("--size", SIZE), "bandwidth": ("--size", SIZE),
    "lifecycle": ("--sizes", SIZE, "--live", "1,3", "--cycles", "2"), "scale": ("--size", SIZE, "--threads", "1,2"),
    "scale by size": ("--size-sweep", "16KiB..64KiB"),
}
"""What measures in runs, and what makes it quick."""


def command_line(name: str) -> tuple[str, ...]:
    return (name.split(maxsplit=1)[0], "--device", "memfd", "--no-baseline", *COMMANDS[name])


class Quiet:
    """A Progress that keeps the totals."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def start(self, total_runs: int) -> None:
        self.total = total_runs

    def extend(self, runs: int) -> None:
        self.total += runs

    def now(self, text: str) -> None:
        pass

    def advance(self) -> None:
        self.done += 1


@dataclass
class Noise:
    """A series whose runs are normally distributed, in a log that all series share."""

    target: Target
    spread: float
    log: list[str]
    fails_at: int | None = None
    runs: list[float] = field(default_factory=list)
    forgotten: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 (no secret)

    def prepare(self) -> None:
        self.log.append(f"prepare {self.target.driver}")

    def sample(self) -> None:
        self.log.append(self.target.driver)
        if len(self.runs) == self.fails_at:
            raise DrmbenchError(self.target.driver, "CREATE_DUMB", errno=12)
        self.runs.append(self.random.gauss(1000, self.spread))

    def forget(self) -> None:
        self.forgotten += len(self.runs)
        self.runs.clear()

    def decisive_ns(self) -> list[list[float]]:
        return [self.runs]


def measured(chosen: Plan, *spreads: float, seed: int = 1, fails_at: int | None = None) -> Measurement[Noise]:
    options = Options(devices=(), buffer=None, size_bytes=4096, accesses=("write",), order="sequential", runs=1,
                      cpu=None, seed=seed, baseline=False)
    log: list[str] = []
    targets = {f"d{i}": spread for i, spread in enumerate(spreads)}
    made: Measurement[Noise] = Measurement(
        options, Quiet(), lambda target, *_rest: Noise(target, targets[target.driver], log, fails_at), plan=chosen)
    made.run([(Target("baseline", None, name, "", ("x",), "named", nullcontext), "x") for name in targets])
    return made


class TestPlan:
    """What the options mean together."""

    @pytest.mark.parametrize(("asked", "emulated", "chosen"), [
        (Asked(), False, Plan(10, 2.0, 10.0, 1)),
        (Asked(), True, Plan(5, None, 10.0, 1)),
        (Asked(runs=7), False, Plan(7, None, 10.0, 1)),
        (Asked(runs=7), True, Plan(7, None, 10.0, 1)),
        (Asked(precision_percent=1.0), True, Plan(10, 1.0, 10.0, 1)),
        (Asked(time_budget_s=60.0), False, Plan(10, 2.0, 60.0, 1)),
        (Asked(runs=3, time_budget_s=0.0, warm_up=4), False, Plan(3, 2.0, 0.0, 4)),
    ])
    def test_of_options(self, asked: Asked, emulated: bool, chosen: Plan) -> None:
        assert plan(asked, emulated=emulated) == chosen


class TestStopping:
    def test_a_fixed_number_is_exact_whatever_the_spread(self) -> None:
        made = measured(Plan(7), 500.0)
        assert (made.rounds, made.stopped, len(made.series[0].runs)) == (7, "runs", 7)

    def test_steady_times_stop_at_the_fewest(self) -> None:
        made = measured(Plan(10, 2.0), 1.0, 2.0)
        assert (made.rounds, made.stopped) == (10, "precision")

    def test_noise_takes_more_runs_and_the_noisiest_decides(self) -> None:
        calm, loud = measured(Plan(10, 2.0), 1.0), measured(Plan(10, 2.0), 1.0, 60.0)
        assert calm.rounds < loud.rounds < MOST_RUNS
        assert loud.stopped == "precision"
        assert len({len(series.runs) for series in loud.series}) == 1

    def test_time_ends_it_but_not_before_the_fewest(self) -> None:
        made = measured(Plan(10, 0.001, time_budget_s=0.0), 100.0)
        assert (made.rounds, made.stopped) == (10, "time-budget")

    def test_there_is_a_most(self) -> None:
        made = measured(Plan(10, 1e-9, time_budget_s=1000.0), 100.0)
        assert (made.rounds, made.stopped) == (MOST_RUNS, "most-runs")

    def test_looks_get_rarer(self) -> None:
        looks = [runs for runs in range(10, 100) if Plan(10, 1.0)._looks(runs)]
        assert looks[:4] == [10, 12, 14, 16]
        assert len(looks) < 15

    def test_the_progress_is_right_at_the_end(self) -> None:
        made = measured(Plan(10, 2.0, warm_up=2), 60.0, 1.0)
        assert isinstance(made.progress, Quiet)
        assert made.progress.total == made.progress.done == 2 * (1 + 2 + made.rounds)


class TestWarmUp:
    def test_its_runs_are_made_and_discarded(self) -> None:
        made = measured(Plan(5, warm_up=3), 1.0)
        assert (made.series[0].forgotten, len(made.series[0].runs)) == (3, 5)

    def test_what_fails_in_it_is_left_out(self) -> None:
        made = measured(Plan(5, warm_up=1), 1.0, fails_at=0)
        assert (made.series, len(made.dropped)) == ([], 1)


class TestOrder:
    """Random, so that no drift favours one; with a seed, so that it can be had again."""

    def rounds(self, seed: int) -> list[tuple[str, ...]]:
        log = measured(Plan(30), 1.0, 1.0, 1.0, seed=seed).series[0].log[3:]
        return [tuple(log[at:at + 3]) for at in range(0, len(log), 3)]

    def test_each_round_has_all_of_them_in_an_order_of_its_own(self) -> None:
        found = self.rounds(1)
        assert {tuple(sorted(each)) for each in found} == {("d0", "d1", "d2")}
        assert len(set(found)) == 6

    def test_a_seed_repeats_it(self) -> None:
        assert self.rounds(1) == self.rounds(1) != self.rounds(2)


class TestReport:
    """The report says how often, and how well what it tells is known."""

    def test_exactly_so_many_runs(self, drmbench: Any) -> None:
        document = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--runs", "6", "--json", "-").json
        repetition = document["repetition"]
        assert (repetition["runs"], repetition["warm_up"], repetition["stopped"]) == (6, 1, "runs")
        for result in document["results"]:
            assert result["runs"] == 6
            assert result["spread"]["low"] <= result["ns_per_page"] + 0.01
            assert result["spread"]["high"] >= result["ns_per_page"] - 0.01
            assert {len(values) for values in result["per_run"]["stages_ns"].values()} == {6}
            assert {len(values) for values in result["per_run"]["faults"].values()} == {6}
            assert len(result["per_run"]["fault_ns"]["p99"]) == 6

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_budget_that_ends_is_a_caveat(self, drmbench: Any, command: str) -> None:
        ran = drmbench(*command_line(command), "--precision", "0.0001%", "--time-budget", "0", "--json", "-")
        repetition = ran.json["repetition"]
        told = (repetition["stopped"], repetition["runs"], repetition["warm_up"])
        assert told == ("time-budget", rules.FEWEST_RUNS, 1)
        assert repetition["precision_percent"] == 0.0001
        assert {result["runs"] for result in ran.json["results"]} == {rules.FEWEST_RUNS}
        assert "imprecise" in {caveat["id"] for caveat in ran.json["caveats"]}

    @pytest.mark.parametrize("command", COMMANDS)
    def test_the_table_says_it(self, drmbench: Any, command: str) -> None:
        ran = drmbench(*command_line(command), "--runs", "6", "--warm-up", "2")
        assert "2 warm-up runs discarded, random order, the number of runs was fixed" in ran.out
        assert max(map(len, ran.out.splitlines())) <= 80

    @pytest.mark.parametrize("command", COMMANDS)
    def test_what_is_imprecise_is_measured_again(
        self, drmbench: Any, command: str, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(rules, "MOST_RUNS", 8)
        ran = drmbench(*command_line(command), "--precision", "0.0001%", "--time-budget", "100", "--json", "-")
        assert (ran.json["repetition"]["runs"], ran.json["repetition"]["stopped"]) == (8, "most-runs")

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_baseline_can_be_kept(
        self, drmbench: Any, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        assert drmbench(*command_line(command), "--runs", "1", "--save-baseline", "kept").status == 0
        assert drmbench("show", "baseline:kept").status == 0

    @pytest.mark.parametrize("option", [("--precision", "0"), ("--precision", "x"), ("--time-budget", "-1"),
                                        ("--runs", "0"), ("--warm-up", "-1")])
    def test_what_makes_no_sense(self, drmbench: Any, option: tuple[str, str]) -> None:
        assert drmbench("fault-latency", "--device", "memfd", *option).status == 2

    def test_populate_keeps_its_runs(self, drmbench: Any) -> None:
        ran = drmbench("compare-populate", "--device", "memfd", "--size", SIZE, "--runs", "6", "--json", "-")
        for strategy in ran.json["results"][0]["strategies"].values():
            assert len(strategy["total_ns_runs"]) == 6
            parts = zip(*strategy["stages_ns_runs"].values(), strict=True)
            assert [sum(each) for each in parts] == strategy["total_ns_runs"]
