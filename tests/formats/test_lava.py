# SPDX-License-Identifier: MIT
"""LAVA's signals, read by the action of LAVA's dispatcher that reads them from a device."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Any

import pytest
import readers
from conftest import MADE_UP, SOON

LIMIT_S = 120


class Log:
    """Takes what the dispatcher would send to the server."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.complaints: list[str] = []

    def results(self, result: dict[str, Any]) -> None:
        """One result."""
        self.sent.append(result)

    def error(self, text: str, *_arguments: object) -> None:
        """Something is wrong with a signal."""
        self.complaints.append(text)

    def __getattr__(self, _name: str) -> Any:
        return lambda *_arguments, **_named: None


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run drmbench on a terminal as LAVA does, and return what its dispatcher made of it."""
    monkeypatch.syspath_prepend(str(readers.lava()))
    shell = importlib.import_module("lava_dispatcher.actions.test.shell")
    errors = importlib.import_module("lava_common.exceptions")
    pexpect = importlib.import_module("pexpect")

    def run(*arguments: str) -> Log:
        action, log = shell.TestShellAction(), Log()
        action._reset_patterns()
        action.logger = log
        action.signal_director.test_uuid = "1"
        action.definition = "drmbench"
        command = [MADE_UP, "verify", "--device", "memfd", *SOON, "--format", "lava", *arguments]
        terminal = pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=LIMIT_S)
        with contextlib.suppress(errors.ConnectionClosedError):  # drmbench has ended
            while action._keep_running(terminal, LIMIT_S, ""):
                pass
        terminal.close()
        return log

    return run


@pytest.mark.filterwarnings("ignore")
class TestDispatcher:
    def test_every_case(self, read: Any) -> None:
        log = read()
        assert log.complaints == []
        assert {result["set"] for result in log.sent} == {"memfd"}
        assert {result["case"].removeprefix("made-up."): result["result"] for result in log.sent} == {
            "good": "pass", "bad": "fail", "not-now": "skip", "clumsy": "fail", "listed": "skip", "crash": "fail",
            "loud": "fail", "choice": "pass",
        }
        assert all(result["units"] == "ms" and result["measurement"] > 0 for result in log.sent)

    def test_two_targets_are_two_sets(self, read: Any) -> None:
        log = read("--device", "anon", "--run-subtest", "made-up_good")
        assert [(result["set"], result["case"]) for result in log.sent] == [
            ("memfd", "made-up.good"), ("anon", "made-up.good")]

    def test_nothing_could_be_run(self, read: Any) -> None:
        (result,) = read("--size", "1TiB").sent
        assert (result["case"], result["result"], "set" in result) == ("verify", "fail", False)
