# SPDX-License-Identifier: MIT
"""GEM shmem drivers on a real kernel: exact fault counts, and where the cost is paid."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PAGES, SIZE

if TYPE_CHECKING:
    from drmbench.device import DrmDevice


def results(drmbench: Any, *arguments: str) -> list[dict[str, Any]]:
    """The DRM results of a run."""
    ran = drmbench("fault-latency", "--size", SIZE, "--runs", "3", "--no-baseline", "--json", "-", *arguments)
    assert ran.status == 0, ran.err
    found = ran.json["results"]
    assert all(r["target"]["kind"] == "drm" for r in found)
    assert isinstance(found, list)
    return found


class TestCounts:
    """On 6.1 a GEM shmem mapping faults once a page, whatever the access; populate or huge pages play no part."""

    @pytest.mark.parametrize("access", ["write", "read"])
    def test_1024_pages_take_1024_faults(self, drmbench: Any, driver: str, access: str) -> None:
        for result in results(drmbench, "--device", driver, "--access", access):
            assert result["faults"]["touch"] == PAGES
            assert result["faults_per_page"] == 1
            assert result["prefault_window_pages"] == 1
            assert (result["fault_ns"]["n"], result["hit_ns"]["n"]) == (3 * PAGES, 0)

    def test_a_write_after_a_read_faults_no_more(self, drmbench: Any, driver: str) -> None:
        cold = results(drmbench, "--device", driver, "--access", "read-then-write", "--phase", "cold")[0]
        assert [p["faults"] for p in cold["passes"]] == [PAGES, 0]

    @pytest.mark.parametrize("order", ["reverse", "random", "stride:16"])
    def test_the_order_does_not_matter(self, drmbench: Any, driver: str, order: str) -> None:
        cold = results(drmbench, "--device", driver, "--order", order, "--phase", "cold")[0]
        assert (cold["faults"]["touch"], cold["prefault_window_pages"]) == (PAGES, 1)

    def test_only_the_touch_faults(self, drmbench: Any, driver: str) -> None:
        cold = results(drmbench, "--device", driver, "--phase", "cold")[0]
        assert {stage: n for stage, n in cold["faults"].items() if n} == {"touch": PAGES}

    def test_the_flags_are_those_of_a_pfn_mapping(self, drmbench: Any, driver: str) -> None:
        flags = set(results(drmbench, "--device", driver, "--phase", "cold")[0]["vm_flags"])
        assert {"sh", "wr", "pf", "de", "dd"} <= flags


class TestCost:
    def test_the_first_mmap_pays_for_the_pages(self, drmbench: Any, driver: str) -> None:
        cold, warm = results(drmbench, "--device", driver)
        assert (cold["phase"], warm["phase"]) == ("cold", "warm")
        assert cold["stages_ns"]["mmap"] > 5 * warm["stages_ns"]["mmap"]

    def test_the_screen_says_so(self, drmbench: Any, device: DrmDevice) -> None:
        ran = drmbench("fault-latency", "--device", device.primary, "--size", SIZE, "--runs", "2")
        assert ran.status == 0
        assert max(len(line) for line in ran.out.splitlines()) <= 80
        finding = " ".join(ran.out.split())
        assert f"{device.driver.name} {os.path.basename(device.primary)} dumb, write, cold: a touch" in finding
        assert "is paid in mmap" in finding
        assert "memfd, all stages" in finding


class TestSpecs:
    """All the ways to name a device lead to the same one."""

    def test_node_driver_and_filters(self, drmbench: Any, device: DrmDevice) -> None:
        for spec in (device.primary, f"drm:{device.primary}", f"sys:{device.sysfs}", device.driver.name):
            (result,) = results(drmbench, "--device", spec, "--phase", "cold")
            assert result["target"]["node"] == device.primary
            assert result["target"]["driver"] == device.driver.name

    @pytest.mark.parametrize("variable", ["DRMBENCH_DEVICE", "IGT_DEVICE"])
    def test_the_environment(
        self, drmbench: Any, device: DrmDevice, variable: str, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(variable, f"drm:{device.primary}")
        assert {r["target"]["node"] for r in results(drmbench, "--phase", "cold")} == {device.primary}

    def test_by_default_every_node_and_the_floor(self, drmbench: Any, device: DrmDevice) -> None:
        ran = drmbench("fault-latency", "--size", SIZE, "--runs", "1", "--phase", "cold", "--json", "-")
        assert ran.status == 0
        drivers = [r["target"]["driver"] for r in ran.json["results"]]
        assert device.driver.name in drivers
        assert drivers[-2:] == ["anon", "memfd"]


class TestHonesty:
    def test_an_emulated_cpu_is_confessed(self, drmbench: Any, driver: str) -> None:
        document = drmbench("fault-latency", "--device", driver, "--size", SIZE, "--runs", "1", "--json", "-").json
        emulated = os.environ["DRMBENCH_VM_ACCEL_USED"] == "tcg"
        assert document["environment"]["emulated"] is emulated
        assert ("emulated-cpu" in {c["id"] for c in document["caveats"]}) is emulated

    def test_the_lab_kernel_is_named_in_full(self, drmbench: Any, driver: str) -> None:
        document = drmbench("fault-latency", "--device", driver, "--size", SIZE, "--runs", "1", "--json", "-").json
        assert document["environment"]["kernel"] == os.uname().release
        assert document["environment"]["lab_kernel"]

    def test_more_than_the_guest_has_is_refused(self, drmbench: Any, driver: str) -> None:
        ran = drmbench("fault-latency", "--device", driver, "--size", "64GiB")
        assert ran.status == 1
        assert "ENOMEM" in ran.err

    def test_nothing_stays_open(self, drmbench: Any, device: DrmDevice) -> None:
        before = set(os.listdir("/proc/self/fd"))
        drmbench("fault-latency", "--device", device.primary, "--size", SIZE, "--runs", "1")
        drmbench("fault-latency", "--device", device.primary, "--size", "64GiB")
        assert set(os.listdir("/proc/self/fd")) == before
