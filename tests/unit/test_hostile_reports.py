# SPDX-License-Identifier: MIT
"""Saved reports that were cut, edited by hand or made to do harm: shown or refused in a line, never a traceback."""

from __future__ import annotations

import copy
import io
import json
import typing
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_cases import ENDING, KNOWN
from made_up_fleet import a_fleet
from made_up_runs import a_comparison
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from rich.cells import cell_len
from traced import a_report

from drmbench import cli, model, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EVERY = ("table", "csv", "markdown", "json", "openmetrics")
VERIFY_ONLY = ("ktap", "junit", "lava", "kcidb", "lava-results", "igt")
FURTHER = {"verify": VERIFY_ONLY, **dict.fromkeys(
    ("fault-latency", "compare-populate", "scale", "bandwidth", "lifecycle"), ("lava", "kcidb")), "fleet": ("kcidb",)}
# Command of the report -> what makes one anywhere, or such a report where it takes root. A new report needs a line.
SAMPLES: dict[str, tuple[str, ...] | model.Report] = {
    "lifecycle": ("--sizes", "4KiB,8KiB", "--live", "1,5", "--cycles", "3", "--runs", "2"),
    "bandwidth": ("--size", "64KiB", "--runs", "2"),
    "fault-latency": ("--size", "64KiB", "--runs", "2", "--access", "all"),
    "compare-populate": ("--size", "64KiB", "--runs", "2"),
    "explain": ("--size", "64KiB", "--runs", "1"),
    "verify": (),
    "scale": ("--size", "64KiB", "--runs", "2", "--threads", "1,2"),
    "stress": ("--seconds", "0.2", "--seed", "3", "--size", "64KiB"),
    "doctor": ("--cpu", "0"),
    "trace": a_report(),
    "compare": a_comparison(),
    "fleet": a_fleet(),
}
HOSTILE_TEXTS = ["", " ", "\x1b[2J\x07", "\x9b31m", "a\nb\rc", "x" * 300, "\N{GRINNING FACE}" * 60, "\u202e", "\ufeff",
                 "#", "|<>&]]>", "\u0301" * 40, "-", "1e5", "None", "\x00"]
NUMBERS = [0, 1, 2, 4095, 2**31, 2**53 + 1, 2**63 - 1]
ANYTHING = [None, True, -1, -(2**63), 2**63, 2**64, 10**400, 1e308, -1e308, 5e-324, 0.5, *NUMBERS, *HOSTILE_TEXTS, [],
            {}, [None], [[]], {"a": 1}, ["\x1b[31m"]]


@dataclass(frozen=True)
class Shown:
    """What `drmbench show` made of a file."""

    status: int
    out: str
    err: str


def run(*arguments: str) -> Shown:
    """One command line in this process; hypothesis runs too many for a fixture each."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = cli.run(list(arguments))
    return Shown(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A report of each kind, long lists cut down to what differs."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drmbench.conformance.suite.load_known", lambda: [KNOWN])
        patch.setattr("drmbench.measuring_lock._NAME", "\0drmbench-test-hostile")
        for command, arguments in SAMPLES.items():
            if not isinstance(arguments, tuple):
                found[command] = json.loads(store.encode(arguments))
                continue
            path = tmp_path_factory.mktemp("reports") / "report.json"
            if command == "verify":
                patch.setattr("drmbench.cli.verifying.CASES", ENDING)
            run(command, "--device", "memfd", "--json", str(path), *arguments)
            found[command] = cut_down(json.loads(path.read_text()))
    return found


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Shown]:
    """Save this text and show it."""
    path: Path = tmp_path_factory.mktemp("hostile") / "report.json"

    def run_show(text: str | bytes, *arguments: str) -> Shown:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return run("show", str(path), *arguments)

    return run_show


def cut_down(value: Any) -> Any:
    """The same with at most two items of a list of numbers or of bins."""
    if isinstance(value, dict):
        return {name: cut_down(part) for name, part in value.items()}
    if isinstance(value, list):
        return [cut_down(part) for part in (value if len(value) < 12 else value[:2])]
    return value


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to all that is in a document, the document itself left out."""
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


def of_the_same_kind(value: Any) -> st.SearchStrategy[Any]:
    """Something that the schema may well take in the place of `value`."""
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int):
        return st.sampled_from(NUMBERS)
    if isinstance(value, float):
        return st.sampled_from([0.0, 5e-324, 1e-9, 1e15, 1e308])
    if isinstance(value, str):
        return st.sampled_from(HOSTILE_TEXTS)
    if isinstance(value, list):
        return st.sampled_from([value * 2, value[:1], []])
    return st.sampled_from([None, *NUMBERS, *HOSTILE_TEXTS])


def edited(document: Any, data: st.DataObject) -> Any:
    """A copy with a few things replaced or gone."""
    tree = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 12))):
        *way, key = data.draw(st.sampled_from(list(places(tree))))
        parent = tree
        for step in way:
            parent = parent[step]
        change = data.draw(st.sampled_from(["same kind"] * 8 + ["anything", "gone"]))
        if change == "gone":
            del parent[key]
        elif change == "anything":
            parent[key] = data.draw(st.sampled_from(ANYTHING))
        else:
            parent[key] = data.draw(of_the_same_kind(parent[key]))
    return tree


