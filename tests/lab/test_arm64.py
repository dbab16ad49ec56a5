# SPDX-License-Identifier: MIT
"""arm64 guests, some 20 s each: what a dirty bit in hardware saves, by exact counts on two CPU models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRMBENCH = [sys.executable, "-m", "drmbench"]
PAGES = 1024
LIMIT_S = 900

# CPU -> driver -> access -> faults of its passes over 1024 pages.
EXPECTED = {
    "cortex-a53": {
        "kirin": {"write": [PAGES], "read": [0], "read-then-write": [0, PAGES]},
        "etnaviv": {"write": [2 * PAGES], "read": [PAGES], "read-then-write": [PAGES, PAGES]},
    },
    "cortex-a76": {
        "kirin": {"write": [0], "read": [0], "read-then-write": [0, 0]},
        "etnaviv": {"write": [PAGES], "read": [PAGES], "read-then-write": [PAGES, 0]},
    },
}


def vm_run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return subprocess.run([*DRMBENCH, "vm", "run", "--arch", "arm64", *words], cwd=folder, check=False, text=True,
                          env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": path}, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=LIMIT_S)


@pytest.fixture(scope="module", params=list(EXPECTED))
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """CPU model and the report of one boot with it."""
    folder = tmp_path_factory.mktemp("arm64")
    ran = vm_run(folder, "--cpu-model", request.param, "--device", "kirin", "--device", "etnaviv", "--",
                 "drmbench", "fault-latency", "--device", "kirin", "--device", "etnaviv", "--access", "all",
                 "--phase", "cold", "--no-baseline", "--size", "4MiB", "--runs", "1", "--json", "report.json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads((folder / "report.json").read_text())
    assert isinstance(document, dict)
    return str(request.param), document


Measured = tuple[str, dict[str, Any]]


def test_the_dirty_bit_is_what_the_counts_differ_by(measured: Measured) -> None:
    cpu_model, document = measured
    seen: dict[str, dict[str, list[int]]] = {}
    for result in document["results"]:
        faults = [touch_pass["faults"] for touch_pass in result["passes"]]
        seen.setdefault(result["target"]["driver"], {})[result["access"]] = faults
    assert seen == EXPECTED[cpu_model]


def test_emulation_and_what_is_made_up_are_said(measured: Measured) -> None:
    _cpu_model, document = measured
    assert document["environment"]["arch"] == "aarch64"
    assert document["environment"]["emulated"] is True
    assert document["environment"]["lab_kernel"].startswith("debian-6.1 6.1.")
    caveats = {caveat["id"] for caveat in document["caveats"]}
    assert {"emulated-cpu", "simulated-driver"} <= caveats


LOOK = "pwd; ls; echo lost > here; cat here; uname -m; echo to stderr >&2; ls /sys/class/net; exit 3"


def test_streams_status_and_directory_are_the_commands_own(tmp_path: Path) -> None:
    folder = tmp_path / "it's an, odd é name"
    folder.mkdir()
    (folder / "file").touch()
    ran = vm_run(folder, "--device", "vgem", "--", "sh", "-c", LOOK)
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout.split("\n") == [str(folder), "file", "lost", "aarch64", "lo", ""]
    assert ran.stderr.splitlines()[-1] == "to stderr"
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_an_edited_source_is_what_the_guest_runs(tmp_path: Path) -> None:
    ran = vm_run(tmp_path, "--device", "vgem", "--", "python3", "-c",
                 "import drmbench.units; print(open(drmbench.units.__file__).read(), end='')")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == (Path(__file__).parents[2] / "drmbench/units.py").read_text()
