# SPDX-License-Identifier: MIT
"""The fault oracle: it names what the measured kernels did, and objects to what no kernel does."""

from __future__ import annotations

import msgspec
import pytest

from drmbench.model import (
    ClockInfo,
    ComparePopulateResult,
    Distribution,
    FaultLatencyResult,
    PerStage,
    StrategyFaults,
    StrategyResult,
    TargetInfo,
    TouchPass,
)
from drmbench.oracle import mechanism_of, objections, populate_objections
from drmbench.stats import EMPTY

PAGES = 1024
SHMEM = "rd wr sh mr mw ms pf de dd sd"
OLD_SHMEM = "rd wr sh mr mw me ms de sd mm"
TTM = "rd wr sh mr mw ms pf io de dd sd"
OLD_TTM = "rd wr sh mr mw ms io de dd sd mm"
ETNAVIV = "rd wr sh mr mw me ms io de dd sd mm"
PLAIN = "rd wr sh mr mw me ms sd"


def result(
    access: str, faults: list[int], window: int | None, flags: str, *, driver: str = "made-up",
) -> FaultLatencyResult:
    """A result as if measured: faults of each pass over 1024 pages."""
    names = ["read", "write"] if access == "read-then-write" else [access]
    passes = [
        TouchPass(name, count, count / PAGES, window if index == 0 else None, 1)  # type: ignore[arg-type]
        for index, (name, count) in enumerate(zip(names, faults, strict=True))
    ]
    stage = PerStage(0, 0, 0, sum(faults), 0, 0)
    return FaultLatencyResult(
        TargetInfo("drm", "/dev/dri/card0", driver, "", "dumb"), PAGES * 4096, PAGES, access,  # type: ignore[arg-type]
        "sequential", "cold", 3, stage, sum(faults) / PAGES, window, stage, 1.0,
        Distribution(sum(faults), 1, 1, 1, 1, 1, 1), EMPTY, flags.split(), ClockInfo("tsc", 1, 1), passes,
    )


class TestKnownMechanisms:
    """Counts and flags as they were measured on real kernels."""

    @pytest.mark.parametrize(("name", "flags", "write", "read", "both", "window"), [
        ("GEM shmem", SHMEM, 1024, 1024, [1024, 0], 1),
        ("GEM shmem, stores tracked", SHMEM, 2048, 1024, [1024, 1024], 1),
        ("GEM shmem, pages inserted", OLD_SHMEM, 1024, 1024, [1024, 0], 1),
        ("TTM", TTM, 64, 64, [64, 0], 16),
        ("TTM", OLD_TTM, 64, 64, [64, 0], 16),
        ("own fault handler", ETNAVIV, 1024, 1024, [1024, 0], 1),
        ("own fault handler, no hardware dirty bit", ETNAVIV, 2048, 1024, [1024, 1024], 1),
        ("whole object", SHMEM, 1, 1, [1, 0], 1024),
        ("kernel shmem", PLAIN, 1024, 1024, [1024, 0], 1),
    ])
    def test_each_is_named(
        self, name: str, flags: str, write: int, read: int, both: list[int], window: int,
    ) -> None:
        for access, faults in (("write", [write]), ("read-then-write", both)):
            found = mechanism_of(result(access, faults, window, flags))
            assert found is not None
            assert found.name == name
            assert found.source
        assert not list(objections("x", result("read", [read], window, flags)))

    def test_mapped_whole_in_mmap(self) -> None:
        for access, faults in (("write", [0]), ("read", [0]), ("read-then-write", [0, 0])):
            found = mechanism_of(result(access, faults, None, TTM))
            assert found is not None
            assert found.name == "GEM DMA helper"

    def test_a_known_change_names_its_commit(self) -> None:
        found = mechanism_of(result("write", [2048], 1, SHMEM))
        assert found is not None
        assert "28e3918179aa" in found.source

    def test_windows_that_lie_across_the_ends_take_one_fault_more(self) -> None:
        found = mechanism_of(result("read", [65], 16, PLAIN))
        assert found is not None
        assert found.name == "kernel shmem, fault-around"


class TestObjections:
    """Fed wrong counts, it says so, and names the kind of wrong."""

    @pytest.mark.parametrize(("access", "faults", "window", "flags", "identity"), [
        ("write", [3072], 1, SHMEM, "double-fault"),
        ("write", [2048], 1, PLAIN, "double-fault"),
        ("write", [128], 8, SHMEM, "unexpected-prefault"),
        ("write", [70], 16, TTM, "unexpected-prefault"),
        ("read", [1000], 1, SHMEM, "unexplained-faults"),
        ("write", [1024], 1, "", "nothing"),
        ("write", [0], None, SHMEM.replace("pf ", ""), "unexplained-faults"),
        ("read-then-write", [1024, 7], 1, SHMEM, "double-fault"),
    ])
    def test_wrong_counts(
        self, access: str, faults: list[int], window: int | None, flags: str, identity: str,
    ) -> None:
        found = [caveat.id for caveat in objections("x", result(access, faults, window, flags))]
        assert found == ([] if identity == "nothing" else [identity])

    def test_a_file_is_left_to_its_file_system(self) -> None:
        assert not list(objections("x", result("write", [3000], 1, PLAIN, driver="file")))

    def test_no_number_is_touched(self) -> None:
        measured = result("write", [3072], 1, SHMEM)
        before = msgspec.json.encode(measured)
        list(objections("x", measured))
        mechanism_of(measured)
        assert msgspec.json.encode(measured) == before

    def test_half_a_populate(self) -> None:
        def strategy(touch: int) -> StrategyResult:
            return StrategyResult("real", "", None, StrategyFaults(0, 0, touch), 1, 1, 1, 3, 1.0)

        compared = ComparePopulateResult(
            TargetInfo("drm", None, "x", "", "dumb"), PAGES * 4096, PAGES, "write", [],
            {"lazy": strategy(1024), "touch": strategy(0), "map-populate": strategy(300), "mlock": strategy(1024)},
        )
        (caveat,) = populate_objections("x", compared)
        assert caveat.id == "partial-populate"
        assert "map-populate: 300 of 1024" in caveat.message
