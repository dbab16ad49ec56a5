# SPDX-License-Identifier: MIT
"""Two virtual machines with different kernels as boards over SSH: one fleet run tells what differs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import BIN, Lab, Service, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = Path(__file__).parents[2] / "build/test-reports/fleet.txt"
"""Where what the run printed can be read afterwards."""

KERNELS = {"stable": "debian-6.1", "newest": "debian-newest"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What one run on both machines reported."""
    folder = tmp_path_factory.mktemp("machines")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    with Lab(folder) as lab:
        lab.start_coordinator()
        services = {}
        for name, kernel in KERNELS.items():
            services[name] = Service(free_port())
            log = folder / name
            log.mkdir()
            lab.enter(running(
                [str(BIN / "drmbench"), "vm", "board", "--kernel", kernel, "--device", "vgem", "--device", "qxl",
                 "--port", str(services[name].port), "--authorized-key", str(folder / "key.pub"), "--timeout", "900"],
                log, lambda text: "SSH server ready" in text, limit_s=600,
            ))
        lab.start_exporter(services)
        lab.add_places({name: {"kernel": kernel} for name, kernel in KERNELS.items()})
        ran = subprocess.run(
            [BIN / "drmbench", "fleet", "run", "--coordinator", lab.address, "--all", "--remote", "drmbench",
             "--ssh-key", folder / "key", "--connect-timeout", "60", "--json", folder / "fleet.json", "--",
             "fault-latency", "--device", "vgem", "--device", "qxl", "--size", "1MiB", "--runs", "1"],
            capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL,
        )
        (folder / "stdout").write_text(ran.stdout)
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(ran.stdout)
        assert ran.returncode == 0, ran.stderr + ran.stdout
        yield folder / "fleet.json"


class TestTwoKernels:
    def test_the_doubled_faults_of_gem_shmem_are_flagged(self, report: Path) -> None:
        found = {d["what"].split(",")[0]: d for d in json.loads(report.read_text())["differences"]
                 if d["quantity"] == "faults"}
        assert set(found) == {"vgem dumb"}
        counted = {kernel.split(".")[0]: faults for kernel, faults in found["vgem dumb"]["by_kernel"].items()}
        assert counted == {"6": 256, "7": 512}
        assert "Counted differently on different kernels" in (report.parent / "stdout").read_text()

    def test_ttm_counts_the_same_on_both(self, report: Path) -> None:
        boards = json.loads(report.read_text())["boards"]
        counted = [r["faults"]["touch"] for board in boards for r in board["report"]["results"]
                   if r["target"]["driver"] == "qxl" and r["phase"] == "cold"]
        assert set(counted) == {16}
        assert len(counted) == 4  # dumb and gem:vram on each

    def test_each_board_says_what_it_ran_on(self, report: Path) -> None:
        boards = {board["place"]: board["report"] for board in json.loads(report.read_text())["boards"]}
        assert boards["stable"]["environment"]["lab_kernel"] != boards["newest"]["environment"]["lab_kernel"]
        assert all(board["environment"]["lab_kernel"] for board in boards.values())

    def test_compare_gates_on_it(self, report: Path) -> None:
        ran = subprocess.run([BIN / "drmbench", "compare", report, "--fail-if", "faults>+0"], capture_output=True,
                             text=True, timeout=60, check=False)
        # The first board by name is the base: newest, whose faults become fewer.
        assert ran.returncode == 0, ran.stderr
        ran = subprocess.run([BIN / "drmbench", "compare", report, "--fail-if", "faults<-0"], capture_output=True,
                             text=True, timeout=60, check=False)
        assert ran.returncode == 3, ran.stdout
