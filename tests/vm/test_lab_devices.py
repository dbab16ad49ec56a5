# SPDX-License-Identifier: MIT
"""Every device of the lab on 6.1: each driver's way of mapping, by exact counts, for every buffer kind.

DRMBENCH_REQUIRE_LAB names the drivers that the machine was booted with; each of them must be here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pytest

PAGES = 256
SIZE = "1MiB"


@dataclass(frozen=True)
class Mapping:
    """What a mechanism costs for 256 pages: write, read, then read and write one after the other."""

    mechanism: str
    write: int
    read: int
    after_read: int
    window: int | None
    populate: str


SHMEM = Mapping("GEM shmem", 256, 256, 0, 1, "no-op")
TTM = Mapping("TTM", 16, 16, 0, 16, "no-op")
DMA = Mapping("GEM DMA helper", 0, 0, 0, None, "moot")
ETNAVIV = Mapping("own fault handler", 256, 256, 0, 1, "no-op")
WHOLE = Mapping("whole object", 1, 1, 0, PAGES, "no-op")
# GEM_MMAP maps the shmem file itself: no fake offset, and no flags for mmap().
LEGACY = Mapping("kernel shmem", 256, 256, 0, 1, "refused")

# Driver -> buffer kind -> mapping, as measured on Debian's 6.1. A kind that is not here must be refused.
EXPECTED: dict[str, dict[str, Mapping]] = {
    "vkms": {"dumb": SHMEM, "prime:dumb": SHMEM},
    "vgem": {"dumb": SHMEM, "prime:dumb": SHMEM},
    "virtio_gpu": {"dumb": SHMEM, "prime:dumb": SHMEM},
    "cirrus": {"dumb": SHMEM, "prime:dumb": SHMEM},
    "bochs-drm": {"dumb": TTM},
    "qxl": {"dumb": TTM, "gem:vram": TTM, "gem:surface": TTM},
    "radeon": {"dumb": TTM, "gem:vram": TTM, "gem:cpu": TTM, "prime:dumb": TTM, "prime:gem:vram": TTM,
               "prime:gem:cpu": TTM},
    "etnaviv": {"gem:cached": ETNAVIV, "gem:wc": ETNAVIV, "gem:uncached": ETNAVIV, "prime:gem:cached": ETNAVIV,
                "prime:gem:wc": ETNAVIV, "prime:gem:uncached": ETNAVIV},
    "mi0283qt": {"dumb": DMA, "prime:dumb": DMA},
    "ili9341": {"dumb": DMA, "prime:dumb": DMA},
    "amdgpu": {"dumb": TTM, "gem:vram": TTM, "gem:gtt": TTM, "gem:gtt-uswc": TTM, "gem:cpu": TTM, "prime:dumb": TTM,
               "prime:gem:vram": TTM, "prime:gem:gtt": TTM, "prime:gem:gtt-uswc": TTM, "prime:gem:cpu": TTM},
    "xe": {"dumb": TTM, "gem:system-wb": TTM, "gem:system-wc": TTM, "gem:vram": TTM, "prime:dumb": TTM,
           "prime:gem:system-wb": TTM, "prime:gem:system-wc": TTM, "prime:gem:vram": TTM},
    "i915": {"gem:wb": WHOLE, "gem:wc": WHOLE, "gem:uc": WHOLE, "gem:legacy": LEGACY},
}
SIMULATED = {"etnaviv", "mi0283qt", "ili9341", "amdgpu", "xe", "i915"}
LAB = [name for name in os.environ.get("DRMBENCH_REQUIRE_LAB", ",".join(EXPECTED)).split(",") if name]


@pytest.fixture(scope="module")
def measured() -> dict[tuple[str, str], Any]:
    """One run a driver and command serves all tests."""
    return {}


def report(drmbench: Any, measured: dict[tuple[str, str], Any], command: str, lab_driver: str) -> dict[str, Any]:
    """The report of a command on every buffer kind of a driver."""
    if (command, lab_driver) not in measured:
        extra = ("--access", "all", "--phase", "cold") if command == "fault-latency" else ()
        ran = drmbench(command, "--device", lab_driver, "--buffer", "all", "--size", SIZE, "--runs", "1",
                       "--no-baseline", "--json", "-", *extra)
        assert ran.status == 0, ran.err
        measured[command, lab_driver] = ran.json
    found = measured[command, lab_driver]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("lab_driver", LAB)
class TestLab:
    def test_the_kernel_is_the_one_of_the_table(self, lab_driver: str) -> None:
        assert os.uname().release.startswith("6.1."), f"the counts of {lab_driver} are those of 6.1"

    def test_every_kind_is_mapped_as_expected(self, drmbench: Any, measured: Any, lab_driver: str) -> None:
        seen: dict[str, dict[str, list[int]]] = {}
        for result in report(drmbench, measured, "fault-latency", lab_driver)["results"]:
            faults = [touch_pass["faults"] for touch_pass in result["passes"]]
            seen.setdefault(result["target"]["buffer"], {})[result["access"]] = faults
            assert result["prefault_window_pages"] == EXPECTED[lab_driver][result["target"]["buffer"]].window
        assert seen == {
            kind: {"write": [m.write], "read": [m.read], "read-then-write": [m.read, m.after_read]}
            for kind, m in EXPECTED[lab_driver].items()
        }

    def test_the_oracle_names_the_mechanism(self, drmbench: Any, measured: Any, lab_driver: str) -> None:
        document = report(drmbench, measured, "fault-latency", lab_driver)
        for result in document["results"]:
            assert result["mechanism"]["name"] == EXPECTED[lab_driver][result["target"]["buffer"]].mechanism
        objections = {"double-fault", "unexpected-prefault", "unexplained-faults", "fault-map-mismatch"}
        assert not objections & {caveat["id"] for caveat in document["caveats"]}

    def test_populate_does_what_the_flags_say(self, drmbench: Any, measured: Any, lab_driver: str) -> None:
        results = report(drmbench, measured, "compare-populate", lab_driver)["results"]
        assert {r["target"]["buffer"]: r["strategies"]["map-populate"]["verdict"] for r in results} == {
            kind: mapping.populate for kind, mapping in EXPECTED[lab_driver].items()
        }

    def test_what_is_made_up_is_labelled(self, drmbench: Any, measured: Any, lab_driver: str) -> None:
        caveats = report(drmbench, measured, "fault-latency", lab_driver)["caveats"]
        labelled = any(caveat["id"] == "simulated-driver" for caveat in caveats)
        assert labelled == (lab_driver in SIMULATED)
