# SPDX-License-Identifier: MIT
"""`drmbench lava`: what it writes for a lab, its steps carried out by a shell as LAVA's own script does it.

LAVA's schemas and its dispatcher read the same in tests/formats.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

WHEEL = "https://example.org/drmbench-1-cp311-abi3-linux_aarch64.whl"
BOARD = ("--device-type", "rk3399-rock-pi-4b", "--kernel", "https://example.org/Image.gz",
         "--rootfs", "https://example.org/rootfs.tar.xz")
SIGNAL = re.compile(r"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=(\S+) RESULT=(\w+)([^>]*)>")


@pytest.fixture
def lava(drmbench: Any) -> Any:
    """Run `drmbench lava` and return its document."""
    def run(*arguments: str) -> Any:
        ran = drmbench("lava", *arguments)
        assert (ran.status, ran.err) == (0, "")
        return yaml.safe_load(ran.out)

    return run


class Board:
    """A folder in which the steps of a definition run; LAVA's helper and pip are scripts of this test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = Path(sys.executable).with_name("drmbench")
        self._script("lava-test-case", 'echo "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=$1 RESULT=$3>"')
        self._script("pip", f'[ "$4" != nowhere ] || exit 1; ln -sf {program} venv/bin/drmbench')
        self._script("python3", 'mkdir -p venv/bin; ln -sf "$(command -v pip)" venv/bin/pip')

    def _script(self, name: str, text: str) -> None:
        (self._folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (self._folder / name).chmod(0o755)

    def run(self, definition: Any) -> dict[str, tuple[str, str]]:
        """Case -> (result, the rest of the signal). As lava_dispatcher/actions/deploy/testdef.py writes it."""
        lines = [f"{name}='{value}'" for name, value in definition["parameters"].items()]
        text = "\n".join([*lines, "set -e", *definition["run"]["steps"], "echo ENDRUN"])
        ended = subprocess.run(["/bin/sh"], input=text, check=True, capture_output=True, text=True, timeout=100,
                               cwd=self._folder, env={"PATH": f"{self._folder}:/usr/bin:/bin"})
        assert ended.stdout.endswith("ENDRUN\n")
        return {case: (result, rest) for case, result, rest in SIGNAL.findall(ended.stdout)}


class TestDefinition:
    def test_it_measures_and_reports(self, lava: Any, tmp_path: Path) -> None:
        found = Board(tmp_path).run(lava("test-definition", "--install", WHEEL, "--device", "memfd", "--arguments",
                                         "--size 64KiB --runs 1", "--command", "fault-latency", "--command",
                                         "compare-populate"))
        assert {case for case in found if case.endswith(".run")} == {
            "install.run", "fault-latency.run", "compare-populate.run"}
        assert {result for case, (result, _rest) in found.items() if case.endswith(".run")} == {"pass"}
        count = found["fault-latency.64KiB.write.sequential.cold.faults.touch"]
        assert re.fullmatch(r" MEASUREMENT=[0-9]+ UNITS=faults", count[1])

    def test_a_board_without_a_gpu_skips(self, lava: Any, tmp_path: Path) -> None:
        found = Board(tmp_path).run(lava("test-definition", "--install", WHEEL, "--device", "nouveau"))
        assert {case: result for case, (result, _rest) in found.items() if case.endswith(".run")} == {
            "install.run": "pass", "fault-latency.run": "skip", "compare-populate.run": "skip", "verify.run": "skip"}

    def test_what_cannot_be_installed_fails_case_by_case(self, lava: Any, tmp_path: Path) -> None:
        found = Board(tmp_path).run(lava("test-definition", "--install", "nowhere", "--command", "verify"))
        assert found == {"install.run": ("fail", ""), "verify.run": ("fail", "")}

    def test_a_wheel_needs_no_compiler(self, lava: Any) -> None:
        with_wheel = lava("test-definition", "--install", WHEEL)["install"]["deps-debian"]
        with_sources = lava("test-definition", "--install", "drmbench==0.1.0")["install"]["deps-debian"]
        assert ("gcc" in with_wheel, "gcc" in with_sources) == (False, True)

    @pytest.mark.parametrize("arguments", [
        ("--install", "x'; reboot; '"), ("--install", WHEEL, "--device", "a b"),
        ("--install", WHEEL, "--arguments", "$(reboot)"), ("--install", "a\nb"), (),
    ])
    def test_nothing_that_the_shell_takes_apart(self, drmbench: Any, arguments: tuple[str, ...]) -> None:
        ran = drmbench("lava", "test-definition", *arguments)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)


class TestJob:
    def test_boots_the_kernel_and_holds_the_tests(self, lava: Any) -> None:
        job = lava("job", *BOARD, "--modules", "https://example.org/modules.tar.xz", "--dtb", "https://example.org/b.dtb",
                   "--install", WHEEL, "--timeout", "15", "--tag", "gpu", "--context", "console_device=ttyS2")
        deploy, boot, test = (next(iter(action.values())) for action in job["actions"])
        assert (job["device_type"], job["tags"], job["context"]) == ("rk3399-rock-pi-4b", ["gpu"],
                                                                     {"console_device": "ttyS2"})
        assert deploy["modules"] == {"url": "https://example.org/modules.tar.xz", "compression": "xz", "archive": "tar"}
        assert (deploy["kernel"]["url"], deploy["nfsrootfs"]["compression"]) == (BOARD[3], "xz")
        assert (boot["method"], boot["commands"]) == ("u-boot", "nfs")
        assert test["definitions"][0]["repository"] == lava("test-definition", "--install", WHEEL)
        assert {part["timeout"]["minutes"] for part in (deploy, boot, test)} <= {10, 15}

    def test_tests_from_a_repository(self, lava: Any) -> None:
        job = lava("job", *BOARD, "--repository", "https://example.org/t.git", "--branch", "main", "--device", "v3d")
        (tests,) = job["actions"][2]["test"]["definitions"]
        assert (tests["from"], tests["branch"], tests["path"]) == ("git", "main", "drmbench.yaml")
        assert tests["parameters"] == {"DEVICES": "--device v3d"}

    @pytest.mark.parametrize(("arguments", "word"), [
        (("--device-type", "t", "--kernel", "/boot/Image", "--rootfs", "https://a/r.tar"), "cannot fetch"),
        (("--device-type", "t", "--kernel", "https://a/Image"), "root file system"),
        (("--device-type", "a b", "--kernel", "https://a/I", "--rootfs", "https://a/r.tar"), "device type"),
        ((*BOARD, "--boot-method", "qemu", "--modules", "https://a/m.tar"), "disk image"),
        ((*BOARD, "--context", "arch"), "KEY=VALUE"),
        (BOARD, "--install"),
    ])
    def test_what_no_lab_could_run(self, drmbench: Any, arguments: tuple[str, ...], word: str) -> None:
        package = () if arguments == BOARD else ("--install", WHEEL)
        ran = drmbench("lava", "job", *arguments, *package)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert word in ran.err

    def test_without_pyyaml(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "yaml", None)
        ran = drmbench("lava", "job", *BOARD, "--install", WHEEL)
        assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert "drmbench[lava]" in ran.err