def check(shown: Shown, format_name: str) -> None:
    """Shown or refused, and in either case nothing that a terminal would obey."""
    assert shown.status in {0, 1}
    assert shown.err.count("\n") == shown.status
    assert not [c for c in shown.err.rstrip("\n") if not c.isprintable()]
    assert not [c for c in shown.out if not c.isprintable() and c != "\n"]
    assert (shown.out == "") == (shown.status == 1) or format_name == "lava-results"
    if format_name == "openmetrics" and shown.status == 0:
        assert list(text_string_to_metric_families(shown.out))
    if format_name == "table":
        assert max((cell_len(line) for line in shown.out.splitlines()), default=0) <= 80


class TestDeepTrees:
    """A report may hold calls in calls; a file must not be able to use up the stack with them."""

    @pytest.mark.parametrize(("depth", "status"), [(100, 0), (101, 1), (450, 1), (20_000, 1)])
    def test_calls_inside_calls(self, reports: Any, show: Any, depth: int, status: int) -> None:
        text = json.dumps(reports["trace"])
        tree = '{"function": "f", "children": [' * depth + "]}" * depth
        steps = json.dumps(reports["trace"]["results"][0]["steps"][:1]).replace('"calls": [', f'"calls": [{tree}, ', 1)
        document = text.replace(json.dumps(reports["trace"]["results"][0]["steps"]), steps, 1)
        for format_name in EVERY:
            shown = show(document, "--format", format_name)
            check(shown, format_name)
            assert shown.status == status


class TestEveryReport:
    def test_each_kind_is_tried(self) -> None:
        kinds = {kind.__struct_config__.tag for kind in typing.get_args(model.Report)}
        assert kinds == set(SAMPLES), "say in SAMPLES how such a report is made"

    @pytest.mark.parametrize("command", SAMPLES)
    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(data=st.data())
    def test_edited_by_hand(self, reports: Any, show: Any, command: str, data: st.DataObject) -> None:
        format_name = data.draw(st.sampled_from(EVERY + FURTHER.get(command, ())))
        histogram = ("--histogram",) if data.draw(st.booleans()) else ()
        document = edited(reports[command], data)
        check(show(json.dumps(document), "--format", format_name, *histogram), format_name)

    @pytest.mark.parametrize("command", SAMPLES)
    def test_cut_short(self, reports: Any, show: Any, command: str) -> None:
        text = json.dumps(reports[command])
        for length in range(0, len(text), max(1, len(text) // 150)):
            shown = show(text[:length])
            assert (shown.status, shown.out, shown.err.count("\n")) == (1, "", 1)

    @pytest.mark.parametrize("command", SAMPLES)
    @settings(max_examples=80, deadline=None, derandomize=True, database=None)
    @given(data=st.data())
    def test_bytes_that_changed_on_the_disk(self, reports: Any, show: Any, command: str, data: st.DataObject) -> None:
        content = bytearray(json.dumps(reports[command]).encode())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        check(show(bytes(content)), "table")

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1", "0x10", "1" * 400, "1" * 5000,
                                        "01", "1."], ids=lambda number: number[:9] + str(len(number)))
    @pytest.mark.parametrize("command", SAMPLES)
    def test_what_is_no_number(self, reports: Any, show: Any, command: str, number: str) -> None:
        memory = reports[command]["environment"]["memory_bytes"]
        text = json.dumps(reports[command])
        shown = show(text.replace(f'"memory_bytes": {memory}', f'"memory_bytes": {number}', 1))
        assert (shown.status, shown.out, shown.err.count("\n")) == (1, "", 1)
        assert "no drmbench report" in shown.err

    @pytest.mark.parametrize("command", SAMPLES)
    def test_without_results(self, reports: Any, show: Any, command: str) -> None:
        results = "boards" if command == "fleet" else "results"
        shown = show(json.dumps({**reports[command], results: []}))
        assert shown.status == 1
        assert "length >= 1" in shown.err

    @pytest.mark.parametrize("command", SAMPLES)
    def test_from_the_future(self, reports: Any, show: Any, command: str) -> None:
        shown = show(json.dumps({**reports[command], "schema_version": 2}))
        assert (shown.status, "use a newer drmbench" in shown.err) == (1, True)

    @pytest.mark.parametrize("command", SAMPLES)
    def test_a_name_that_would_drive_the_terminal(self, reports: Any, show: Any, command: str) -> None:
        document = copy.deepcopy(reports[command])
        result = (document["boards"][0]["report"] if command == "fleet" else document)["results"][0]
        if command == "fleet":
            document["groups"][0]["what"] = "\x1b]0;pwned\x07vkms\x9b2J"
        if isinstance(result["target"], str):
            result["target"] = "\x1b]0;pwned\x07vkms\x9b2J"
        else:
            result["target"] |= {"kind": "drm", "driver": "\x1b]0;pwned\x07vkms\x9b2J", "node": "/dev/dri/card0\n"}
        for format_name in EVERY:
            shown = show(json.dumps(document), "--format", format_name)
            check(shown, format_name)
            assert "vkms" in shown.out

    def test_a_kind_that_is_not_known(self, reports: Any, show: Any) -> None:
        shown = show(json.dumps({**reports["verify"], "command": "levitate"}))
        assert (shown.status, "no drmbench report" in shown.err) == (1, True)
