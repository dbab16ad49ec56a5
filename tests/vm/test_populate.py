# SPDX-License-Identifier: MIT
"""Populate on real DRM mappings of 6.1: a silent no-op or an honest refusal, proved by counts."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import PAGES, SIZE


@pytest.fixture(scope="session")
def compared() -> dict[str, Any]:
    """One run a driver serves all tests below."""
    return {}


@pytest.fixture
def strategies(drmbench: Any, driver: str, compared: dict[str, Any]) -> dict[str, Any]:
    if driver not in compared:
        arguments = ("--device", driver, "--size", SIZE, "--runs", "3", "--no-baseline", "--json", "-")
        ran = drmbench("compare-populate", *arguments)
        assert ran.status == 0, ran.err
        compared[driver] = ran.json["results"][0]["strategies"]
    found = compared[driver]
    assert isinstance(found, dict)
    return found


class TestDrm:
    def test_lazy_takes_every_fault_on_touch(self, strategies: dict[str, Any]) -> None:
        assert strategies["lazy"]["faults"] == {"mmap": 0, "populate": 0, "touch": PAGES}

    @pytest.mark.parametrize("name", ["map-populate", "mlock"])
    def test_success_that_populates_nothing_is_a_no_op(self, strategies: dict[str, Any], name: str) -> None:
        strategy = strategies[name]
        assert (strategy["verdict"], strategy["errno"]) == ("no-op", None)
        assert strategy["faults"] == {"mmap": 0, "populate": 0, "touch": PAGES}
        assert "VM_PFNMAP" in strategy["reason"]

    @pytest.mark.parametrize("name", ["madv-populate-read", "madv-populate-write"])
    def test_madvise_is_honest(self, strategies: dict[str, Any], name: str) -> None:
        strategy = strategies[name]
        assert (strategy["verdict"], strategy["errno"]) == ("refused", "EINVAL")
        assert strategy["faults"]["touch"] == PAGES

    def test_only_a_touch_populates(self, strategies: dict[str, Any]) -> None:
        touch = strategies["touch"]
        assert touch["verdict"] == "real"
        assert touch["faults"] == {"mmap": 0, "populate": PAGES, "touch": 0}


class TestMemfd:
    def test_every_strategy_is_real(self, drmbench: Any) -> None:
        ran = drmbench("compare-populate", "--device", "memfd", "--size", SIZE, "--runs", "1", "--no-baseline",
                       "--json", "-")
        found = ran.json["results"][0]["strategies"]
        assert {name: s["verdict"] for name, s in found.items() if name != "lazy"} == dict.fromkeys(
            ["map-populate", "madv-populate-read", "madv-populate-write", "mlock", "touch"], "real",
        )
