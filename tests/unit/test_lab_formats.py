# SPDX-License-Identifier: MIT
"""--format lava and --format kcidb: numbers and verdicts as a lab's server takes them, kcidb-io's own check included.

LAVA's dispatcher itself reads the signals in tests/formats.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from kcidb_io import schema
from made_up_cases import HOSTILE
from made_up_fleet import a_fleet
from msgspec import structs

from drmbench import store
from drmbench.model import Board

if TYPE_CHECKING:
    from pathlib import Path

# How LAVA's dispatcher finds a signal: lava_dispatcher/actions/test/shell.py, TestShellAction._reset_patterns().
LAVA_SIGNAL = re.compile(r"<LAVA_SIGNAL_(\S+) ([^>]+)>")
COMMANDS = ("fault-latency", "compare-populate")


@pytest.fixture
def saved(drmbench: Any, tmp_path: Path) -> dict[str, Path]:
    """A report of each kind, of memfd and anon."""
    found = {}
    for command in COMMANDS:
        found[command] = tmp_path / f"{command}.json"
        assert drmbench(command, "--device", "memfd", "--size", "64KiB", "--runs", "2", "--json",
                        found[command]).status == 0
    return found


@pytest.fixture(autouse=True)
def _no_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORIGIN", "BUILD", "RUN"):
        monkeypatch.delenv(f"DRMBENCH_KCIDB_{name}", raising=False)


def signals(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """(test set, case) -> the rest of its signal; no case twice, and every set closed."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    test_set = ""
    for name, words in LAVA_SIGNAL.findall(text):
        if name == "TESTSET":
            start, _, test_set = words.partition(" ")
            assert (start == "START") == bool(test_set)
            continue
        fields = dict(word.split("=") for word in words.split())
        key = (test_set, fields.pop("TEST_CASE_ID"))
        assert key not in found
        found[key] = fields
    assert test_set == ""
    return found


def kcidb(text: str) -> dict[str, Any]:
    """The submission, which kcidb-io takes and which names no test twice."""
    document: dict[str, Any] = json.loads(text)
    schema.LATEST.validate(document)
    for kind in ("id", "path"):
        assert len({test[kind] for test in document["tests"]}) == len(document["tests"]) > 0
    if "builds" in document:
        assert {test["build_id"] for test in document["tests"]} == {build["id"] for build in document["builds"]}
    return document


