# SPDX-License-Identifier: MIT
"""Evidence as explain gathers it, made up from what was measured on real kernels; tests change single pieces of it."""

from __future__ import annotations

from typing import Any

import msgspec

from drmbench.model import (
    AfterClose,
    ClockInfo,
    ComparePopulateResult,
    Conclusion,
    Distribution,
    Environment,
    ExplainReport,
    ExplainResult,
    FaultLatencyResult,
    FaultRun,
    ForkedChild,
    HelperModules,
    HistogramBin,
    HugeProbe,
    Parameters,
    Payment,
    PerStage,
    StrategyFaults,
    StrategyResult,
    TargetInfo,
    TouchPass,
    VmaInfo,
)
from drmbench.model import FaultGroup as Group
from drmbench.oracle import conclude

PAGES = 1024
PAGE = 4096
START = 0x7F00_0000_0000
CLOCK = ClockInfo("tsc", 10, 1)
EMPTY = Distribution(0, None, None, None, None, None, None)
HELPERS = ["drm_shmem_helper", "drm_dma_helper", "ttm"]

# What arrives when: mmap, first touch, other touches of the first mapping in us; a second mapping costs (10, 1, 300).
ARRIVALS = {"before mmap": (10, 1, 310), "mmap": (900, 1, 320), "first touch": (10, 900, 320),
            "each touch": (10, 2, 1400), None: (10, 200, 500)}
FLAGS = "rd wr sh mr mw ms "


