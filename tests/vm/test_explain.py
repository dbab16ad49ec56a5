# SPDX-License-Identifier: MIT
"""explain on every device of the lab on 6.1: the right mechanism from what was seen, and by anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_lab_devices import EXPECTED, LAB, SIZE

from drmbench.device import list_devices

if TYPE_CHECKING:
    from collections.abc import Iterator

# Runs once as root, so that all is imported: the interpreter may lie where only root can read.
AS_NOBODY = """
import contextlib, io, os, sys
from drmbench import cli
with contextlib.redirect_stdout(io.StringIO()):
    assert cli.run(sys.argv[1:]) == 0
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
sys.exit(cli.run(sys.argv[1:]))
"""
PREFAULT = Path("/sys/module/drmbench_amdgpu/parameters/prefault_pages")
SHMEM_HUGE = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")


def explained(drmbench: Any, *arguments: str) -> list[dict[str, Any]]:
    """The results of a quick explain."""
    ran = drmbench("explain", "--size", SIZE, "--runs", "2", "--json", "-", *arguments)
    assert ran.status == 0, ran.err
    found = ran.json["results"]
    assert isinstance(found, list)
    return found


def mechanisms(result: dict[str, Any]) -> list[str]:
    """The names of what fits."""
    return [mechanism["name"] for mechanism in result["conclusion"]["mechanisms"]]


class TestLab:
    @pytest.mark.parametrize("lab_driver", LAB)
    def test_every_kind_gets_its_mechanism(self, drmbench: Any, lab_driver: str) -> None:
        found = {r["target"]["buffer"]: r for r in explained(drmbench, "--device", lab_driver, "--buffer", "all")}
        assert {kind: mechanisms(result) for kind, result in found.items()} == {
            kind: [mapping.mechanism] for kind, mapping in EXPECTED[lab_driver].items()
        }
        for kind, result in found.items():
            assert result["after_close"]["data"] == "kept", kind
            assert result["vma"]["end"] - result["vma"]["start"] == result["size_bytes"]
            # Bare page frames and mixed maps are copied on fork, pages of a file are not.
            assert (result["child"]["read_faults"] == 0) is (EXPECTED[lab_driver][kind].mechanism != "kernel shmem")

    def test_two_nodes_stand_side_by_side(self, drmbench: Any) -> None:
        ran = drmbench("explain", "--device", "vkms", "--device", "qxl", "--buffer", "dumb", "--size", SIZE)
        assert ran.status == 0, ran.err
        lines = ran.out.splitlines()
        assert max(map(len, lines)) <= 80
        (row,) = [line for line in lines if line.startswith("write  ")]
        assert row.split() == ["write", "256,", "window", "1", "16,", "window", "16"]
        (offsets,) = [line for line in lines if line.startswith("mmap offset")]
        assert offsets.count("0x1000") == 2


class TestAlteredDriver:
    """The amdgpu double on the kernel's own TTM, told to map another number of pages at a fault."""

    @pytest.fixture
    def prefault(self) -> Iterator[Path]:
        if "amdgpu" not in LAB:
            pytest.skip("this machine has no amdgpu double")
        yield PREFAULT
        PREFAULT.write_text("0")

    @pytest.mark.parametrize("pages", [1, 4, 256])
    def test_its_conclusion_is_another(self, drmbench: Any, prefault: Path, pages: int) -> None:
        arguments = ("--device", "amdgpu", "--buffer", "gem:gtt")
        (before,) = explained(drmbench, *arguments)
        assert mechanisms(before) == ["TTM"]
        prefault.write_text(str(pages))
        (result,) = explained(drmbench, *arguments)
        assert mechanisms(result) == []
        assert [closest["name"] for closest in result["conclusion"]["closest"]] == ["TTM"]
        assert f"a fault maps {pages} page" in result["conclusion"]["text"]


class TestHugePages:
    def test_they_are_found_where_they_are(self, drmbench: Any) -> None:
        before = SHMEM_HUGE.read_text().split("[")[1].split("]")[0]
        SHMEM_HUGE.write_text("always")
        try:
            (result,) = explained(drmbench, "--device", "anon")
        finally:
            SHMEM_HUGE.write_text(before)
        assert (result["huge"]["aligned_faults"], result["huge"]["aligned_window_pages"]) == (2, 512)
        assert result["huge"]["shifted_faults"] > 2
        assert result["huge"]["pmd_mapped_bytes"] == result["huge"]["size_bytes"]
        assert "Huge mappings: 4 MiB" in result["conclusion"]["text"]


class TestWithoutPrivilege:
    @pytest.fixture
    def open_to_all(self) -> Iterator[str]:
        (device,) = [d for d in list_devices() if d.driver is not None and d.driver.name == "vgem"]
        assert device.primary is not None
        modes = {node: os.stat(node).st_mode for node in device.nodes}
        for node in modes:
            os.chmod(node, 0o666)  # noqa: S103 (stands in for the groups video and render)
        yield device.primary
        for node, mode in modes.items():
            os.chmod(node, mode)

    def test_nobody_gets_the_same_answer(self, drmbench: Any, open_to_all: str) -> None:
        (ours,) = explained(drmbench, "--device", open_to_all)
        ended = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, "explain", "--device", open_to_all, "--size", SIZE, "--json", "-"],
            text=True, capture_output=True, check=False, timeout=300, stdin=subprocess.DEVNULL,
        )
        assert ended.returncode == 0, ended.stderr
        (theirs,) = json.loads(ended.stdout)["results"]
        assert theirs["problems"] == {}
        for key in ("conclusion", "private_mapping", "child", "after_close", "helpers", "descending_faults"):
            assert theirs[key] == ours[key], key

    def test_a_node_that_is_closed_to_us_is_said(self, drmbench: Any) -> None:
        ran = drmbench("explain", "--device", "/dev/dri/card99")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert "ENOENT" in ran.err
