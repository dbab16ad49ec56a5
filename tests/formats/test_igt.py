# SPDX-License-Identifier: MIT
"""drmbench-igt, driven by igt_runner and compared with a test binary on IGT's own library."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import readers
from conftest import MADE_UP

from drmbench.render.igt import matches

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT_S = 300
ENVIRONMENT = {**os.environ, "DRMBENCH_DEVICE": "memfd"}


@pytest.fixture
def test_root(tmp_path: Path) -> Path:
    """A folder of tests as IGT installs them: made-up is drmbench-igt with our cases."""
    root = tmp_path / "tests"
    root.mkdir()
    program = root / "made-up"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {MADE_UP} igt "$@"\n')
    program.chmod(0o755)
    drmbench_igt = shutil.which("drmbench-igt")
    assert drmbench_igt is not None
    (root / "drmbench-igt").symlink_to(drmbench_igt)
    (root / "test-list.txt").write_text("TESTLIST\nmade-up drmbench-igt\nEND TESTLIST\n")
    return root


@pytest.fixture
def igt_runner(test_root: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run igt_runner; its results.json."""
    def run(*arguments: str, device: str = "memfd") -> dict[str, Any]:
        results = tmp_path / "results"
        command = readers.in_igt_root(readers.igt() / "usr/bin/igt_runner", "--allow-non-root", "--overwrite",
                                      *arguments, str(test_root), str(results))
        environment = {**os.environ, "DRMBENCH_DEVICE": device}
        subprocess.run(command, env=environment, check=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL,
                       capture_output=True)
        document = json.loads((results / "results.json").read_text())
        assert isinstance(document, dict)
        return document["tests"]

    return run


def verdicts(tests: dict[str, Any], program: str) -> dict[str, str]:
    """Name behind igt@PROGRAM@ -> result."""
    start = f"igt@{program}@"
    return {name.removeprefix(start): test["result"] for name, test in tests.items() if name.startswith(start)}


EXPECTED = {
    "good": "pass", "bad": "fail", "not-now": "skip", "clumsy": "fail", "listed": "warn", "crash": "fail",
    "loud": "fail", "choice": "pass",
}