def by_path(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Path -> test."""
    return {test["path"]: test for test in document["tests"]}


class TestNumbers:
    def test_each_is_a_case_of_lava_with_its_units(self, drmbench: Any, saved: dict[str, Path]) -> None:
        found = signals(drmbench("show", saved["fault-latency"], "--format", "lava").out)
        for result in json.loads(saved["fault-latency"].read_text())["results"]:
            name = f"fault-latency.64KiB.write.sequential.{result['phase']}"
            for stage, faults in result["faults"].items():
                case = found[result["target"]["driver"], f"{name}.faults.{stage}"]
                assert case == {"RESULT": "pass", "MEASUREMENT": str(faults), "UNITS": "faults"}
            for quantile in ("p50", "p99", "max"):
                case = found[result["target"]["driver"], f"{name}.fault_ns.{quantile}"]
                assert (case["MEASUREMENT"], case["UNITS"]) == (str(result["fault_ns"][quantile]), "ns")

    def test_each_is_a_test_of_kcidb_with_its_unit(self, drmbench: Any, saved: dict[str, Path]) -> None:
        tests = by_path(kcidb(drmbench("show", saved["fault-latency"], "--format", "kcidb").out))
        for result in json.loads(saved["fault-latency"].read_text())["results"]:
            path = f"drmbench.fault-latency.{result['target']['driver']}.64KiB.write.sequential.{result['phase']}"
            count, time = tests[f"{path}.faults.touch"], tests[f"{path}.fault_ns.p50"]
            assert (count["status"], count["number"]) == ("DONE", {"value": result["faults"]["touch"],
                                                                   "unit": "faults"})
            assert time["number"] == {"value": pytest.approx(result["fault_ns"]["p50"] / 1e9), "unit": "s",
                                      "prefix": "metric"}

    def test_verdicts_of_populating(self, drmbench: Any, saved: dict[str, Path]) -> None:
        found = signals(drmbench("show", saved["compare-populate"], "--format", "lava").out)
        tests = by_path(kcidb(drmbench("show", saved["compare-populate"], "--format", "kcidb").out))
        verdicts = set()
        for result in json.loads(saved["compare-populate"].read_text())["results"]:
            driver = result["target"]["driver"]
            for name, strategy in result["strategies"].items():
                where = f"64KiB.write.sequential.{name}"
                verdicts.add(strategy["verdict"])
                real = strategy["verdict"] == "real"
                assert found[driver, f"compare-populate.{where}.verdict"] == {"RESULT": "pass" if real else "skip"}
                test = tests[f"drmbench.compare-populate.{driver}.{where}.verdict"]
                assert (test["status"] == "PASS") == real
                assert test["misc"] == {"verdict": strategy["verdict"]}
                faults = found[driver, f"compare-populate.{where}.faults.populate"]
                assert faults["MEASUREMENT"] == str(strategy["faults"]["populate"])
        assert "real" in verdicts
        assert len(verdicts) > 1

    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize(("format_name", "read"), [("lava", signals), ("kcidb", kcidb)])
    def test_the_commands_print_them_themselves(self, drmbench: Any, command: str, format_name: str,
                                                read: Any) -> None:
        ran = drmbench(command, "--device", "anon", "--size", "64KiB", "--runs", "1", "--format", format_name)
        assert ran.status == 0
        assert read(ran.out)

    @pytest.mark.parametrize("format_name", ["lava", "kcidb"])
    def test_a_report_without_any(self, drmbench: Any, tmp_path: Path, format_name: str) -> None:
        drmbench("doctor", "--json", tmp_path / "doctor.json")
        ran = drmbench("show", tmp_path / "doctor.json", "--format", format_name)
        assert (ran.status, ran.out) == (2, "")
        assert "no numbers" in ran.err


class TestNamesAndIds:
    def test_are_those_of_the_next_run(self, drmbench: Any) -> None:
        again = []
        for seed in ("1", "2"):
            ran = drmbench("fault-latency", "--device", "memfd", "--size", "64KiB", "--runs", "1", "--access", "read",
                           "--seed", seed, "--format", "kcidb")
            again.append({(test["path"], test["id"]) for test in kcidb(ran.out)["tests"]})
        assert again[0] == again[1]

    def test_another_kernel_changes_ids_and_keeps_paths(self, drmbench: Any, saved: dict[str, Path]) -> None:
        path = saved["fault-latency"]
        before = kcidb(drmbench("show", path, "--format", "kcidb").out)
        document = json.loads(path.read_text())
        document["environment"]["kernel"] = "9.9.9"
        path.write_text(json.dumps(document))
        after = kcidb(drmbench("show", path, "--format", "kcidb").out)
        assert list(by_path(before)) == list(by_path(after))
        for kind in ("checkouts", "builds", "tests"):
            assert not {item["id"] for item in before[kind]} & {item["id"] for item in after[kind]}

    def test_two_nodes_of_a_driver_are_told_apart(self, drmbench: Any, saved: dict[str, Path]) -> None:
        path = saved["fault-latency"]
        document = json.loads(path.read_text())
        for number, result in enumerate(document["results"][:2]):
            result["target"] |= {"kind": "drm", "driver": "vkms", "buffer": "dumb", "node": f"/dev/dri/card{number}"}
        path.write_text(json.dumps(document))
        sets = {test_set for test_set, _case in signals(drmbench("show", path, "--format", "lava").out)}
        assert {"vkms-dumb-card0", "vkms-dumb-card1"} <= sets

    def test_hostile_names_stay_words(self, drmbench: Any, saved: dict[str, Path]) -> None:
        path = saved["fault-latency"]
        document = json.loads(path.read_text())
        hostile = HOSTILE.replace("\ud800", "")
        for result in document["results"]:
            result["target"] |= {"kind": "drm", "driver": hostile}
        document["environment"]["kernel"] = document["environment"]["cpu_model"] = hostile
        document["results"] *= 2
        path.write_text(json.dumps(document))
        found = signals(drmbench("show", path, "--format", "lava").out)
        assert not [case for _set, case in found if not re.fullmatch(r"[A-Za-z0-9_.+-]+", case) or case == "forged"]
        kcidb(drmbench("show", path, "--format", "kcidb").out)


class TestOrigin:
    def test_is_in_every_id(self, drmbench: Any, saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DRMBENCH_KCIDB_ORIGIN", "from_environment")
        for arguments, origin in (((), "from_environment"), (("--origin", "mylab"), "mylab")):
            document = kcidb(drmbench("show", saved["fault-latency"], "--format", "kcidb", *arguments).out)
            items = [item for kind in ("checkouts", "builds", "tests") for item in document[kind]]
            assert {(item["origin"], item["id"].split(":")[0]) for item in items} == {(origin, origin)}

    def test_a_bad_one_is_refused_before_anything_is_measured(self, drmbench: Any,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DRMBENCH_KCIDB_ORIGIN", "My Lab")
        ran = drmbench("fault-latency", "--device", "memfd", "--format", "kcidb")
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert "lower-case" in ran.err

    def test_without_the_format(self, drmbench: Any, saved: dict[str, Path]) -> None:
        assert drmbench("show", saved["fault-latency"], "--origin", "mylab").status == 2

    def test_the_builders_own_build(self, drmbench: Any, saved: dict[str, Path],
                                    monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DRMBENCH_KCIDB_BUILD", "maestro:abc123")
        document = kcidb(drmbench("show", saved["fault-latency"], "--format", "kcidb").out)
        assert {test["build_id"] for test in document["tests"]} == {"maestro:abc123"}
        assert not {"builds", "checkouts"} & set(document)

    def test_runs_side_by_side(self, drmbench: Any, saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        one = by_path(kcidb(drmbench("show", saved["fault-latency"], "--format", "kcidb").out))
        monkeypatch.setenv("DRMBENCH_KCIDB_RUN", "board-7")
        two = by_path(kcidb(drmbench("show", saved["fault-latency"], "--format", "kcidb").out))
        assert list(one) == list(two)
        assert not {test["id"] for test in one.values()} & {test["id"] for test in two.values()}


class TestVerify:
    def test_verdicts_are_statuses(self, verify_as: Any) -> None:
        ran = verify_as("kcidb", "--case", "made-up/[!s]*")
        document = kcidb(ran.out)
        status = {path.rpartition(".")[2]: test["status"] for path, test in by_path(document).items()}
        assert status == {"good": "PASS", "bad": "FAIL", "not-now": "SKIP", "clumsy": "ERROR", "listed": "FAIL",
                          "crash": "FAIL", "loud": "FAIL", "choice": "PASS"}

    def test_a_known_breach_is_an_issue_with_an_incident(self, verify_as: Any) -> None:
        document = kcidb(verify_as("kcidb", "--case", "made-up/[!s]*").out)
        (issue,), (incident,) = document["issues"], document["incidents"]
        listed = by_path(document)["drmbench.verify.memfd.made-up.listed"]
        assert (incident["test_id"], incident["issue_id"]) == (listed["id"], issue["id"])
        assert issue["culprit"] == {"code": True}


class TestFleet:
    def test_boards_that_are_alike_are_told_apart(self, drmbench: Any, tmp_path: Path) -> None:
        report = a_fleet()
        (tmp_path / "fleet.json").write_bytes(store.encode(report))
        document = json.loads(drmbench("show", tmp_path / "fleet.json", "--format", "kcidb").out)
        schema.LATEST.validate(document)
        boards = [board for board in report.boards if board.report is not None]
        kernels = {board.report.environment.kernel for board in boards if board.report is not None}
        assert len(document["checkouts"]) == len(document["builds"]) == len(kernels) == 2
        touched = [test for test in document["tests"] if test["path"].endswith(".cold.faults.touch")]
        assert len({test["id"] for test in touched}) == len(touched) == len(boards)
        assert {test["environment"]["comment"].split(":")[0] for test in touched} == {board.place for board in boards}

    def test_where_no_board_came_back(self, drmbench: Any, tmp_path: Path) -> None:
        report = structs.replace(a_fleet(), boards=[Board("gone", "lost", "the board went away")])
        (tmp_path / "fleet.json").write_bytes(store.encode(report))
        ran = drmbench("show", tmp_path / "fleet.json", "--format", "kcidb")
        assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)


class TestWithoutKcidbIo:
    def test_it_is_written_all_the_same(self, drmbench: Any, saved: dict[str, Path],
                                        monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "kcidb_io", None)
        document = json.loads(drmbench("show", saved["fault-latency"], "--format", "kcidb").out)
        assert document["version"] == {"major": 5, "minor": 0}
        schema.V5_0.validate(document)
