# SPDX-License-Identifier: MIT
"""KTAP, read by tools/testing/kunit/kunit_parser.py of the kernel."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import readers


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The kernel's module."""
    monkeypatch.syspath_prepend(str(readers.kunit()))
    return importlib.import_module("kunit_parser")


class TestKunitParser:
    def test_every_verdict(self, parser: Any, verify: Any) -> None:
        root = parser.parse_run_tests(verify("--format", "ktap").stdout.splitlines())
        (target,) = root.subtests
        assert (target.name, target.status.name) == ("memfd", "FAILURE")
        assert {case.name.partition("/")[2]: case.status.name for case in target.subtests} == {
            "good": "SUCCESS", "bad": "FAILURE", "not-now": "SKIPPED", "clumsy": "FAILURE",
            "listed": "SUCCESS", "crash": "FAILURE", "loud": "FAILURE", "choice": "SUCCESS",
        }
        counts = root.counts
        assert (counts.passed, counts.failed, counts.skipped, counts.crashed, counts.errors) == (3, 4, 1, 0, 0)

    def test_a_failure_carries_its_reason(self, parser: Any, verify: Any) -> None:
        root = parser.parse_run_tests(verify("--format", "ktap").stdout.splitlines())
        (bad,) = [case for case in root.subtests[0].subtests if case.name == "made-up/bad"]
        assert "expected EACCES or EINVAL, got success" in "\n".join(bad.log)

    def test_two_targets(self, parser: Any, verify: Any) -> None:
        ran = verify("--format", "ktap", "--device", "anon", "--case", "made-up/good")
        root = parser.parse_run_tests(ran.stdout.splitlines())
        assert [target.name for target in root.subtests] == ["memfd", "anon"]
        assert root.counts.errors == 0

    def test_all_skipped(self, parser: Any, verify: Any) -> None:
        ran = verify("--format", "ktap", "--run-subtest", "made-up_not-now")
        root = parser.parse_run_tests(ran.stdout.splitlines())
        assert (ran.returncode, root.status.name, root.counts.errors) == (77, "SKIPPED", 0)

    def test_nothing_could_be_run(self, parser: Any, verify: Any) -> None:
        root = parser.parse_run_tests(verify("--format", "ktap", "--size", "1TiB").stdout.splitlines())
        assert (root.status.name, root.counts.failed, root.counts.errors) == ("FAILURE", 1, 0)

    def test_a_run_that_broke_off_is_no_success(self, parser: Any, verify: Any) -> None:
        lines = verify("--format", "ktap").stdout.splitlines()
        cut = lines.index("  ok 1 made-up/good") + 1
        root = parser.parse_run_tests(lines[:cut])
        assert root.counts.errors > 0
        assert not root.ok_status()
