# SPDX-License-Identifier: MIT
"""What a fleet's report says, shows and gives to others; where it comes from is tests/fleet's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from made_up_fleet import a_fleet, board, fleet
from made_up_runs import result

from drmbench import store
from drmbench.errors import DrmbenchError
from drmbench.fleet import wheelhouse

if TYPE_CHECKING:
    from pathlib import Path

RUNS = [1000.0, 1010.0, 1020.0]


def saved(folder: Path, report: Any, name: str = "fleet.json") -> str:
    path = folder / name
    path.write_bytes(store.encode(report))
    return str(path)


class TestSummary:
    def test_boards_with_the_same_driver_and_kernel_are_one_group(self) -> None:
        made = fleet([board("a", result(RUNS)), board("b", result([2 * value for value in RUNS])),
                      board("c", result(RUNS), kernel="7.3.0")])
        assert [(group.kernel, [v.place for v in group.boards]) for group in made.groups] == [
            ("6.1.0", ["a", "b"]), ("7.3.0", ["c"])]
        assert made.groups[0].times["ns_per_page"] == 1515.0
        assert made.groups[0].counts["faults"] == 1024

    def test_a_slow_board_is_named(self) -> None:
        boards = [board(f"b{number}", result([1000.0 + number, 1010.0, 1020.0])) for number in range(6)]
        made = fleet([*boards, board("slow", result([3 * value for value in RUNS]))])
        marked = {v.place: v.outlier for v in made.groups[0].boards if v.outlier}
        assert set(marked) == {"slow"}
        assert marked["slow"][0] == "ns_per_page 3x the median of the others"

    def test_boards_that_only_scatter_are_not(self) -> None:
        boards = [board(f"b{number}", result([1000.0 * (1 + number / 40)] * 3)) for number in range(10)]
        assert not [v for v in fleet(boards).groups[0].boards if v.outlier]

    def test_one_board_that_counts_differently_is_named(self) -> None:
        made = fleet([board("a", result(RUNS)), board("b", result(RUNS)), board("c", result(RUNS, faults=[64]))])
        assert [v.outlier for v in made.groups[0].boards] == [[], [], ["faults 64, the others 1024"]]
        assert made.differences == []

    def test_kernels_that_count_differently_are_told_apart(self) -> None:
        made = fleet([board("a", result(RUNS)), board("c", result(RUNS, faults=[2048]), kernel="7.3.0")])
        assert [(d.quantity, d.by_kernel) for d in made.differences] == [("faults", {"6.1.0": 1024, "7.3.0": 2048})]


class TestShow:
    def test_boards_side_by_side_and_what_stands_out(self, drmbench: Any, tmp_path: Path) -> None:
        out = drmbench("show", saved(tmp_path, a_fleet())).out
        assert "8 boards: 7 finished, 1 lost" in out
        assert "gone: last words" in out
        words = " ".join(out.split())
        assert "! vgem dumb, write, cold, sequential, 4 MiB: faults 1024 on 6.1.0, 2048 on 7.3.0" in words
        assert "slow stands out: ns_per_page 9" in words
        assert max(len(line) for line in out.splitlines()) <= 80

    def test_many_boards_are_medians(self, drmbench: Any, tmp_path: Path) -> None:
        made = fleet(board(f"b{number:03}", result(RUNS)) for number in range(100))
        assert "100, medians" in drmbench("show", saved(tmp_path, made)).out

    def test_csv_has_a_row_for_each_result_of_each_board(self, drmbench: Any, tmp_path: Path) -> None:
        lines = drmbench("show", saved(tmp_path, a_fleet()), "--format", "csv").out.splitlines()
        assert lines[0].startswith("place,kernel,")
        assert [line.split(",")[0] for line in lines[1:]] == ["b0", "b1", "b2", "b3", "b4", "slow", "new"]


class TestCompare:
    def test_each_board_is_a_side(self, drmbench: Any, tmp_path: Path) -> None:
        made = fleet([board("old", result(RUNS)), board("new", result(RUNS, faults=[2048]), kernel="7.3.0")])
        ran = drmbench("compare", saved(tmp_path, made), "--fail-if", "faults>+0", "--json", "-")
        assert ran.status == 3
        assert [side["name"].rpartition(":")[2] for side in ran.json["sides"]] == ["old", "new"]

    def test_a_fleet_in_which_nobody_finished(self, drmbench: Any, tmp_path: Path) -> None:
        made = fleet([board("a", result(RUNS))])
        document = json.loads(store.encode(made))
        document["boards"][0]["report"] = None
        (tmp_path / "f.json").write_text(json.dumps(document))
        ran = drmbench("compare", tmp_path / "f.json", tmp_path / "f.json")
        assert ran.status == 1
        assert "no board of it has a report" in ran.err


class TestWheelhouse:
    def test_wheels_of_the_board_s_architecture_are_chosen(self) -> None:
        wheels = ["w/drmbench-0.1.0-cp311-abi3-linux_x86_64.whl", "w/drmbench-0.1.0-cp311-abi3-linux_aarch64.whl",
                  "w/click-8.1-py3-none-any.whl", "w/numpy-2-cp311-cp311-manylinux_2_17_aarch64.whl"]
        assert wheelhouse.for_machine(wheels, "aarch64") == wheels[1:]
        with pytest.raises(DrmbenchError, match="riscv64: no wheel of drmbench"):
            wheelhouse.for_machine(wheels, "riscv64")
