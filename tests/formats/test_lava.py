# SPDX-License-Identifier: MIT
"""LAVA's signals, read by the action of LAVA's dispatcher that reads them from a device; jobs, by its schemas."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import readers
import yaml
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
    verify = [MADE_UP, "verify", "--device", "memfd", *SOON]
    dispatch = dispatcher()
    return lambda *arguments: dispatch([*verify, "--format", "lava", *arguments])


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same for a measuring command on memfd alone."""
    monkeypatch.syspath_prepend(str(readers.lava()))
    dispatch = dispatcher()
    return lambda command, *arguments: dispatch([
        "-m", "drmbench", command, "--device", "memfd", "--no-baseline", "--size", "64KiB", "--format", "lava",
        *arguments])


def dispatcher() -> Any:
    """A function that runs Python on a terminal and returns what LAVA's dispatcher reads there."""
    shell = importlib.import_module("lava_dispatcher.actions.test.shell")
    errors = importlib.import_module("lava_common.exceptions")
    pexpect = importlib.import_module("pexpect")

    def run(command: list[str], program: str = sys.executable) -> Log:
        action, log = shell.TestShellAction(), Log()
        action._reset_patterns()
        action.logger = log
        action.signal_director.test_uuid = "1"
        action.definition = "drmbench"
        terminal = pexpect.spawn(program, command, encoding="utf-8", timeout=LIMIT_S)
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

    def test_every_number(self, measured: Any, tmp_path: Path) -> None:
        path = tmp_path / "report.json"
        log = measured("fault-latency", "--runs", "1", "--json", str(path))
        assert log.complaints == []
        found = {result["case"]: result for result in log.sent}
        assert len(found) == len(log.sent)
        results = json.loads(path.read_text())["results"]
        for result in results:
            name = f"fault-latency.64KiB.write.sequential.{result['phase']}"
            for stage, faults in result["faults"].items():
                case = found[f"{name}.faults.{stage}"]
                assert (case["set"], case["result"], case["measurement"], case["units"]) == (
                    "memfd", "pass", faults, "faults")
            assert found[f"{name}.fault_ns.p99"]["measurement"] == result["fault_ns"]["p99"]

    def test_every_strategy(self, measured: Any) -> None:
        log = measured("compare-populate", "--runs", "1")
        assert log.complaints == []
        verdicts = {result["case"].split(".")[-2]: result["result"] for result in log.sent
                    if result["case"].endswith(".verdict")}
        assert verdicts["madv-populate-write"] == "pass"
        assert set(verdicts) == {"lazy", "map-populate", "madv-populate-read", "madv-populate-write", "mlock", "touch"}


    def test_the_definition_with_lava_s_own_helpers(self, measured: Any, drmbench: Any, tmp_path: Path) -> None:
        """As its dispatcher writes run.sh; only pip is ours, as there is no wheel to fetch."""
        del measured  # it has put the dispatcher on the path
        ran = drmbench("lava", "test-definition", *PACKAGE, "--device", "anon", "--arguments",
                       "--size 64KiB --runs 1 --no-baseline", "--command", "fault-latency", "--command", "verify")
        document = yaml.safe_load(ran.out)
        helpers = readers.lava() / "lava_dispatcher" / "lava_test_shell"
        for name in ("lava-test-case", "lava-common-functions"):
            (tmp_path / name).write_text(f"#!/bin/sh\n{(helpers / name).read_text()}")
            (tmp_path / name).chmod(0o755)
        pip = f"mkdir -p venv/bin && ln -sf {Path(sys.executable).with_name('drmbench')} venv/bin/drmbench"
        steps = [step.replace('python3 -m venv venv && venv/bin/pip --no-input install --quiet "$PACKAGE"', pip)
                 for step in document["run"]["steps"]]
        variables = [f"{name}='{value}'" for name, value in document["parameters"].items()]
        script = tmp_path / "run.sh"
        script.write_text("\n".join([f"cd {tmp_path}", f"export PATH={tmp_path}:$PATH LAVA_RESULT_DIR={tmp_path}",
                                     *variables, "set -e", "set -x", *steps, ""]))
        log = dispatcher()([str(script)], "/bin/sh")
        assert log.complaints == []
        found = {result["case"]: result for result in log.sent}
        assert [found[f"{name}.run"]["result"] for name in ("install", "fault-latency")] == ["pass", "pass"]
        assert found["fault-latency.64KiB.write.sequential.cold.faults.touch"]["units"] == "faults"
        assert {result["set"] for result in log.sent if "set" in result} == {"anon"}
        assert "verify.run" in found


PACKAGE = ("--install", "https://example.org/drmbench-1-cp311-abi3-linux_x86_64.whl")
URLS = ("--kernel", "https://example.org/Image.gz", "--rootfs", "https://example.org/root.tar.xz")


@pytest.mark.filterwarnings("ignore")
class TestSchemas:
    """lava_common.schemas is what LAVA's server checks a job with that is submitted."""

    @pytest.mark.parametrize("arguments", [
        (*URLS, "--modules", "https://example.org/m.tar.xz", "--dtb", "https://example.org/b.dtb", "--kernel-type",
         "image", "--login", "root", "--tag", "gpu", "--context", "console_device=ttyS2", "--skip-dependencies"),
        (*URLS, "--boot-method", "grub", "--timeout", "3"),
        (*URLS, "--boot-method", "qemu", "--context", "arch=amd64", "--context", "memory=2048"),
        (*URLS[:2], "--ramdisk", "https://example.org/r.cpio.gz", "--boot-method", "depthcharge"),
        (*URLS, "--boot-method", "ipxe", "--repository", "https://example.org/tests.git"),
        (*URLS, "--boot-method", "barebox", "--visibility", "personal", "--priority", "high"),
    ])
    def test_take_every_kind_of_job(self, monkeypatch: pytest.MonkeyPatch, drmbench: Any,
                                    arguments: tuple[str, ...]) -> None:
        monkeypatch.syspath_prepend(str(readers.lava()))
        schemas = importlib.import_module("lava_common.schemas")
        ran = drmbench("lava", "job", "--device-type", "some-board", *PACKAGE, *arguments)
        assert ran.status == 0
        schemas.validate(yaml.safe_load(ran.out))

    def test_take_the_test_definition(self, monkeypatch: pytest.MonkeyPatch, drmbench: Any) -> None:
        monkeypatch.syspath_prepend(str(readers.lava()))
        testdef = importlib.import_module("lava_common.schemas.test.testdef")
        document = yaml.safe_load(drmbench("lava", "test-definition", *PACKAGE, "--device", "vkms").out)
        testdef.validate(document)
        for parts in ("metadata", "install", "run"):
            with pytest.raises(importlib.import_module("voluptuous").Invalid):
                testdef.validate({**document, parts: {"steps": 1}})
