# SPDX-License-Identifier: MIT
"""scale on real drivers of 6.1: each worker's faults, exact where they can be, within the window's bounds elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from test_lab_devices import EXPECTED, PAGES, SIZE

LAYOUTS = ("shared-vma-split", "shared-vma-same", "own-vma", "own-buffer", "own-file")


def curves(drmbench: Any, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(layout, kind of worker) -> the curve of a quick scale."""
    ran = drmbench("scale", "--size", SIZE, "--runs", "1", "--no-baseline", "--json", "-", *arguments)
    assert ran.status == 0, ran.err
    assert "unexpected-faults" not in {caveat["id"] for caveat in ran.json["caveats"]}, ran.json["caveats"]
    return {(result["layout"], result["worker_kind"]): result for result in ran.json["results"]}


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """One run a driver serves all tests of TestShmem."""
    return {}


class TestShmem:
    """One page a fault: each worker takes exactly its own."""

    @pytest.fixture
    def measured(self, drmbench: Any, driver: str, kept: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
        if driver not in kept:
            kept[driver] = curves(drmbench, "--device", driver, "--layout", "all", "--threads", "2,3",
                                  "--processes", "2,3")
        found = kept[driver]
        assert isinstance(found, dict)
        return found

    @pytest.mark.parametrize("kind", ["threads", "processes"])
    @pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "shared-vma-same"])
    def test_each_takes_the_faults_of_its_part(self, measured: Any, layout: str, kind: str) -> None:
        points = measured[layout, kind]["points"]
        assert [point["faults_per_worker"] for point in points] == [[256], [128, 128], [85, 85, 86]]
        assert all(point["hit_ns"]["n"] == 0 and point["fault_ns"]["n"] == PAGES for point in points)

    def test_processes_take_all_of_the_same_pages(self, measured: Any) -> None:
        points = measured["shared-vma-same", "processes"]["points"]
        assert [point["faults_per_worker"] for point in points] == [[256], [256] * 2, [256] * 3]

    def test_threads_share_the_faults_of_the_same_pages(self, measured: Any) -> None:
        for point in measured["shared-vma-same", "threads"]["points"]:
            assert PAGES <= point["faults"] <= PAGES * point["workers"]

    def test_the_second_mapping_faults_likewise(self, drmbench: Any, driver: str) -> None:
        found = curves(drmbench, "--device", driver, "--layout", "own-vma", "--threads", "2", "--phase", "warm")
        assert found["own-vma", "threads"]["points"][1]["faults_per_worker"] == [128, 128]

    def test_beside_memfd(self, drmbench: Any, driver: str) -> None:
        ran = drmbench("scale", "--device", driver, "--size", SIZE, "--runs", "1", "--threads", "2")
        assert ran.status == 0, ran.err
        assert max(map(len, ran.out.splitlines())) <= 80
        assert "emulated" in ran.out
        rows = [line.split() for line in ran.out.splitlines() if line.startswith((driver, "memfd "))]
        assert {row[0] for row in rows} == {driver, "memfd"}
        assert all(row[-1].endswith("x") for row in rows if row[0] == driver)


class TestLab:
    @pytest.mark.parametrize("lab_driver", ["vkms", "vgem", "bochs-drm", "amdgpu"])
    def test_faults_of_all_workers_within_the_window(self, drmbench: Any, lab_driver: str) -> None:
        kind, mapping = next(iter(EXPECTED[lab_driver].items()))
        found = curves(drmbench, "--device", lab_driver, "--buffer", kind, "--layout", "shared-vma-split,own-buffer",
                       "--threads", "4", "--processes", "4")
        for (layout, workers), curve in found.items():
            one, four = curve["points"]
            assert one["faults"] == mapping.write, (layout, workers)
            # 64 pages for each: whole windows, so that nobody needs one more; the whole object is one a buffer.
            whole = mapping.window == PAGES
            apart = layout == "own-buffer" or workers == "processes"
            most = 4 if whole else mapping.write
            assert (most if apart else 1 if whole else mapping.write) <= four["faults"] <= most, (layout, workers)
            assert four["efficiency"] is None if mapping.write == 0 else four["efficiency"] > 0