def windows(faults: int, window: int | None, pages: int = PAGES) -> list[Group]:
    """The fault map of a pass whose every fault maps `window` pages."""
    if not faults or window is None:
        return [Group(1, [FaultRun(0, pages)])]
    if window == 1:
        return [Group(1, [FaultRun(faults // pages, pages)])]
    return [Group(pages // window, [FaultRun(1, 1), FaultRun(0, window - 1)])]


def touch(
    target: TargetInfo, access: str, faults: list[int], window: int | None, flags: list[str], private: str | None,
    phase: str = "cold",
) -> FaultLatencyResult:
    """A fault-latency result with these counts of its passes."""
    names = ["read", "write"] if access == "read-then-write" else [access]
    passes = [
        TouchPass(name, count, count / PAGES, window if index == 0 else None, 50_000,  # type: ignore[arg-type]
                  windows(count, window if index == 0 else 1))
        for index, (name, count) in enumerate(zip(names, faults, strict=True))
    ]
    total = sum(faults)
    return FaultLatencyResult(
        target=target, size_bytes=PAGES * PAGE, pages=PAGES, access=access,  # type: ignore[arg-type]
        order="sequential", phase=phase, runs=3, faults=PerStage(0, 0, 0, total, 0, 0),  # type: ignore[arg-type]
        faults_per_page=total / PAGES, prefault_window_pages=window,
        stages_ns=PerStage(20_000, 2_000, 900_000 if phase == "cold" else 10_000, 320_000, 60_000, 40_000),
        ns_per_page=312.5, fault_ns=Distribution(total, 200, 290, 400, 900, 2000, 9000) if total else EMPTY,
        hit_ns=EMPTY if total else Distribution(PAGES, 1, 2, 3, 4, 5, 6), vm_flags=flags, clock=CLOCK, passes=passes,
        histogram=[HistogramBin(178, 237, 40), HistogramBin(237, 316, 900), HistogramBin(316, 422, 0),
                   HistogramBin(422, 562, 84)],
        private_mapping=private,
    )


def populate(target: TargetInfo, faults: int, flags: list[str]) -> ComparePopulateResult:
    """Strategies as they do on a PFN mapping."""
    def strategy(verdict: str, at: StrategyFaults, errno: str | None = None) -> StrategyResult:
        reason = "the mapping is VM_PFNMAP" if verdict != "real" else "a touch loop populates"
        return StrategyResult(verdict, reason, errno, at, 900_000, 100_000, 320_000, 1_320_000, 1.0)  # type: ignore[arg-type]

    lazily = StrategyFaults(0, 0, faults)
    return ComparePopulateResult(target, PAGES * PAGE, PAGES, "write", flags, {
        "lazy": strategy("no-op" if faults else "moot", lazily),
        "map-populate": strategy("no-op" if faults else "moot", lazily),
        "madv-populate-read": strategy("refused", lazily, "EINVAL"),
        "madv-populate-write": strategy("refused", lazily, "EINVAL"),
        "mlock": strategy("no-op" if faults else "moot", lazily),
        "touch": strategy("real", StrategyFaults(0, faults, 0)),
    }, runs=3, clock=CLOCK)


def evidence(
    flags: str, write: int, read: int, after_read: int, window: int | None, backwards: int, *,
    private: str | None = "EINVAL", arrives: str | None = None, child: int | None = 0, links: list[str] | None = None,
    driver: str = "made-up", kind: str = "drm", huge: tuple[int, int] | None = None, arch: str = "x86_64",
) -> ExplainResult:
    """An explain result with its conclusion; `links` None: the driver is built in. `huge`: faults aligned, shifted."""
    node = "/dev/dri/card0" if kind == "drm" else None
    target = TargetInfo(kind, node, driver, "made up", "dumb")  # type: ignore[arg-type]
    letters = f"{FLAGS}{flags}".split()
    first, again = ARRIVALS[arrives], (10, 1, 300)
    found = ExplainResult(
        target=target, size_bytes=PAGES * PAGE, pages=PAGES, runs=3, offset_bytes=0x1_0000_0000,
        vma=VmaInfo(START, START + PAGES * PAGE, "rw-s", 0x1_0000_0000, "00:05", 111, "/dev/dri/card0", letters, 0, 0,
                    PAGE),
        touches=[
            touch(target, "write", [write], window, letters, private),
            touch(target, "write", [write], window, letters, private, "warm"),
            touch(target, "read", [read], window, letters, private),
            touch(target, "read-then-write", [read, after_read], window, letters, private),
        ],
        descending_faults=backwards,
        first_mapping=Payment(*(us * 1000 for us in first)), second_mapping=Payment(*(us * 1000 for us in again)),
        populate=populate(target, write, letters), after_close=AfterClose(write // 2, "kept"),
        child=None if child is None else ForkedChild(child, child), private_mapping=private,
        huge=None if huge is None else HugeProbe(
            PAGES * PAGE, 512 * PAGE, huge[0], 512 if huge[0] < 3 else 1, huge[1], 1, 0),
        helpers=None if links is None else HelperModules("made_up", links, HELPERS),
        problems={} if huge is not None else {"huge": "no memory"}, conclusion=Conclusion([], [], [], ""),
    )
    return msgspec.structs.replace(found, conclusion=conclude(found, arch))


SHMEM: dict[str, Any] = {"private": "EINVAL", "arrives": "mmap", "links": ["drm_shmem_helper"]}
TTM: dict[str, Any] = {"private": "EINVAL", "arrives": "first touch", "links": ["drm_ttm_helper", "ttm"]}

# Driver and kernel -> what was measured there, and the mechanism it has.
MEASURED: dict[str, tuple[str, ExplainResult]] = {
    "vkms 6.1": ("GEM shmem", evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, **SHMEM)),
    "virtio_gpu 6.12": ("GEM shmem", evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, private="EINVAL",
                                              arrives="before mmap", links=["drm_shmem_helper"])),
    "vgem 7.3": ("GEM shmem, stores tracked", evidence("pf de dd sd", 2048, 1024, 1024, 1, 2048, **SHMEM)),
    "cirrus 5.10": ("GEM shmem, pages inserted", evidence("de sd mm", 1024, 1024, 0, 1, 1024, private="EINVAL",
                                                          arrives="mmap")),
    "qxl 6.1": ("TTM", evidence("pf io de dd sd", 64, 64, 0, 16, 1024, **TTM)),
    "radeon 5.10": ("TTM", evidence("io de dd sd mm", 64, 64, 0, 16, 1024, private="accepted", links=["ttm"])),
    "etnaviv 6.1": ("own fault handler", evidence("io de dd sd mm", 1024, 1024, 0, 1, 1024, private="accepted",
                                                  arrives="first touch", links=[])),
    "etnaviv 6.12": ("own fault handler", evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, private="accepted",
                                                   arrives="first touch", links=[])),
    "vkms 5.10": ("own fault handler, a page at a time",
                  evidence("pf io de dd sd", 1024, 1024, 0, 1, 1024, private="accepted", arrives="each touch",
                           links=[])),
    "vgem 5.10": ("own fault handler, a page at a time",
                  evidence("de dd sd", 1024, 1024, 0, 1, 1024, private="accepted", arrives="each touch", child=1024,
                           links=[])),
    "mi0283qt 6.1": ("GEM DMA helper", evidence("pf io de ar dd sd", 0, 0, 0, None, 0, private="accepted",
                                                arrives="before mmap", links=["drm_dma_helper"])),
    "i915 6.1": ("whole object", evidence("pf io de dd sd", 1, 1, 0, 1024, 1, private="accepted",
                                          arrives="first touch", links=[])),
    "memfd": ("kernel shmem", evidence("me sd", 1024, 1024, 0, 1, 1024, private="accepted", child=17, kind="baseline",
                                       driver="memfd")),
}


def report(*results: ExplainResult) -> ExplainReport:
    """A report of these results."""
    environment = Environment("6.1.0-1-amd64", "x86_64", "made up", PAGE, "qemu-tcg", True, "never", "never", "none", 1,
                              1 << 30, "0.1.0", "2026-01-01T00:00:00+00:00")
    parameters = Parameters([], None, PAGES * PAGE, ["write"], "sequential", 3, 1, None)
    return ExplainReport(1, environment, parameters, list(results), [])
