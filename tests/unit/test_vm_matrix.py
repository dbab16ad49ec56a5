# SPDX-License-Identifier: MIT
"""`vm matrix` without a machine: what is measured, what is kept, what is said of cells that failed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from drmbench import cli
from drmbench.errors import DrmbenchError, UsageError
from drmbench.vm import matrix
from drmbench.vm.image import BootKernel
from drmbench.vm.machine import LabError
from drmbench.vm.matrix import make_plan
from drmbench.vm.matrix_markdown import as_markdown
from drmbench.vm.matrix_table import as_document, as_text, number, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drmbench.vm.lab import Request


def fault_report(write: float, read: float, then: float) -> dict[str, Any]:
    target = {"buffer": "dumb"}
    return {"results": [
        {"target": target, "access": "write", "faults_per_page": write, "prefault_window_pages": 1,
         "stages_ns": {"create": 5, "mmap": 90, "touch": 70}},
        {"target": target, "access": "read", "faults_per_page": read},
        {"target": target, "access": "read-then-write", "faults_per_page": read + then,
         "passes": [{"access": "read", "faults_per_page": read}, {"access": "write", "faults_per_page": then}]},
    ]}


POPULATE = {"results": [{"target": {"buffer": "dumb"}, "strategies": {"map-populate": {"verdict": "no-op"}}}]}


class Lab:
    """Stands in for run_command: writes the reports that the guest's script would move into place."""

    def __init__(self) -> None:
        self.boots: list[tuple[str, ...]] = []
        self.broken: set[str] = set()
        self.dies_after = 99

    def __call__(self, request: Request) -> int:
        self.boots.append(request.devices)
        if self.broken & set(request.devices):
            raise LabError("guest", reason="kernel panic while the drivers loaded: oops")
        paths = re.findall(r"echo '(\S+) ", request.command[2])
        for written, path in enumerate(paths):
            if written == self.dies_after:
                raise KeyboardInterrupt
            report = fault_report(2, 1, 1) if "fault-latency" in path else POPULATE
            with open(path, "w", encoding="utf-8") as file:
                json.dump(report, file)
        return 0


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    image = tmp_path / "vmlinuz"
    image.touch()
    made = Lab()

    def kernel(name: str) -> BootKernel:
        if name == "debian-5.10":
            raise DrmbenchError("vm", f"kernel {name}", reason="the mirror has no suite bullseye")
        return BootKernel(name, f"{name} 6.1.0-1-amd64 (6.1.1-1)", image, tmp_path, image, None)

    monkeypatch.setattr(matrix, "_kernel", kernel)
    monkeypatch.setattr(matrix, "run_command", made)
    return made


def measured(kernels: str = "debian-6.1", devices: str = "vkms,qxl", **more: Any) -> list[matrix.Cell]:
    return list(matrix.run(make_plan(kernels, devices, "4MiB", 3, again=more.get("again", False))))


def test_one_boot_measures_all_devices_of_a_kernel(lab: Lab) -> None:
    cells = measured()
    assert lab.boots == [("vkms", "qxl")]
    assert [(cell.device.name, cell.reason) for cell in cells] == [("vkms", ""), ("qxl", "")]
    assert rows(cells[0])[0].write == 2


def test_finished_cells_are_not_measured_again(lab: Lab) -> None:
    measured(devices="vkms")
    measured()
    assert lab.boots == [("vkms",), ("qxl",)]
    measured(again=True)
    assert lab.boots[-1] == ("vkms", "qxl")


def test_an_interruption_loses_no_finished_cell(lab: Lab) -> None:
    lab.dies_after = 3
    with pytest.raises(KeyboardInterrupt):
        measured()
    lab.dies_after = 99
    assert all(cell.reports for cell in measured())
    assert lab.boots[-1] == ("qxl",)


def test_a_torn_report_counts_as_missing(lab: Lab, tmp_path: Path) -> None:
    measured(devices="vkms")
    report = next((tmp_path / "cache").rglob("vkms.fault-latency.json"))
    report.write_text(report.read_text()[:-9])
    assert measured(devices="vkms")[0].reports
    assert len(lab.boots) == 2


