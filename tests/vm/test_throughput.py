# SPDX-License-Identifier: MIT
"""bandwidth and lifecycle on real mappings of 6.1: every byte moved, no fault once touched, nothing left behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from drmbench.conformance import memory
from drmbench.model import LIFE_OPERATIONS, SWEEPS
from drmbench.sweep import sweep, ways
from drmbench.targets import find_targets
from drmbench.vma import vmas
from drmbench.workloads.live_buffers import LiveBuffers, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.targets import Target

DRIVERS = ("vkms", "vgem", "bochs-drm", "amdgpu")
BYTES = 256 << 10
ALL = ways(SWEEPS, stores=True)


def target_of(name: str) -> Target:
    """The last back-end of the driver: its own uAPI, or dumb buffers where there is none."""
    return find_targets([name], writing=True, floor=False)[0][-1]


def of_nodes() -> int:
    """How many DRM mappings this process has."""
    return sum("/dev/dri" in vma.path or "dmabuf" in vma.path for vma in vmas())


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert of_nodes() == 0
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("name", DRIVERS)
class TestSweeps:
    def test_each_one_moves_every_byte(self, name: str) -> None:
        target = target_of(name)
        with target.open() as backend, LiveBuffers(target, target.kinds[0], BYTES, backend) as live:
            live.grow(2)
            (_first, mapping), (_second, other) = live._alive
            place = other.address  # the copies' other end is a mapping too
            for number, (operation, access) in enumerate(ALL):
                way = f"{operation} {access}"
                source = place if operation == "copy-to" else mapping.address
                memory.fill(source, BYTES, number)
                found, _stage = sweep(operation, access, mapping.address, BYTES, outside=place, value=number + 1)
                if operation == "read":
                    assert found == sum(memoryview(memory.read(mapping.address, BYTES)).cast("Q")) % 2**64, way
                elif operation == "write":
                    words = memoryview(memory.read(mapping.address, BYTES)).cast("Q")
                    assert words.tolist() == list(range(number + 1, number + 1 + BYTES // 8)), way
                elif operation == "fill":
                    assert memory.other_than(number + 1, mapping.address, BYTES) is None, way
                else:
                    assert memory.difference(mapping.address, BYTES, number) is None, way
                    assert memory.difference(place, BYTES, number) is None, way


class TestBandwidth:
    @pytest.mark.parametrize("name", DRIVERS)
    def test_nothing_faults_once_every_page_was_touched(self, drmbench: Any, name: str) -> None:
        ran = drmbench("bandwidth", "--device", name, "--buffer", "all", "--size", "256KiB", "--runs", "2",
                       "--operations", "read,fill,copy-from", "--no-baseline", "--json", "-")
        assert ran.status == 0, ran.err
        document = ran.json
        for result in document["results"]:
            assert {p["faults"] for p in result["passes"]} == {0}, result["target"]["buffer"]
            assert result["problems"] == {}
            assert result["checked_bytes"] == BYTES
            assert result["caching"]["mode"] is None
            if document["environment"]["emulated"]:
                assert "emulated CPU" in result["caching"]["text"]
        assert "not-steady" not in {c["id"] for c in document["caveats"]}

    def test_beside_anon_and_the_machines_limits(self, drmbench: Any) -> None:
        ran = drmbench("bandwidth", "--device", "vkms", "--size", "256KiB", "--runs", "1", "--json", "-")
        vkms, anon, _memfd = ran.json["results"]
        assert [(p["operation"], p["access"]) for p in vkms["passes"]] == ALL
        assert anon["stream"]["wrong_elements"] == 0


class TestLifecycle:
    @pytest.mark.parametrize("name", DRIVERS)
    def test_every_call_is_counted(self, drmbench: Any, name: str) -> None:
        ran = drmbench("lifecycle", "--device", name, "--sizes", "4KiB,64KiB", "--live", "1,50", "--cycles", "5",
                       "--runs", "2", "--json", "-")
        assert ran.status == 0, ran.err
        for result in ran.json["results"]:
            assert {each["calls"] for each in result["operations"]} == {10}
            assert {each["faults"] for each in result["operations"]} == {0}
            if result["target"]["kind"] == "drm":
                shared = set() if result["problems"] else {"export", "import"}
                assert {each["operation"] for each in result["operations"]} == (
                    set(LIFE_OPERATIONS) - {"export", "import"} | shared
                )

    def test_vkms_and_vgem_share_between_open_files(self, drmbench: Any) -> None:
        for name in ("vkms", "vgem"):
            ran = drmbench("lifecycle", "--device", name, "--sizes", "4KiB", "--live", "1", "--cycles", "2",
                           "--runs", "1", "--no-baseline", "--json", "-")
            (result,) = ran.json["results"]
            assert result["problems"] == {}
            assert [each["operation"] for each in result["operations"]] == list(LIFE_OPERATIONS)

    def test_ten_thousand_live_on_vgem(self, drmbench: Any) -> None:
        ran = drmbench("lifecycle", "--device", "vgem", "--sizes", "4KiB", "--live", "1,10000", "--cycles", "20",
                       "--runs", "1", "--no-baseline", "--json", "-")
        assert ran.status == 0, ran.err
        one, many = ran.json["results"]
        assert (one["live_buffers"], many["live_buffers"]) == (1, 10000)
        assert 9999 - 100 <= many["vmas"] - one["vmas"] <= 9999 + 100  # Python's own heap comes and goes

    @pytest.mark.parametrize("name", DRIVERS)
    def test_every_handle_is_given_back(self, name: str) -> None:
        target = target_of(name)
        with opened(target, target.kinds[0]) as (backend, sharing):
            with LiveBuffers(target, target.kinds[0], 4096, backend) as live:
                live.grow(70)
                assert (len(live), of_nodes()) == (70, 70)
                live.live_once(None if name == "bochs-drm" else sharing)  # bochs has no PRIME on this kernel
                assert len({buffer.handle for buffer, _mapping in live._alive}) == 70
            made, _stage = backend.create(target.kinds[0], 4096)
            assert made.handle == 1  # the lowest that is free: idr_alloc() in drm_gem_handle_create_tail()
            backend.destroy(made)
