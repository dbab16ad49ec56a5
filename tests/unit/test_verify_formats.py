# SPDX-License-Identifier: MIT
"""`verify --format ktap|junit|lava|igt|json`, each read by a parser of somebody else where there is one on PyPI.

igt_runner, LAVA's dispatcher and kunit_parser.py of the kernel, for which they are, read them in tests/formats.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import junitparser
import pytest
from made_up_cases import FAIL, HOSTILE, LISTED, LOUD, PASS, SKIP
from tap.parser import Parser

from drmbench.errors import DrmbenchError

MADE_UP = str(Path(__file__).parents[1] / "made_up_cases.py")
# How LAVA's dispatcher finds a signal: lava_dispatcher/actions/test/shell.py, TestShellAction._reset_patterns().
LAVA_SIGNAL = re.compile(r"<LAVA_SIGNAL_(\S+) ([^>]+)>")


def tap_of(text: str) -> dict[str, tuple[bool, str]]:
    """Description -> (ok, directive) of the TAP tests that stand at the margin."""
    lines = list(Parser().parse_text(text))
    found = [line for line in lines if line.category == "test"]
    (plan,) = [line for line in lines if line.category == "plan"]
    assert plan.expected_tests == len(found)
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    return {line.description: (line.ok, line.directive.text or "") for line in found}


def subtests_of(text: str) -> str:
    """The KTAP document that a test has as its subtests."""
    return "".join(line[2:] for line in text.splitlines(keepends=True) if line.startswith("  "))


class TestKtap:
    def test_a_target_is_a_test_and_a_case_a_subtest(self, verify_as: Any) -> None:
        ran = verify_as("ktap")
        assert ran.status == 1
        assert ran.out.splitlines()[0] == subtests_of(ran.out).splitlines()[0] == "KTAP version 1"
        assert tap_of(ran.out) == {"memfd": (False, "")}
        cases = tap_of(subtests_of(ran.out))
        assert {name.partition("/")[2] for name, (ok, _d) in cases.items() if not ok} == {
            "bad", "clumsy", "crash", "loud"}
        assert cases["made-up/not-now"] == (True, "SKIP it rains")

    def test_known_breaches_and_broken_cases_have_directives(self, verify_as: Any) -> None:
        lines = verify_as("ktap").out.splitlines()
        known = "mmap(upside down): success: it always did (mm/nowhere.c)"
        assert f"  ok 5 made-up/listed # XFAIL {known}" in lines
        assert any(line.startswith("  not ok 4 made-up/clumsy # ERROR ZeroDivisionError") for line in lines)

    def test_why_it_failed_stands_before_the_result(self, verify_as: Any) -> None:
        lines = verify_as("ktap").out.splitlines()
        at = lines.index("  not ok 2 made-up/bad")
        assert lines[at - 2:at] == [
            "  # made-up/bad: mmap(upside down): expected EACCES or EINVAL, got success",
            "  # made-up/bad: rule: It does what it should. (nowhere)",
        ]

    def test_all_skipped(self, verify_as: Any) -> None:
        ran = verify_as("ktap", cases=(SKIP,))
        assert (ran.status, tap_of(ran.out)) == (77, {"memfd": (True, "SKIP every case was skipped")})

    def test_two_targets(self, verify_as: Any) -> None:
        ran = verify_as("ktap", "--device", "anon", cases=(PASS, SKIP))
        assert tap_of(ran.out) == {"memfd": (True, ""), "anon": (True, "")}

    def test_nothing_here(self, nothing_here: Any) -> None:
        ran = nothing_here("ktap")
        assert ran.status == 77
        assert ran.out.startswith("KTAP version 1\n1..0 # SKIP vkms: --device: ENODEV")

    def test_a_device_that_is_missing_fails(self, verify_as: Any) -> None:
        ran = verify_as("ktap", "--device", "file:/dev/null", cases=(PASS,))
        assert ran.status == 1
        assert [ok for ok, _directive in tap_of(ran.out).values()] == [True, False]
        assert "not ok 2 verify # ERROR file:/dev/null" in ran.out

    def test_nothing_could_be_run(self, verify_as: Any) -> None:
        ran = verify_as("ktap", "--size", "1TiB")
        assert (ran.status, tap_of(ran.out)["verify"][0]) == (1, False)


class TestJunit:
    def read(self, text: str) -> dict[str, junitparser.TestCase]:
        document = junitparser.JUnitXml.fromstring(text.encode())
        (suite,) = document
        cases = {case.name: case for case in suite}
        document.update_statistics()
        again = junitparser.JUnitXml.fromstring(text.encode())
        assert (document.tests, document.failures, document.errors) == (again.tests, again.failures, again.errors)
        assert (suite.tests, suite.skipped) == (len(cases), sum(case.is_skipped for case in cases.values()))
        return cases

    def test_each_verdict(self, verify_as: Any) -> None:
        cases = self.read(verify_as("junit").out)
        kinds = {name.partition("/")[2]: [(type(r), r.type) for r in case.result] for name, case in cases.items()}
        assert kinds == {
            "good": [], "choice": [], "bad": [(junitparser.Failure, "fail")], "crash": [(junitparser.Failure, "fail")],
            "loud": [(junitparser.Failure, "fail")], "clumsy": [(junitparser.Error, "broken")],
            "not-now": [(junitparser.Skipped, "skip")], "listed": [(junitparser.Skipped, "known")],
        }
        (why,) = cases["made-up/bad"].result
        assert why.message == "mmap(upside down): expected EACCES or EINVAL, got success"
        assert why.text == "rule: It does what it should. (nowhere)"
        assert cases["made-up/good"].time > 0

    def test_hostile_text_is_still_xml(self, verify_as: Any) -> None:
        ran = verify_as("junit", cases=(LOUD,))
        assert not re.search(r"[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", ran.out)
        (why,) = self.read(ran.out)[LOUD.name].result
        assert "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=forged RESULT=pass>" in why.message

    @pytest.mark.parametrize(("arguments", "status", "kind"), [
        ((), 77, junitparser.Skipped), (("--size", "1TiB", "--device", "memfd"), 1, junitparser.Error),
    ])
    def test_nothing_could_be_run(self, nothing_here: Any, verify_as: Any, arguments: tuple[str, ...], status: int,
                                  kind: type) -> None:
        ran = nothing_here("junit") if status == 77 else verify_as("junit", *arguments)
        (case,) = self.read(ran.out).values()
        assert (ran.status, [type(result) for result in case.result]) == (status, [kind])

    def test_a_device_that_is_missing_is_an_error(self, verify_as: Any) -> None:
        ran = verify_as("junit", "--device", "file:/dev/null", cases=(PASS,))
        document = junitparser.JUnitXml.fromstring(ran.out.encode())
        assert (ran.status, document.tests, document.errors) == (1, 2, 1)


class TestLava:
    def signals(self, text: str) -> list[tuple[str, dict[str, str]]]:
        """As LAVA does: the parameters are split at blanks, and each at "="."""
        found = [(name, rest.split()) for name, rest in LAVA_SIGNAL.findall(text)]
        assert [rest for name, rest in found if name == "TESTSET"] == [["START", "memfd"], ["STOP"]]
        return [(name, dict(pair.split("=") for pair in rest)) for name, rest in found if name == "TESTCASE"]

    def results(self, text: str) -> dict[str, str]:
        return {data["TEST_CASE_ID"]: data["RESULT"] for _name, data in self.signals(text)}

    def test_a_signal_for_each_case_and_no_other(self, verify_as: Any) -> None:
        assert self.results(verify_as("lava").out) == {
            "made-up.good": "pass", "made-up.bad": "fail", "made-up.not-now": "skip", "made-up.clumsy": "fail",
            "made-up.listed": "skip", "made-up.crash": "fail", "made-up.loud": "fail", "made-up.choice": "pass",
        }

    def test_what_is_skipped_for_being_known_says_so(self, verify_as: Any) -> None:
        out = verify_as("lava", cases=(LISTED,)).out
        assert "known made-up/listed on memfd: mmap(upside down): success: it always did (mm/nowhere.c)\n" in out

    def test_durations_are_measurements(self, verify_as: Any) -> None:
        ((_name, data),) = self.signals(verify_as("lava", cases=(PASS,)).out)
        assert data["UNITS"] == "ms"
        assert float(data["MEASUREMENT"]) > 0

    def test_the_file_with_four_columns(self, verify_as: Any, tmp_path: Path) -> None:
        path = tmp_path / "results.txt"
        signals = self.signals(verify_as("lava", "--lava-results", str(path)).out)
        lines = [line.split() for line in path.read_text().splitlines()]
        assert lines[0] == ["lava-test-set", "start", "memfd"]
        assert lines[-1] == ["lava-test-set", "stop", "memfd"]
        assert lines[1:-1] == [[data["TEST_CASE_ID"], data["RESULT"], data["MEASUREMENT"], data["UNITS"]]
                               for _name, data in signals]

    def test_it_is_written_beside_any_format(self, verify_as: Any, tmp_path: Path) -> None:
        path = tmp_path / "results.txt"
        assert "Failed" in verify_as("table", "--lava-results", str(path)).out
        assert "made-up.bad fail" in path.read_text()

    @pytest.mark.parametrize(("status", "said"), [(77, "verify skip\n"), (1, "verify fail\n")])
    def test_nothing_could_be_run(self, nothing_here: Any, verify_as: Any, tmp_path: Path, status: int,
                                  said: str) -> None:
        path = tmp_path / "results.txt"
        arguments = ("lava", "--lava-results", str(path))
        ran = nothing_here(*arguments) if status == 77 else verify_as(*arguments, "--size", "1TiB")
        assert (ran.status, path.read_text()) == (status, said)
        assert f"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=verify RESULT={said.split()[1]}>" in ran.out

    def test_a_place_that_cannot_be_written_is_found_out_first(self, verify_as: Any) -> None:
        ran = verify_as("lava", "--lava-results", "/nonexistent/results.txt")
        assert (ran.status, ran.out) == (1, "")
        assert "ENOENT" in ran.err


class TestShow:
    """A saved report gives the same text as the run did."""

    @pytest.mark.parametrize("format_name", ["ktap", "junit", "lava", "igt", "json"])
    def test_again(self, verify_as: Any, drmbench: Any, tmp_path: Path, format_name: str) -> None:
        path = str(tmp_path / "report.json")
        ran = verify_as(format_name, "--json", path)
        assert drmbench("show", path, "--format", format_name).out == ran.out

    def test_the_file_for_lava(self, verify_as: Any, drmbench: Any, tmp_path: Path) -> None:
        path, results = str(tmp_path / "report.json"), tmp_path / "results.txt"
        verify_as("table", "--json", path, "--lava-results", str(results))
        assert drmbench("show", path, "--format", "lava-results").out == results.read_text()

    @pytest.mark.parametrize("format_name", ["ktap", "junit", "lava-results", "igt"])
    def test_a_report_of_another_command(self, drmbench: Any, tmp_path: Path, format_name: str) -> None:
        path = str(tmp_path / "report.json")
        drmbench("fault-latency", "--device", "anon", "--size", "64KiB", "--runs", "1", "--json", path)
        ran = drmbench("show", path, "--format", format_name)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert "no report of drmbench verify" in ran.err


class TestOutput:
    def test_json_is_the_report(self, verify_as: Any) -> None:
        assert verify_as("json", cases=(PASS,)).json["command"] == "verify"

    def test_json_on_stdout_is_all_there_is(self, verify_as: Any) -> None:
        assert json.loads(verify_as("ktap", "--json", "-").out)["command"] == "verify"

    @pytest.mark.parametrize("format_name", ["table", "ktap", "junit", "lava", "igt", "csv", "markdown", "json"])
    def test_hostile_text_forges_nothing(self, verify_as: Any, format_name: str) -> None:
        out = verify_as(format_name, cases=(LOUD, FAIL)).out
        assert "\x1b" not in out
        assert HOSTILE not in out
        signal_of_lava = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=forged"
        assert format_name != "lava" or signal_of_lava not in out
        forged = ("ok 9 ", "  ok 9 ", "Subtest made-up_bad: SUCCESS")
        assert not [line for line in out.splitlines() if line.startswith(forged)]

    @pytest.mark.parametrize("error", [DrmbenchError("device", "open", errno=5), KeyboardInterrupt()])
    def test_cut_short_by_a_failure_of_ours(self, verify_as: Any, monkeypatch: pytest.MonkeyPatch,
                                            error: BaseException) -> None:
        def fail(*_arguments: object) -> None:
            raise error

        monkeypatch.setattr("drmbench.conformance.turns.run_case", fail)
        ran = verify_as("ktap", cases=(PASS,))
        assert ran.status == 1
        assert "\nok" not in ran.out


class TestWhileItRuns:
    """A machine that dies in a case has said what ended before it."""

    @pytest.mark.parametrize(("format_name", "seen", "last"), [
        ("ktap", "  ok 1 made-up/good\n", "not ok 1 memfd # ERROR interrupted\n"),
        ("lava", "<LAVA_SIGNAL_TESTSET START memfd>\n", "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=verify RESULT=fail>\n"),
        ("igt", "Starting subtest: made-up_slow\n", ""),
    ])
    def test_lines_are_out_before_the_next_case(self, format_name: str, seen: str, last: str) -> None:
        command = [sys.executable, MADE_UP, "verify", "--device", "memfd", "--format", format_name,
                   "--case", "made-up/good", "--case", "made-up/slow"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                head = ""
                while seen not in head:
                    line = process.stdout.readline()
                    assert line, head
                    head += line
                process.send_signal(signal.SIGTERM)
                rest, err = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == (98 if format_name == "igt" else 1)
        assert "Traceback" not in err
        assert last in rest
        assert "slow: SUCCESS" not in rest
