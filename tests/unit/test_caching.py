# SPDX-License-Identifier: MIT
"""How fast loads and stores are, and what caching mode follows: made-up speeds of memory that is not here."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drmbench.model import BandwidthPass, BandwidthResult, Caching, ClockInfo, Environment, TargetInfo
from drmbench.oracle.caching import caching_of

GB = 1e9
WAYS = (("read", "vector16"), ("read", "nontemporal"), ("write", "scalar"), ("write", "vector16"))
ANON = (12.0, 12.0, 9.0, 9.5)  # GB/s in the order of WAYS


def environment(**changes: Any) -> Environment:
    """A machine without a hypervisor."""
    values = {
        "kernel": "6.1", "arch": "x86_64", "cpu_model": "", "page_size_bytes": 4096, "virtualization": "none",
        "emulated": False, "thp": "never", "thp_shmem": "never", "governor": "none", "cpus": 1, "memory_bytes": 1,
        "drmbench": "0", "date": "",
    }
    return msgspec.convert({**values, **changes}, Environment)


def result(rates: tuple[float | None, ...], driver: str = "amdgpu", **changes: Any) -> BandwidthResult:
    """A result with these GB/s; None leaves the way out; `changes` are those of its passes."""
    passes = []
    for (operation, access), rate in zip(WAYS, rates, strict=True):
        if rate is not None:
            fields = {"operation": operation, "access": access, "instructions": "mov", "bytes": 1, "times": 1,
                      "faults": 0, "bytes_per_s": rate * GB, "bytes_per_s_min": rate * GB,
                      "bytes_per_s_max": rate * GB, "bytes_per_s_runs": [], **changes}
            passes.append(msgspec.convert(fields, BandwidthPass))
    kind = "baseline" if driver == "anon" else "drm"
    return BandwidthResult(
        TargetInfo(kind, None, driver, "", "gem:vram"), 4096, 1, 1, 4096, passes, {}, [], None,
        ClockInfo("tsc", 1, 1), Caching(None, "", []),
    )


def concluded(
    rates: tuple[float | None, ...], anon: tuple[float | None, ...] = ANON, machine: Environment | None = None,
) -> Caching:
    """What follows for a mapping of these speeds."""
    mapping = result(rates)
    return caching_of(mapping, [mapping, result(anon, "anon")], machine or environment())


class TestEachMode:
    @pytest.mark.parametrize(("rates", "mode"), [
        ((11.5, 11.8, 9.0, 9.5), "WB"),      # GEM shmem in system memory
        ((6.1, 6.1, 3.0, 3.0), "WB"),        # the same on another NUMA node
        ((0.12, 0.70, 8.0, 8.0), "WC"),      # system memory, write-combining
        ((0.05, 0.21, 3.1, 3.1), "WC"),      # VRAM behind PCIe
        ((0.012, 0.05, 1.2, 1.2), "WC"),     # VRAM behind a narrow link: stores are as slow, but merged
        ((0.10, 0.10, 0.15, 0.30), "UC"),    # system memory, uncached
        ((0.004, 0.004, 0.02, 0.04), "UC"),  # registers or VRAM through an uncached BAR
    ])
    def test_it_is_told(self, rates: tuple[float, ...], mode: str) -> None:
        found = concluded(rates)
        assert found.mode == mode
        assert found.text.startswith(f"{mode} (")
        assert len(found.evidence) == 4

    def test_the_evidence_has_the_ratios(self) -> None:
        found = concluded((0.12, 0.72, 9.0, 9.0))
        assert found.evidence == [
            "loads of 16 bytes run at 0.01x of anon's", "movntdqa loads at 6x of ordinary loads of 16 bytes",
            "stores of 8 bytes at 1x of anon's", "stores of 16 bytes at 1x of those of 8",
        ]

    def test_anon_is_what_the_others_are_held_against(self) -> None:
        anon = result(ANON, "anon")
        assert caching_of(anon, [result((1.0, 1.0, 1.0, 1.0)), anon], environment()).mode == "WB"

    @pytest.mark.parametrize(("rates", "mode"), [((0.4, 0.4, 7.0, 7.0), "WC"), ((0.2, 0.2, 0.1, 0.2), "UC")])
    def test_arm64_has_no_load_that_tells_but_stores_do(self, rates: tuple[float, ...], mode: str) -> None:
        assert concluded(rates, machine=environment(arch="aarch64")).mode == mode

    def test_in_a_guest_the_hypervisor_has_the_last_word(self) -> None:
        found = concluded(ANON, machine=environment(virtualization="kvm"))
        assert found.mode == "WB"
        assert "hypervisor" in found.text


class TestCannotTell:
    @pytest.mark.parametrize(("rates", "why"), [
        ((5.0, 5.0, 9.0, 9.0), "too slow for cached and too fast for uncached"),
        ((12.0, 12.0, 0.5, 1.0), "write-through"),
        ((0.10, 0.16, 0.15, 0.30), "neither way"),
        ((0.10, 0.40, 0.15, 0.30), "stream as in WC memory, but stores go out one by one"),
        ((0.10, 0.10, 8.0, 8.0), "no faster, as in UC memory, but stores are merged"),
        ((0.10, None, 8.0, 8.0), "without movntdqa"),
        ((None, None, 8.0, 8.0), "were not measured"),
        ((0.1, 0.1, None, None), "were not measured"),
    ])
    def test_where_the_ratios_are_those_of_no_mode(self, rates: tuple[float | None, ...], why: str) -> None:
        found = concluded(rates)
        assert found.mode is None
        assert found.text.startswith("cannot tell: ")
        assert why in found.text

    @pytest.mark.parametrize(("edge", "below"), [(6.0, 5.99), (0.25 * 12, 0.25 * 12 + 0.01)])
    def test_the_edges_of_the_undecided_middle(self, edge: float, below: float) -> None:
        assert concluded((edge, 4 * edge, 9.0, 9.0)).mode is not None
        assert concluded((below, 4 * below, 9.0, 9.0)).mode is None

    def test_on_an_emulated_cpu(self) -> None:
        found = concluded((0.12, 0.70, 8.0, 8.0), machine=environment(emulated=True, virtualization="qemu-tcg"))
        assert found.mode is None
        assert found.text.startswith("cannot tell: emulated CPU")
        assert found.evidence == []

    def test_without_anon(self) -> None:
        mapping = result((0.12, 0.70, 8.0, 8.0))
        found = caching_of(mapping, [mapping, result(ANON, "memfd")], environment())
        assert (found.mode, "anon was not measured" in found.text) == (None, True)

    def test_where_pages_faulted(self) -> None:
        mapping = result(ANON, faults=3)
        found = caching_of(mapping, [mapping, result(ANON, "anon")], environment())
        assert (found.mode, "pages faulted" in found.text) == (None, True)

    def test_where_one_run_is_far_from_the_others(self) -> None:
        mapping = result(ANON, bytes_per_s_max=50 * GB)
        found = caching_of(mapping, [mapping, result(ANON, "anon")], environment())
        assert (found.mode, "far from the median" in found.text) == (None, True)

    def test_where_anon_took_no_time(self) -> None:
        assert concluded(ANON, anon=(0.0, 0.0, 0.0, 0.0)).mode is None
