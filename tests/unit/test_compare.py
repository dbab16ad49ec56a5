# SPDX-License-Identifier: MIT
"""`drmbench compare` on saved reports with known differences: verdicts, exit statuses, and what it says."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from made_up_runs import PAGES, report, result, save

from drmbench.comparison.judge import Rule, conclude
from drmbench.comparison.judge import test_times as check_times  # another name, or pytest would collect it
from drmbench.comparison.subject import Sampled
from drmbench.store import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

RNG = np.random.default_rng(3)
START = RNG.bit_generator.state


def runs(n: int = 20, factor: float = 1.0, spread: float = 0.02) -> list[float]:
    return (factor * 1000 * RNG.lognormal(0, spread, n)).tolist()


@pytest.fixture(autouse=True)
def _the_same_runs_in_whatever_order_tests_run() -> None:
    RNG.bit_generator.state = START


@pytest.fixture
def compare(drmbench: Any, tmp_path: Path) -> Callable[..., Any]:
    """Compare two lists of results, each saved as a file."""
    def run(base: Sequence[Any], new: Sequence[Any], *arguments: str, base_on: Any = (), new_on: Any = ()) -> Any:
        before = save(tmp_path / "base.json", *base, **dict(base_on))
        after = save(tmp_path / "new.json", *new, **dict(new_on))
        return drmbench("compare", before, after, *arguments)

    return run


def times(ran: Any) -> dict[str, Any]:
    """Quantity -> its comparison, of the only result."""
    (only,) = ran.json["results"]
    return {time["name"]: time for time in only["times"]}


class TestFaults:
    """Counts are exact, so that one run is enough."""

    def test_one_more_fault_in_one_run_is_a_difference(self, compare: Any) -> None:
        ran = compare([result([1000.0])], [result([1000.0], faults=[PAGES + 1])], "--json", "-")
        (count, *_others) = ran.json["results"][0]["counts"]
        assert (count["name"], count["base"], count["new"], count["verdict"]) == ("faults", PAGES, PAGES + 1, "more")

    def test_they_come_before_the_times(self, compare: Any) -> None:
        ran = compare([result(runs())], [result(runs(), faults=[2 * PAGES])])
        lines = ran.out.splitlines()
        assert any(line.split() == ["touch:", "vgem", "card0", "dumb,", "write,", "cold,", "sequential,", "4", "MiB",
                                    "1024", "2048", "more", "(2.00x)"] for line in lines)
        assert ran.out.index("more (2.00x)") < ran.out.index("ns_per_page")
        assert max(map(len, lines)) <= 80

    def test_equal_counts_are_the_same(self, compare: Any) -> None:
        ran = compare([result([1000.0])], [result([1000.0])], "--json", "-")
        assert {count["verdict"] for count in ran.json["results"][0]["counts"]} == {"same"}

    def test_counts_that_vary_and_overlap_prove_nothing(self, compare: Any) -> None:
        base, new = result(runs(3), faults=[5, 6, 7]), result(runs(3), faults=[6, 7, 8])
        ran = compare([base], [new], "--fail-if", "faults>+0", "--json", "-")
        count = ran.json["results"][0]["counts"][0]
        assert (count["verdict"], count["varies"], ran.status) == ("cannot tell", True, 0)

    def test_counts_that_vary_apart_are_a_difference(self, compare: Any) -> None:
        base, new = result(runs(3), faults=[5, 6, 7]), result(runs(3), faults=[8, 9, 9])
        assert compare([base], [new], "--fail-if", "faults>+0").status == 3

    def test_one_fault_of_another_place_in_the_window_proves_nothing(self, compare: Any) -> None:
        def at(address: int, faults: int) -> Any:
            return result([1000.0], faults=[faults], prefault_window_pages=16, address=address)

        moved = compare([at(0x10000, 64)], [at(0x11000, 65)], "--fail-if", "faults>+0")
        assert moved.status == 0
        assert compare([at(0x10000, 64)], [at(0x20000, 65)], "--fail-if", "faults>+0").status == 3
        assert compare([at(0x10000, 64)], [at(0x11000, 66)], "--fail-if", "faults>+0").status == 3

    def test_a_changed_mechanism_is_told(self, compare: Any) -> None:
        ran = compare([result([1.0])], [result([1.0], vm_flags=["rd", "wr", "pf"])])
        assert "VmFlags: rd wr -> rd wr pf" in " ".join(ran.out.split())


class TestTimes:
    """faster, slower, same, or cannot tell."""

    def test_identical_runs_are_the_same(self, compare: Any) -> None:
        found = times(compare([result(runs(spread=0.01))], [result(runs(spread=0.01))], "--json", "-"))
        assert {time["verdict"] for time in found.values()} == {"same"}
        assert found["ns_per_page"]["ratio_low"] <= 1 <= found["ns_per_page"]["ratio_high"]

    @pytest.mark.parametrize(("factor", "verdict", "sign"), [(1.2, "slower", 1), (0.8, "faster", -1)])
    def test_a_shift_is_found(self, compare: Any, factor: float, verdict: str, sign: int) -> None:
        found = times(compare([result(runs())], [result(runs(factor=factor))], "--json", "-"))
        main = found["ns_per_page"]
        assert main["verdict"] == verdict
        assert main["ratio"] == pytest.approx(factor, rel=0.03)
        assert main["ratio_low"] < factor < main["ratio_high"]
        assert main["cliffs_delta"] == pytest.approx(sign, abs=0.05)
        assert main["p"] <= main["p_adjusted"] < 0.001

    def test_a_shift_below_the_noise_threshold_is_no_difference(self, compare: Any) -> None:
        base, new = runs(spread=0.005), runs(factor=1.03, spread=0.005)
        assert times(compare([result(base)], [result(new)], "--json", "-"))["ns_per_page"]["verdict"] == "same"
        finer = times(compare([result(base)], [result(new)], "--noise", "1%", "--json", "-"))
        assert finer["ns_per_page"]["verdict"] == "slower"

    @pytest.mark.parametrize("n", [1, 3, 5])
    def test_few_runs_cannot_tell_however_clear_it_looks(self, compare: Any, n: int) -> None:
        found = times(compare([result(runs(n))], [result(runs(n, factor=9.0))], "--json", "-"))
        assert {time["verdict"] for time in found.values()} == {"cannot tell"}
        assert "6 are needed" in found["ns_per_page"]["reason"]
        assert {(time["ratio_low"], time["ratio_high"]) for time in found.values()} == {(None, None)}

    def test_six_runs_apart_are_enough(self, compare: Any) -> None:
        found = times(compare([result(runs(6))], [result(runs(6, factor=2.0))], "--json", "-"))
        assert found["ns_per_page"]["verdict"] == "slower"

    def test_a_wide_interval_cannot_tell(self, compare: Any) -> None:
        found = times(compare([result(runs(8, spread=0.5))], [result(runs(8, spread=0.5))], "--json", "-"))
        assert found["ns_per_page"]["verdict"] == "cannot tell"

    def test_two_modes_that_change_places_in_number_are_told_by_neither_alone(self, compare: Any) -> None:
        """The rank test may see it; the median stays in a mode, so that there is nothing to claim of it."""
        base = [1000.0 + i for i in range(15)] + [2000.0 + i for i in range(5)]
        new = [1000.5 + i for i in range(11)] + [2000.5 + i for i in range(9)]
        assert times(compare([result(base)], [result(new)], "--json", "-"))["ns_per_page"]["verdict"] == "cannot tell"

    def test_ties_everywhere_are_the_same(self, compare: Any) -> None:
        found = times(compare([result([1000.0] * 10)], [result([1000.0] * 10)], "--json", "-"))
        assert (found["ns_per_page"]["verdict"], found["ns_per_page"]["p"]) == ("same", 1)

    def test_outliers_are_kept_counted_and_named(self, compare: Any) -> None:
        steady = [1000.0 + run for run in range(9)]
        ran = compare([result(steady)], [result([*steady[:8], 9000.0])])
        assert "ns_per_page 0 + 1" in ran.out
        assert "of new run 9" in " ".join(ran.out.split())

    def test_an_emulated_cpu_proves_nothing_of_times(self, compare: Any) -> None:
        ran = compare([result(runs())], [result(runs(factor=2.0), faults=[7])], "--json", "-",
                      new_on={"emulated": True})
        assert {time["verdict"] for time in times(ran).values()} == {"cannot tell"}
        assert ran.json["results"][0]["counts"][0]["verdict"] == "fewer"
        assert "emulated-cpu" in {caveat["id"] for caveat in ran.json["caveats"]}


class TestFailIf:
    """Exit status 3, for CI and for git bisect run."""

    @pytest.mark.parametrize(("condition", "status"), [
        ("p99>+10%", 3), ("median>+10%", 3), ("ns_per_page>+100ns", 3), ("p50 > +0.1us", 3), ("p99>+50%", 0),
        ("median<-10%", 0), ("faults>+0", 0), ("ns_per_page>=+1ms", 0),
    ])
    def test_on_a_shift_of_a_fifth(self, compare: Any, condition: str, status: int) -> None:
        ran = compare([result(runs())], [result(runs(factor=1.2))], "--fail-if", condition)
        assert ran.status == status
        assert (f"--fail-if '{condition}' is met: vgem card0 dumb, write, cold" in ran.err) == (status == 3)

    @pytest.mark.parametrize(("condition", "new", "status"), [
        ("faults>+0", PAGES + 1, 3), ("faults>+1", PAGES + 1, 0), ("faults>=+1", PAGES + 1, 3),
        ("faults<-0", PAGES - 1, 3), ("faults>+0", PAGES - 1, 0), ("faults>+50%", 2 * PAGES, 3),
        ("faults.touch>+0", PAGES + 1, 1), ("faults.mmap>+0", PAGES + 1, 0),
    ])
    def test_on_counts_of_a_single_run(self, compare: Any, condition: str, new: int, status: int) -> None:
        assert compare([result([1.0])], [result([1.0], faults=[new])], "--fail-if", condition).status == status

    def test_several_may_be_given(self, compare: Any) -> None:
        ran = compare([result(runs())], [result(runs(), faults=[9])], "--fail-if", "p99>+50%", "--fail-if", "faults<-0")
        assert ran.status == 3
        assert "'faults<-0' is met" in ran.err
        assert "p99" not in ran.err

    @pytest.mark.parametrize("condition", [
        "p99", "p99>10%", ">+10%", "p99>+", "p99=+10%", "p99>+10%%", "p99>-10%", "p99<+1%", "faults>=+0", "p99>+1h", "",
        "p99>+1e9%", "p99>+10", "faults>+1ms", "p99>+\u0661%",
    ])
    def test_what_is_none_is_a_usage_error(self, compare: Any, condition: str) -> None:
        ran = compare([result(runs())], [result(runs())], "--fail-if", condition)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert "--fail-if" in ran.err

    def test_a_quantity_that_no_result_has_is_an_error_not_green(self, compare: Any) -> None:
        ran = compare([result(runs())], [result(runs())], "--fail-if", "p98>+10%")
        assert (ran.status, "there are median, faults" in ran.err, "p99" in ran.err) == (1, True, True)

    def test_too_few_runs_to_judge_are_an_error_not_green(self, compare: Any) -> None:
        ran = compare([result(runs(3))], [result(runs(3))], "--fail-if", "p99>+10%")
        assert (ran.status, "too few runs" in ran.err) == (1, True)

    def test_a_difference_that_is_not_shown_is_undecided(self, compare: Any) -> None:
        base, new = [900.0, 950, 1000, 1050, 1100, 4000], [1000.0, 1100, 1300, 1350, 1400, 900]
        ran = compare([result(base)], [result(new)], "--fail-if", "ns_per_page>+10%")
        assert (ran.status, "is undecided" in ran.err) == (0, True)

    def test_a_failing_gate_still_writes_its_report(self, compare: Any, tmp_path: Path) -> None:
        path = tmp_path / "comparison.json"
        assert compare([result([1.0])], [result([1.0], faults=[1])], "--fail-if", "faults<-0", "--json",
                       str(path)).status == 3
        (condition,) = json.loads(path.read_text())["conditions"]
        assert condition["verdict"] == "met"


class TestBisect:
    """git bisect run: 0 is good, 1 to 124 bad, 125 cannot be tested. Nothing but a difference may be bad."""

    def test_good_and_bad_are_as_without_it(self, compare: Any) -> None:
        good = compare([result([1.0])], [result([1.0])], "--fail-if", "faults>+0", "--bisect")
        bad = compare([result([1.0])], [result([1.0], faults=[9999])], "--fail-if", "faults>+0", "--bisect")
        assert (good.status, bad.status) == (0, 3)

    @pytest.mark.parametrize("condition", ["p98>+10%", "p99>+10%", "nonsense", "p99>+10"])
    def test_what_cannot_be_judged_is_skipped(self, compare: Any, condition: str) -> None:
        assert compare([result(runs(2))], [result(runs(2))], "--bisect", "--fail-if", condition).status == 125

    def test_what_is_undecided_is_skipped(self, compare: Any) -> None:
        base, new = [900.0, 950, 1000, 1050, 1100, 4000], [1000.0, 1100, 1300, 1350, 1400, 900]
        ran = compare([result(base)], [result(new)], "--bisect", "--fail-if", "ns_per_page>+10%")
        assert ran.status == 125

    def test_a_missing_file_and_a_wrong_option_are_skipped(self, drmbench: Any, tmp_path: Path) -> None:
        assert drmbench("compare", "--bisect", str(tmp_path / "a"), str(tmp_path / "b")).status == 125
        assert drmbench("compare", "--bisect", "--levitate").status == 125


class TestMatching:
    """The same driver, buffer and way of measuring; what only one has is listed."""

    def test_what_only_one_has_is_listed(self, compare: Any) -> None:
        ran = compare([result(runs()), result(runs(), driver="vkms")], [result(runs()), result(runs(), phase="warm")],
                      "--json", "-")
        assert len(ran.json["results"]) == 1
        assert [(found["side"], found["result"].split(",")[0]) for found in ran.json["one_sided"]] == [
            (0, "vkms card0 dumb"), (1, "vgem card0 dumb")]

    def test_the_number_of_the_card_does_not_matter(self, compare: Any) -> None:
        ran = compare([result(runs())], [result(runs(), node="/dev/dri/card1")], "--json", "-")
        assert (len(ran.json["results"]), ran.json["one_sided"]) == (1, [])

    def test_two_cards_of_a_driver_are_told_apart(self, compare: Any) -> None:
        cards = [result([1.0], node="/dev/dri/card0"), result([1.0], node="/dev/dri/card1", faults=[7])]
        ran = compare(cards, cards[::-1], "--fail-if", "faults>+0", "--fail-if", "faults<-0")
        assert ran.status == 0

    def test_nothing_in_common_is_an_error_that_names_both(self, compare: Any) -> None:
        ran = compare([result(runs())], [result(runs(), driver="vkms")])
        assert (ran.status, "vgem" in ran.err, "vkms" in ran.err, "--across" in ran.err) == (1, True, True, True)

    def test_across_compares_them(self, compare: Any) -> None:
        ran = compare([result([1.0])], [result([1.0], driver="vkms", faults=[3])], "--across", "device")
        assert "vgem card0 dumb -> vkms card0 dumb" in " ".join(ran.out.split())

    def test_across_what_no_result_has(self, compare: Any) -> None:
        assert compare([result(runs())], [result(runs())], "--across", "colour").status == 2

    def test_several_new_ones_are_each_compared_with_the_base(self, drmbench: Any, tmp_path: Path) -> None:
        names = [save(tmp_path / f"{n}.json", result([1.0], faults=[n])) for n in (1, 2, 3)]
        ran = drmbench("compare", *names, "--json", "-")
        assert [(found["side"], found["counts"][0]["new"]) for found in ran.json["results"]] == [(1, 2), (2, 3)]


class TestMeans:
    def test_the_geometric_mean_over_results(self, compare: Any) -> None:
        accesses = ("write", "read")
        base = [result(runs(), access=access) for access in accesses]
        new = [result(runs(factor=f), access=access) for f, access in zip((1.44, 1.0), accesses, strict=True)]
        ran = compare(base, new, "--json", "-")
        (mean,) = [mean for mean in ran.json["geometric_means"] if mean["name"] == "ns_per_page"]
        assert mean["ratio"] == pytest.approx(1.2, rel=0.03)
        assert mean["ratio_low"] < 1.2 < mean["ratio_high"]

    def test_baselines_are_no_part_of_it(self, compare: Any) -> None:
        base = [result(runs()), result(runs(), access="read"), result(runs(), driver="memfd", node=None)]
        new = [result(runs()), result(runs(), access="read"), result(runs(factor=2), driver="memfd", node=None)]
        ran = compare(base, new, "--json", "-")
        assert {mean["results"] for mean in ran.json["geometric_means"]} == {2}
        assert "baseline-moved" in {caveat["id"] for caveat in ran.json["caveats"]}


class TestFiles:
    def test_a_changed_machine_is_a_caveat_and_a_kernel_is_not(self, compare: Any) -> None:
        ran = compare([result(runs())], [result(runs())], "--json", "-",
                      new_on={"kernel": "7.3", "governor": "powersave"})
        assert [c["message"].split(": ", 1)[1] for c in ran.json["caveats"]] == [
            "frequency governor: powersave instead of performance"]

    def test_reports_from_before_the_runs_were_kept(self, drmbench: Any, tmp_path: Path) -> None:
        paths = []
        for name in ("base", "new"):
            document = json.loads(encode(report(result(runs()))))
            for gone in ("per_run", "ns_per_page_runs", "address"):
                del document["results"][0][gone]
            path = tmp_path / f"{name}.json"
            path.write_text(json.dumps(document))
            paths.append(str(path))
        ran = drmbench("compare", *paths, "--json", "-")
        (only,) = ran.json["results"]
        assert only["counts"][0]["verdict"] == "same"
        assert {time["verdict"] for time in only["times"]} == {"cannot tell"}

    def test_a_comparison_is_shown_again(self, compare: Any, drmbench: Any, tmp_path: Path) -> None:
        path = tmp_path / "comparison.json"
        ran = compare([result(runs())], [result(runs(factor=1.5))], "--json", str(path))
        assert drmbench("show", str(path)).out == ran.out
        assert "| ns_per_page |" in drmbench("show", "--format", "markdown", str(path)).out
        rows = list(csv.DictReader(io.StringIO(drmbench("show", "--format", "csv", str(path)).out)))
        assert {(row["name"], row["verdict"]) for row in rows} >= {("faults", "same"), ("ns_per_page", "slower")}

    def test_a_comparison_cannot_be_compared(self, compare: Any, drmbench: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "comparison.json")
        compare([result(runs())], [result(runs())], "--json", path)
        ran = drmbench("compare", path, path)
        assert (ran.status, "cannot be compared" in ran.err) == (1, True)

    def test_less_than_two_are_a_usage_error(self, drmbench: Any, tmp_path: Path) -> None:
        assert drmbench("compare").status == 2
        assert drmbench("compare", save(tmp_path / "one.json", result([1.0]))).status == 2


class TestEveryKind:
    """Each kind of report that can be compared is, with itself: nothing differs, and nothing is left out."""

    @pytest.mark.parametrize(("command", "quantity"), [
        (("fault-latency", "--runs", "6"), "ns_per_page"),
        (("compare-populate", "--runs", "6"), "total"),
        (("explain", "--runs", "6"), "ns_per_page"),
        (("scale", "--runs", "6", "--threads", "2"), "faults_per_s"),
        (("bandwidth", "--runs", "6"), "bandwidth"),
        (("lifecycle", "--runs", "2"), "p99"),
        (("scale", "--runs", "6", "--size-sweep", "64KiB..128KiB"), "total"),
    ])
    def test_with_itself(self, drmbench: Any, tmp_path: Path, command: tuple[str, ...], quantity: str) -> None:
        path = str(tmp_path / "report.json")
        by_command = {"lifecycle": ("--sizes", "64KiB", "--live", "1")}
        size = () if "--size-sweep" in command else by_command.get(command[0], ("--size", "64KiB"))
        assert drmbench(*command, "--device", "memfd", *size, "--json", path).status == 0
        ran = drmbench("compare", path, path, "--fail-if", "faults>+0", "--json", "-")
        assert ran.status == 0, ran.err
        assert ran.json["one_sided"] == []
        assert quantity in {time["name"] for result in ran.json["results"] for time in result["times"]}
        assert not [t for found in ran.json["results"] for t in found["times"] if t["verdict"] in {"faster", "slower"}]
        assert not [found for found in ran.json["results"] if found["facts"]]

    def test_a_rate_that_falls_is_slower(self) -> None:
        base, new = (Sampled("rate", tuple(100.0 * by + n for n in range(10)), "/s", more_is_better=True)
                     for by in (20, 10))
        tested = check_times(base, new, 0)
        assert tested.test is not None
        assert conclude(tested, tested.test.p, Rule()).verdict == "slower"
