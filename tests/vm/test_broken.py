# SPDX-License-Identifier: MIT
"""The amdgpu double, told to do wrong in one way: which cases of `drmbench verify` notice, and what stress makes of it.

The module parameter `fault` (csrc/kmod/doubles/ttm_wrong.c) is changed while the driver runs; "none" is what it starts
with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_lab_devices import LAB

from drmbench.stress import campaign, inquest

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULT = Path("/sys/module/drmbench_amdgpu/parameters/fault")
ON_THE_DOUBLE = ("--device", "amdgpu", "--buffer", "dumb", "--json", "-")
# Short rounds, and as long as it takes to make their programs small: on a slow machine as well, the same seed ends in
# the same few steps.
STEPS_OF_A_ROUND = 80
MOST_STEPS = 8
LONG_S = 1000.0
# The groups that speak of offsets, handles and what a buffer holds; the faults are about these.
GROUPS = ("--case", "mmap-contract/*", "--case", "fake-offset/*", "--case", "content/*")
OTHER_BYTES = "other bytes from offset 0x0 on"

# What is wrong -> the cases whose rule it breaks, each with what it got. No other case of the groups may fail.
NOTICED: dict[str, dict[str, str]] = {
    "wrong_errno": {"fake-offset/foreign-handle": "EINVAL"},
    "interior_offset": {"fake-offset/interior": "success"},
    "foreign_file": {"fake-offset/other-file": "success"},
    "stale_data": {"content/fresh": "what another buffer held"},
    # Whatever fills a whole buffer and looks at it again.
    "neighbour_page": {
        **dict.fromkeys(("mmap-contract/outlives-handle", "mmap-contract/outlives-file", "mmap-contract/fixed",
                         "fake-offset/closed-but-mapped"), "0"),
        **dict.fromkeys(("content/every-page", "content/two-buffers", "content/second-mapping", "content/mapped-again",
                         "content/forked-child", "content/mapped-by-child", "content/imported", "content/dma-buf"),
                        OTHER_BYTES),
    },
    "lost_data": dict.fromkeys(("content/mapped-again", "content/mapped-by-child"), OTHER_BYTES),
}


@pytest.fixture
def fault() -> Iterator[Path]:
    """The parameter, which is "none" again afterwards."""
    if "amdgpu" not in LAB:
        pytest.skip("this machine has no amdgpu double")
    yield FAULT
    FAULT.write_text("none")


def failed(drmbench: Any, *arguments: str) -> dict[str, str]:
    """Case -> what it got, of the cases that fail; every one was executed, and no kernel warning was overlooked."""
    ran = drmbench("verify", *ON_THE_DOUBLE, "--size", "64KiB", *arguments)
    results, notes = ran.json["results"], {note["id"] for note in ran.json["caveats"]}
    assert not [r for r in results if r["verdict"] == "broken" or r["kernel_log"]]
    assert "simulated-driver" in notes
    assert "kernel-log-unread" not in notes
    found = {r["case"]: r["actual"] for r in results if r["verdict"] == "fail"}
    assert ran.status == (1 if found else 0)
    return found


class TestVerify:
    def test_the_driver_as_it_is_passes(self, drmbench: Any, fault: Path) -> None:
        assert fault.read_text() == "none\n"
        assert failed(drmbench, *GROUPS) == {}

    @pytest.mark.parametrize("name", NOTICED)
    def test_the_cases_that_claim_to_notice_do_and_no_others(self, drmbench: Any, fault: Path, name: str) -> None:
        fault.write_text(name)
        assert failed(drmbench, *GROUPS) == NOTICED[name]

    def test_a_handle_that_nobody_asked_for_fails_each_case_that_makes_a_buffer(
        self, drmbench: Any, fault: Path,
    ) -> None:
        fault.write_text("leaked_handle")
        found = failed(drmbench, "--case", "mmap-contract/zero-length", "--case", "content/every-page")
        assert found == dict.fromkeys(("mmap-contract/zero-length", "content/every-page"), "GEM handles 2")


class TestStress:
    def stress(self, drmbench: Any, *arguments: str) -> Any:
        """One run; its report has one result."""
        ran = drmbench("stress", *ON_THE_DOUBLE, *arguments)
        (result,) = ran.json["results"]
        assert ran.status == (0 if result["failure"] is None else 1)
        return result

    @pytest.mark.parametrize(("name", "category"), [("neighbour_page", "content"), ("leaked_handle", "left behind")])
    def test_a_seed_finds_it_and_a_few_steps_show_it_again(
        self, drmbench: Any, fault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, category: str,
    ) -> None:
        monkeypatch.setattr(campaign, "STEPS_OF_A_ROUND", STEPS_OF_A_ROUND)
        monkeypatch.setattr(inquest, "_BUDGET_S", LONG_S)
        replay = tmp_path / "replay.json"
        fault.write_text(name)
        found = self.stress(drmbench, "--seed", "1", "--seconds", str(LONG_S), "--size", "64KiB", "--save",
                            str(replay))
        failure = found["failure"]
        assert (failure["category"], failure["reproduced"]) == (category, "yes")
        steps = json.loads(replay.read_text())["program"]["threads"]
        assert 1 <= sum(map(len, steps)) <= MOST_STEPS
        again = self.stress(drmbench, "--replay", str(replay))["failure"]
        assert again["category"] == category
        fault.write_text("none")
        whole = self.stress(drmbench, "--replay", str(replay))
        assert (whole["failure"], whole["rounds"]) == (None, 1)
