# SPDX-License-Identifier: MIT
"""The fault oracle: it names what the measured kernels did, and objects to what no kernel does."""

from __future__ import annotations

from functools import partial

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
from drmbench.oracle import mechanism_of as mechanism_on
from drmbench.oracle import objections as objections_on
from drmbench.oracle import populate_objections
from drmbench.stats import EMPTY

mechanism_of = partial(mechanism_on, arch="x86_64")
objections = partial(objections_on, arch="x86_64")

PAGES = 1024
SHMEM = "rd wr sh mr mw ms pf de dd sd"
OLD_SHMEM = "rd wr sh mr mw me ms de sd mm"
TTM = "rd wr sh mr mw ms pf io de dd sd"
OLD_TTM = "rd wr sh mr mw ms io de dd sd mm"
ETNAVIV = "rd wr sh mr mw me ms io de dd sd mm"
OLD_VKMS = "rd wr sh mr mw me ms pf io de dd sd"
OLD_VGEM = "rd wr sh mr mw me ms de dd sd"
PLAIN = "rd wr sh mr mw me ms sd"


def result(
    access: str, faults: list[int], window: int | None, flags: str, *, driver: str = "made-up",
    private: str | None = None,
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
        private_mapping=private,
    )


class TestKnownMechanisms:
    """Counts and flags as they were measured on real kernels."""

    @pytest.mark.parametrize(("name", "flags", "private", "write", "read", "both", "window"), [
        ("GEM shmem", SHMEM, "EINVAL", 1024, 1024, [1024, 0], 1),
        ("GEM shmem, stores tracked", SHMEM, "EINVAL", 2048, 1024, [1024, 1024], 1),
        ("GEM shmem, pages inserted", OLD_SHMEM, "EINVAL", 1024, 1024, [1024, 0], 1),
        ("TTM", TTM, "EINVAL", 64, 64, [64, 0], 16),
        ("TTM", OLD_TTM, "accepted", 64, 64, [64, 0], 16),
        ("own fault handler", ETNAVIV, "accepted", 1024, 1024, [1024, 0], 1),
        ("own fault handler", SHMEM, "accepted", 1024, 1024, [1024, 0], 1),
        ("own fault handler, a page at a time", OLD_VKMS, "accepted", 1024, 1024, [1024, 0], 1),
        ("own fault handler, a page at a time", OLD_VGEM, "accepted", 1024, 1024, [1024, 0], 1),
        ("whole object", SHMEM, "accepted", 1, 1, [1, 0], 1024),
        ("kernel shmem", PLAIN, "accepted", 1024, 1024, [1024, 0], 1),
    ])
    def test_each_is_named(
        self, name: str, flags: str, private: str, write: int, read: int, both: list[int], window: int,
    ) -> None:
        for access, faults in (("write", [write]), ("read-then-write", both)):
            found = mechanism_of(result(access, faults, window, flags, private=private))
            assert found is not None
            assert found.name == name
            assert found.source
        assert not list(objections("x", result("read", [read], window, flags)))

    @pytest.mark.parametrize(("name", "flags", "private", "write", "read", "both"), [
        ("own fault handler, no hardware dirty bit", ETNAVIV, "accepted", 2048, 1024, [1024, 1024]),
        ("own fault handler, no hardware dirty bit", SHMEM, "accepted", 2048, 1024, [1024, 1024]),
        ("GEM shmem, stores tracked or no hardware dirty bit", SHMEM, "EINVAL", 2048, 1024, [1024, 1024]),
        ("GEM DMA helper, no hardware dirty bit", TTM, "accepted", 1024, 0, [0, 1024]),
    ])
    def test_a_cpu_without_a_dirty_bit(
        self, name: str, flags: str, private: str, write: int, read: int, both: list[int],
    ) -> None:
        window = 1 if read else None
        both_passes = result("read-then-write", both, window, flags, private=private)
        found = mechanism_on(both_passes, "aarch64")
        assert found is not None
        assert found.name == name
        stored = mechanism_on(result("write", [write], 1, flags, private=private), "aarch64")
        assert stored is not None
        assert name in stored.name
        # On x86 the same counts have another reason or none.
        on_x86 = mechanism_of(both_passes)
        assert on_x86 is None or "dirty" not in on_x86.name

    def test_what_cannot_be_told_apart_is_named_together(self) -> None:
        # Since 6.12 etnaviv shows the flags and counts of GEM shmem; only mmap(MAP_PRIVATE) is answered differently.
        for access, faults in (("write", [1024]), ("read", [1024]), ("read-then-write", [1024, 0])):
            found = mechanism_of(result(access, faults, 1, SHMEM))
            assert found is not None
            assert found.name == "GEM shmem or own fault handler"
            assert "drm_gem_shmem_fault()" in found.source
            assert "etnaviv_gem_fault()" in found.source

    def test_mapped_whole_in_mmap(self) -> None:
        for access, faults in (("write", [0]), ("read", [0]), ("read-then-write", [0, 0])):
            found = mechanism_of(result(access, faults, None, TTM))
            assert found is not None
            assert found.name == "GEM DMA helper"

    def test_a_known_change_names_its_commit(self) -> None:
        found = mechanism_of(result("write", [2048], 1, SHMEM, private="EINVAL"))
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