class TestIgtRunner:
    @pytest.mark.parametrize("mode", [(), ("--multiple-mode",)], ids=["a-process-each", "one-process"])
    def test_every_verdict(self, igt_runner: Any, mode: tuple[str, ...]) -> None:
        found = verdicts(igt_runner(*mode, "-t", "igt@made-up@.*", "-x", "slow"), "made-up")
        subtests = {f"made-up_{name}": result for name, result in EXPECTED.items()}
        assert {name: result for name, result in found.items() if "@" not in name} == subtests
        assert {name.removesuffix("@memfd"): result for name, result in found.items() if "@" in name} == subtests

    def test_what_it_keeps_of_a_subtest(self, igt_runner: Any) -> None:
        test = igt_runner("-t", "igt@made-up@made-up_bad$")["igt@made-up@made-up_bad"]
        assert test["igt-version"].startswith("IGT-Version: drmbench-")
        assert "expected EACCES or EINVAL, got success" in test["out"]
        assert test["time"]["end"] > 0

    def test_one_that_takes_too_long(self, igt_runner: Any) -> None:
        tests = igt_runner("--per-test-timeout", "8", "-t", "igt@made-up@made-up_slow")
        assert tests["igt@made-up@made-up_slow"]["result"] == "timeout"

    @pytest.mark.parametrize(("device", "result"), [("nouveau", "skip"), ("/dev/nonesuch", "fail")])
    def test_without_the_device(self, igt_runner: Any, device: str, result: str) -> None:
        tests = igt_runner("-t", "igt@made-up@made-up_good", device=device)
        assert verdicts(tests, "made-up") == {"made-up_good": result}

    def test_our_own_cases(self, igt_runner: Any) -> None:
        found = verdicts(igt_runner("--multiple-mode", "-t", "igt@drmbench-igt"), "drmbench-igt")
        listed = subprocess.run(["drmbench-igt", "--list-subtests"], check=True, capture_output=True, text=True)
        assert [name for name in found if "@" not in name] == listed.stdout.split()
        assert set(found.values()) <= {"pass", "skip"}
        assert found["mmap-contract_zero-length@memfd"] == "pass"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test binary on libigt with subtests like some of ours."""
    return readers.compiled("igt_reference.c", tmp_path_factory.mktemp("reference") / "drmbench-igt")


def said(command: list[str], **environment: str) -> tuple[int, list[str], list[str]]:
    """Exit status, and the lines for igt_runner on stdout and stderr, without their times."""
    ran = subprocess.run(command, check=False, capture_output=True, text=True, env={**ENVIRONMENT, **environment},
                         stdin=subprocess.DEVNULL, timeout=LIMIT_S)
    ours = re.compile(r"(?:Starting (?:dynamic )?subtest: |(?:Dynamic s|S)ubtest \S+: [A-Z]).*")
    lines = [[re.sub(r"\d+\.\d+s", "#s", line) for line in text.splitlines() if ours.fullmatch(line)]
             for text in (ran.stdout, ran.stderr)]
    return ran.returncode, lines[0], lines[1]


class TestLikeIgt:
    """The same command line for both: same exit status, same lines."""

    @pytest.mark.parametrize("arguments", [
        ["--run-subtest", "made-up_good"], ["--run-subtest", "made-up_bad"], ["--run-subtest", "made-up_not-now"],
        ["--run-subtest", "made-up_good,made-up_not-now"], ["--run-subtest", "made-up_[bg]*"],
        ["--run-subtest", "made-up_*d,!*ste*,!*ou*"], ["--run-subtest", "!made-up_good"], ["--run-subtest", "nonesuch"],
        ["--run-subtest", "made-up_bad,nonesuch"], ["--run-subtest=made-up_good"],
        ["--run-subtest", "made-up_good", "--dynamic-subtest", "memfd"],
        ["--run-subtest", "made-up_good", "--dynamic-subtest", "m*"],
        ["--run-subtest", "made-up_bad", "--dynamic-subtest", "m*,!memfd"],
        ["--frobnicate"], ["--run-subtest"],
    ], ids=" ".join)
    def test_exit_status_and_lines(self, reference: Path, arguments: list[str]) -> None:
        status, out, err = said(readers.in_igt_root(reference, *arguments), IGT_SENTINEL_ON_STDERR="1")
        assert said([sys.executable, MADE_UP, "igt", *arguments], IGT_SENTINEL_ON_STDERR="1") == (status, out, err)

    def test_the_version_line(self, reference: Path) -> None:
        shape = re.compile(r"IGT-Version: [^ ()]+-[^ ()]+ \(\S+\) \(Linux: \S+ \S+\)")
        for command in (readers.in_igt_root(reference), [sys.executable, MADE_UP, "igt"]):
            ran = subprocess.run([*command, "--run-subtest", "made-up_good"], check=True, capture_output=True,
                                 text=True, env=ENVIRONMENT)
            assert shape.fullmatch(ran.stdout.splitlines()[0])

    def test_patterns(self, tmp_path: Path) -> None:
        """Thousands of patterns; without backslashes and ranges, where uwildmat() has ways of its own."""
        chance = random.Random(1)  # noqa: S311 (no secret)
        pairs = [("".join(chance.choices("aab_*?[]^!,", k=chance.randint(0, 8))),
                  "".join(chance.choices("aab_]", k=chance.randint(1, 5)))) for _ in range(20_000)]
        text = "".join(f"{pattern}\t{name}\n" for pattern, name in pairs)
        uwildmat = readers.in_igt_root(readers.compiled("uwildmat.c", tmp_path / "uwildmat"))
        answers = subprocess.run(uwildmat, input=text, check=True, capture_output=True, text=True).stdout.split()
        assert len(answers) == len(pairs)
        assert 100 < answers.count("1") < len(pairs) - 100
        assert [pair for pair, answer in zip(pairs, answers, strict=True) if matches(*pair) != (answer == "1")] == []
