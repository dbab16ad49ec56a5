# SPDX-License-Identifier: MIT
"""drmbench as a test binary of IGT; tests/formats has igt_runner itself and IGT's own library to compare with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_up_cases import LISTED, PASS, SKIP

from drmbench.render.igt import matches


class TestIgt:
    """The lines and exit statuses of an IGT test binary; a subtest is a case, a dynamic subtest a target."""

    def test_the_list(self, drmbench: Any) -> None:
        ran = drmbench("verify", "--list-subtests")
        assert ran.status == 0
        assert "mmap-contract_zero-length" in ran.out.splitlines()
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in ran.out.splitlines())

    def test_a_subtest(self, verify_as: Any) -> None:
        ran = verify_as("igt", "--run-subtest", "made-up_good")
        assert (ran.status, ran.err) == (0, "")
        version, *lines = ran.out.splitlines()
        assert re.fullmatch(r"IGT-Version: drmbench-\S+ \(\S+\) \(Linux: \S+ \S+\)", version)
        assert [re.sub(r"\d+\.\d{3}s", "#s", line) for line in lines] == [
            "Starting subtest: made-up_good", "Starting dynamic subtest: memfd",
            "Dynamic subtest memfd: SUCCESS (#s)", "Subtest made-up_good: SUCCESS (#s)",
        ]

    @pytest.mark.parametrize(("pattern", "status", "result"), [
        ("made-up_good", 0, "SUCCESS"), ("made-up_listed", 0, "SUCCESS"), ("made-up_not-now", 77, "SKIP"),
        ("made-up_bad", 98, "FAIL"), ("made-up_crash", 98, "FAIL"), ("made-up_clumsy", 98, "FAIL"),
        ("made-up_loud", 98, "FAIL"), ("made-up_choice,made-up_not-now", 0, "SUCCESS"), ("made-up_*", 98, "FAIL"),
    ])
    def test_exit_statuses(self, verify_as: Any, pattern: str, status: int, result: str) -> None:
        ran = verify_as("igt", "--run-subtest", pattern)
        assert ran.status == status
        assert re.search(rf"^Subtest \S+: {result} \(", ran.out, re.MULTILINE)

    def test_an_unknown_subtest_is_79(self, verify_as: Any) -> None:
        ran = verify_as("igt", "--run-subtest", "made-up_nonesuch")
        assert (ran.status, ran.out) == (79, "")
        assert "unknown subtest" in ran.err

    def test_a_dynamic_subtest_chooses_the_target(self, verify_as: Any) -> None:
        ran = verify_as("igt", "--device", "anon", "--run-subtest", "made-up_good", "--dynamic-subtest", "an*")
        assert ran.status == 0
        assert re.findall(r"^Dynamic subtest (\S+):", ran.out, re.MULTILINE) == ["anon"]

    def test_an_unknown_one_skips_as_igt_does(self, verify_as: Any) -> None:
        ran = verify_as("igt", "--run-subtest", "made-up_good", "--dynamic-subtest", "nonesuch")
        assert (ran.status, ran.out.splitlines()[-1]) == (77, "Subtest made-up_good: SKIP (0.000s)")

    def test_targets_take_turns_within_a_case(self, verify_as: Any) -> None:
        ran = verify_as("igt", "--device", "anon", cases=(PASS, SKIP))
        assert re.findall(r"^(?:Dynamic subtest|Subtest) (\S+): (\S+)", ran.out, re.MULTILINE) == [
            ("memfd", "SUCCESS"), ("anon", "SUCCESS"), ("made-up_good", "SUCCESS"),
            ("memfd", "SKIP"), ("anon", "SKIP"), ("made-up_not-now", "SKIP"),
        ]

    def test_without_a_device_every_subtest_skips(self, nothing_here: Any) -> None:
        ran = nothing_here("igt", "--run-subtest", "made-up_[bg]*")
        assert ran.status == 77
        assert ran.out.splitlines()[1:] == [
            "Starting subtest: made-up_good", "Subtest made-up_good: SKIP (0.000s)",
            "Starting subtest: made-up_bad", "Subtest made-up_bad: SKIP (0.000s)"]

    def test_a_device_that_is_missing_fails_every_subtest(self, verify_as: Any) -> None:
        ran = verify_as("igt", "--device", "file:/dev/null", cases=(PASS,))
        assert ran.status == 98
        assert "Dynamic subtest missing-1: FAIL (0.000s)\nSubtest made-up_good: FAIL" in ran.out

    def test_for_igt_runner_the_lines_are_on_stderr_too(self, verify_as: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IGT_SENTINEL_ON_STDERR", "1")
        ran = verify_as("igt", cases=(PASS,))
        assert ran.err.splitlines() == ran.out.splitlines()[1:]

    def test_a_known_breach_is_said_on_stderr_which_igt_runner_calls_warn(self, verify_as: Any) -> None:
        assert verify_as("igt", cases=(LISTED,)).err.startswith("known: made-up/listed on memfd: mmap(upside down)")

    def test_the_kernel_s_log_is_told_of_each_subtest(self, verify_as: Any, monkeypatch: pytest.MonkeyPatch,
                                                      tmp_path: Path) -> None:
        kmsg = tmp_path / "kmsg"
        monkeypatch.setattr("drmbench.cli.live._KMSG", str(kmsg))
        monkeypatch.setattr("sys.argv", ["/usr/bin/drmbench-igt"])
        verify_as("igt", cases=(PASS,))
        assert kmsg.read_text() == "<6>[IGT] drmbench-igt: starting subtest made-up_good\n"

    @pytest.mark.parametrize(("pattern", "name", "expected"), [
        ("a", "a", True), ("a", "ab", False), ("a*", "ab", True), ("a?", "ab", True), ("[ab]c", "bc", True),
        ("[^ab]c", "bc", False), ("[^ab]c", "xc", True), ("a,b", "b", True), ("a*,!ab", "ab", False),
        ("a*,!ab", "ac", True), ("!ab", "ab", False), ("!ab", "x", False), ("!ab,*", "ab", True), ("a\\*", "ab", False),
        ("", "a", False), ("a,", "a", True), ("a-b", "a-b", True), ("[a-c]x", "bx", True), ("A", "a", False),
        ("[", "[", False), ("a[]b]c", "a]c", True), ("a[^]b]c", "a]c", False),
    ])
    def test_patterns(self, pattern: str, name: str, expected: bool) -> None:
        assert matches(pattern, name) is expected

    @pytest.mark.parametrize(("arguments", "status"), [
        (["--list-subtests"], 0), (["--help"], 0), (["--run-subtest", "fake-offset_interior"], 77),
        (["--run-subtest", "mmap-contract_zero-length"], 0), (["--run-subtest", "nonesuch"], 79), (["--frob"], 79),
        (["--run-subtest"], 79), (["--device", "/dev/nonesuch"], 98),
    ])
    def test_the_program(self, arguments: list[str], status: int) -> None:
        program = str(Path(sys.executable).with_name("drmbench-igt"))
        ended = subprocess.run([program, *arguments], env={**os.environ, "DRMBENCH_DEVICE": "memfd"}, check=False,
                               capture_output=True, text=True, timeout=60)
        assert (ended.returncode, "Traceback" in ended.stderr) == (status, False)
