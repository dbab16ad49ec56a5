# SPDX-License-Identifier: MIT
"""`drmbench compare-populate`: verdicts that follow from counted faults."""

from __future__ import annotations

import errno
import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from drmbench import native
from drmbench.vma import vm_flags
from drmbench.workloads.populate import MADV_POPULATE_READ, STRATEGIES
from drmbench.workloads.verdict import Evidence, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = mmap.PAGESIZE
PAGES = 64
SIZE = str(PAGES * PAGE)


class TestSharedMemory:
    """On anon and memfd every strategy works, and the counts say so."""

    @pytest.fixture(params=["anon", "memfd"])
    def strategies(self, request: pytest.FixtureRequest, drmbench: Any) -> dict[str, Any]:
        ran = drmbench("compare-populate", "--device", request.param, "--size", SIZE, "--no-baseline", "--json", "-")
        assert ran.status == 0, ran.err
        found = ran.json["results"][0]["strategies"]
        assert isinstance(found, dict)
        return found

    def test_all_six_are_compared(self, strategies: dict[str, Any]) -> None:
        assert list(strategies) == [
            "lazy", "map-populate", "madv-populate-read", "madv-populate-write", "mlock", "touch",
        ]

    @pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "lazy"])
    def test_each_is_real(self, strategies: dict[str, Any], name: str) -> None:
        strategy = strategies[name]
        assert strategy["verdict"] == "real"
        assert strategy["errno"] is None
        assert strategy["faults"]["touch"] == 0
        moved = "mmap" if name == "map-populate" else "populate"
        assert strategy["faults"][moved] == PAGES

    def test_lazy_is_the_reference(self, strategies: dict[str, Any]) -> None:
        lazy = strategies["lazy"]
        assert lazy["verdict"] == "no-op"
        assert lazy["faults"] == {"mmap": 0, "populate": 0, "touch": PAGES}
        assert lazy["ratio_to_lazy"] == 1

    def test_the_times_add_up(self, strategies: dict[str, Any]) -> None:
        for strategy in strategies.values():
            assert strategy["total_ns"] == strategy["mmap_ns"] + strategy["populate_ns"] + strategy["touch_ns"]

    def test_the_ratio_lies_within_its_spread(self, strategies: dict[str, Any]) -> None:
        for strategy in strategies.values():
            assert strategy["ratio_to_lazy_min"] <= strategy["ratio_to_lazy"] <= strategy["ratio_to_lazy_max"]


class TestRefusal:
    """What the kernel refuses carries its errno and the way out."""

    def test_mlock_over_the_limit(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(_mapping: object) -> native.Stage:
            raise OSError(errno.ENOMEM, "over the limit")

        changed = STRATEGIES["mlock"]
        monkeypatch.setitem(STRATEGIES, "mlock", type(changed)(call=changed.call, step=refused))
        ran = drmbench("compare-populate", "--device", "memfd", "--size", SIZE, "--strategies", "mlock", "--json", "-")
        mlock = ran.json["results"][0]["strategies"]["mlock"]
        assert (mlock["verdict"], mlock["errno"]) == ("refused", "ENOMEM")
        assert "RLIMIT_MEMLOCK" in mlock["reason"]
        assert mlock["faults"]["touch"] == PAGES

    def test_unknown_strategies_are_named(self, drmbench: Any) -> None:
        ran = drmbench("compare-populate", "--device", "memfd", "--strategies", "lazy,prefetch")
        assert ran.status == 2
        assert "prefetch is no strategy" in ran.err


class TestTable:
    """Verdict, counts, times and reason on one screen."""

    def test_it_fits_80_columns_and_gives_reasons(self, drmbench: Any) -> None:
        ran = drmbench("compare-populate", "--device", "memfd", "--size", SIZE)
        assert ran.status == 0
        assert max(len(line) for line in ran.out.splitlines()) <= 80
        assert "VmFlags: rd wr sh" in ran.out
        assert f"map-populate real {PAGES} 0 0" in " ".join(ran.out.split())

    def test_what_did_not_work_is_explained(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        changed = STRATEGIES["mlock"]
        monkeypatch.setitem(STRATEGIES, "mlock", type(changed)(call="mlock()", step=lambda _mapping: native.Stage()))
        ran = drmbench("compare-populate", "--device", "memfd", "--size", SIZE)
        assert f"mlock() populated nothing: the touch pass still takes {PAGES} of {PAGES}" in " ".join(ran.out.split())


class TestVvar:
    """Every process owns a hardware-free VM_PFNMAP mapping, [vvar]: the verdicts of a DRM mapping without DRM."""

    @pytest.fixture
    def vvar(self) -> Iterator[int]:
        for line in Path("/proc/self/maps").read_text().splitlines():
            if line.endswith("[vvar]"):
                yield int(line.split("-")[0], 16)
                return
        pytest.fail("this kernel gives processes no [vvar]")

    @pytest.fixture
    def touch_faults(self, vvar: int) -> int:
        order = np.zeros(1, dtype=np.uint32)
        return int(native.Span(vvar, PAGE, PAGE, order, native.READ).count_faults().sum())

    def test_its_flags_are_read(self, vvar: int) -> None:
        assert {"pf", "io", "dd"} <= set(vm_flags(vvar))

    def test_madvise_populate_is_refused_with_einval(self, vvar: int, touch_faults: int) -> None:
        with pytest.raises(OSError, match="Invalid argument") as refused:
            native.timed_madvise(vvar, PAGE, MADV_POPULATE_READ)
        verdict, reason = judge(Evidence(
            "madvise(MADV_POPULATE_READ)", touch_faults, touch_faults, 0, refused.value.errno, vm_flags(vvar),
        ))
        assert verdict == "refused"
        assert "EINVAL" in reason
        assert "VM_PFNMAP|VM_IO" in reason

    def test_mlock_succeeds_and_populates_nothing(self, vvar: int) -> None:
        stage = native.timed_mlock(vvar, PAGE)
        assert stage.faults == 0
        verdict, reason = judge(Evidence("mlock()", PAGES, PAGES, stage.faults, None, vm_flags(vvar)))
        assert verdict == "no-op"
        assert "skips a VM_PFNMAP|VM_IO mapping" in reason


class TestVerdict:
    """The rule itself: counts decide, flags only explain."""

    FLAGS = ("rd", "wr", "pf", "io")

    def verdict(self, lazy: int, touch: int, earlier: int = 0, number: int | None = None) -> tuple[str, str]:
        return judge(Evidence("mmap(MAP_POPULATE)", lazy, touch, earlier, number, list(self.FLAGS)))

    def test_nothing_faulted_anyway_is_moot(self) -> None:
        assert self.verdict(0, 0)[0] == "moot"

    def test_no_difference_is_never_real(self) -> None:
        assert self.verdict(1024, 1024, earlier=1024)[0] == "no-op"

    def test_faults_that_moved_are_real(self) -> None:
        assert self.verdict(1024, 0, earlier=1024)[0] == "real"

    def test_less_than_half_is_not_enough(self) -> None:
        assert self.verdict(1024, 513, earlier=511)[0] == "no-op"
        assert self.verdict(1024, 512, earlier=512)[0] == "real"

    def test_an_errno_is_a_refusal_whatever_the_counts(self) -> None:
        assert self.verdict(0, 0, number=errno.EINVAL)[0] == "refused"

    def test_a_kernel_without_madv_populate_is_named(self) -> None:
        found = judge(Evidence("madvise(MADV_POPULATE_READ)", 8, 8, 0, errno.EINVAL, ["rd", "wr"]))
        assert found[0] == "refused"
        assert "5.14" in found[1]