def test_a_device_that_breaks_the_boot_is_left_alone_with_its_reason(lab: Lab) -> None:
    lab.broken = {"qxl"}
    cells = measured()
    assert lab.boots == [("vkms", "qxl"), ("vkms",), ("qxl",)]
    assert [bool(cell.reports) for cell in cells] == [True, False]
    assert cells[1].reason == "guest: kernel panic while the drivers loaded: oops"


def test_a_kernel_that_cannot_be_had_leaves_the_others(lab: Lab) -> None:
    cells = measured("debian-5.10,debian-6.1")
    assert [cell.reason for cell in cells] == ["kernel debian-5.10: the mirror has no suite bullseye"] * 2 + [""] * 2
    assert lab.boots == [("vkms", "qxl")]


def test_the_table_fits_and_tells_everything(lab: Lab) -> None:
    lab.broken = {"radeon"}
    text = as_text(measured("debian-5.10,debian-6.1", "vkms,virtio-gpu,radeon"))
    assert all(len(line) <= 80 for line in text.splitlines())
    heads, first = text.splitlines()[:2]
    assert heads.split() == ["KERNEL", "DEVICE", "BUFFER", "WRITE", "READ", "THEN", "WINDOW", "LARGEST", "POPULATE"]
    assert first.split() == ["6.1", "vkms", "dumb", "2", "1", "1", "1", "mmap", "no-op"]
    assert "6.1 radeon: guest: kernel panic while the drivers loaded: oops" in text
    assert text.endswith("debian-6.1 6.1.0-1-amd64 (6.1.1-1)")


def test_the_document_has_every_report(lab: Lab) -> None:
    plan = make_plan("debian-6.1", "vkms", "4096KiB", 3, again=False)
    document = json.loads(json.dumps(as_document(plan, list(matrix.run(plan)))))
    assert lab.boots
    assert document["parameters"]["size_bytes"] == 4 << 20
    assert document["cells"][0]["rows"][0]["write_after_read"] == 1
    assert set(document["cells"][0]["reports"]) == set(matrix.MEASUREMENTS)


@pytest.mark.parametrize(("what", "said"), [
    (lambda: make_plan("debian-6.2", "", "4MiB", 3, again=False), "did you mean"),
    (lambda: make_plan("", "vkm", "4MiB", 3, again=False), "did you mean vkms"),
    (lambda: make_plan("", "", "4XB", 3, again=False), "--size"),
])
def test_a_mistake_is_a_usage_error(what: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        what()


def test_the_command_prints_the_table_and_writes_the_document(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "matrix.json"
    line = ["vm", "matrix", "--kernels", "debian-6.1", "--devices", "vkms", "--json", str(target)]
    assert cli.run(line) == 0
    assert "vkms" in capfd.readouterr().out
    assert json.loads(target.read_text())["command"] == "vm matrix"
    lab.broken = {"qxl"}
    assert cli.run(["vm", "matrix", "--kernels", "debian-6.1", "--devices", "qxl"]) == 1


def test_markdown_has_a_column_for_each_kernel_and_says_what_is_missing(lab: Lab) -> None:
    lab.broken = {"radeon"}
    text = as_markdown(measured("debian-5.10,debian-6.1,debian-6.12", "vkms,radeon")).splitlines()
    assert text[0] == "| device | buffers | debian-5.10 | 6.1 | 6.1 |"
    assert text[2] == "| vkms | dumb | - | 2 / 1 / 1, mmap, no-op | 2 / 1 / 1, mmap, no-op |"
    assert text[3] == "| radeon | - | - | - | - |"
    assert "debian-6.1 radeon: guest: kernel panic while the drivers loaded: oops." in text


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0, "0"), (2.0, "2"), (0.0625, "1/16"), (0.3, "0.3")])
def test_a_count_per_page_reads_like_a_window(value: float | None, text: str) -> None:
    assert number(value) == text
