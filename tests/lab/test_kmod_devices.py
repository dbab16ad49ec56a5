# SPDX-License-Identifier: MIT
"""The devices that need modules of ours, on the default kernel in one boot: by their own ioctls, without drmbench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drmbench.vm.devices import DEVICES

HERE = Path(__file__).parent
LIMIT_S = 900
PFNMAP = {"pf", "io", "de", "dd"}
NAMES = ("etnaviv", "mi0283qt", "ili9341", "amdgpu", "xe", "i915")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What kmod_guest.py saw with every device of the lab in one machine."""
    folder = tmp_path_factory.mktemp("kmod")
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    ended = subprocess.run([sys.executable, "-m", "drmbench", "vm", "run", "--device", "all", "--timeout", "600", "--",
                            "python3", str(HERE / "kmod_guest.py"), "--unload"], cwd=folder,
                           env={**os.environ, "PYTHONPATH": path}, text=True, capture_output=True,
                           stdin=subprocess.DEVNULL, check=False, timeout=LIMIT_S)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert isinstance(document, dict)
    return document


def costs(buffer: dict[str, Any]) -> list[int]:
    """Faults of the first and the second mapping, and of a second pass over each, which must cost none."""
    assert buffer["first"]["again"] == buffer["second"]["again"] == 0
    return [buffer["first"]["faults"], buffer["second"]["faults"]]


def test_one_machine_holds_every_device(found: dict[str, Any]) -> None:
    assert {device.driver for device in DEVICES} <= set(found)


def test_the_kernel_had_nothing_to_complain_about(found: dict[str, Any]) -> None:
    assert found["trouble"] == []


def test_what_is_simulated_is_said(found: dict[str, Any]) -> None:
    assert {pair.split("=")[0] for pair in found["simulated"].split(",")} == set(NAMES)
    for name in ("amdgpu", "xe", "i915"):
        assert "test double" in found[name]["description"]


def test_etnaviv_faults_page_by_page(found: dict[str, Any]) -> None:
    assert found["etnaviv"]["model"] == "GC2000"
    for kind in ("cached", "wc", "uncached"):
        assert costs(found["etnaviv"][kind]) == [1024, 1024]
        assert {"io", "de", "dd", "mm"} <= set(found["etnaviv"][kind]["first"]["flags"])
        assert "pf" not in found["etnaviv"][kind]["first"]["flags"]


@pytest.mark.parametrize("panel", ["mi0283qt", "ili9341"])
def test_the_dma_helper_maps_it_all_in_mmap(found: dict[str, Any], panel: str) -> None:
    assert costs(found[panel]) == [0, 0]
    assert set(found[panel]["first"]["flags"]) >= PFNMAP


@pytest.mark.parametrize(("double", "kinds"), [("amdgpu", ("vram", "gtt", "gtt-uswc", "cpu")),
                                               ("xe", ("system", "system-wc", "vram"))])
def test_ttm_maps_sixteen_pages_a_fault(found: dict[str, Any], double: str, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        assert costs(found[double][kind]) == [64, 64]
        assert set(found[double][kind]["first"]["flags"]) >= PFNMAP


def test_i915_maps_the_whole_object_at_once(found: dict[str, Any]) -> None:
    for mode in ("wb", "wc", "uc"):
        assert costs(found["i915"][mode]) == [1, 1]
        assert set(found["i915"][mode]["first"]["flags"]) >= PFNMAP
    assert found["i915"]["content"] == "a5"
    assert not PFNMAP & set(found["i915"]["legacy"]["flags"])


def test_amdgpu_refuses_as_the_driver_does(found: dict[str, Any]) -> None:
    refused = {name: found["amdgpu"][name] for name in
               ("no-cpu-access", "gds", "gws", "oa", "bad-domain", "no-handle", "closed")}
    assert refused == {"no-cpu-access": "EPERM", "gds": "EPERM", "gws": "EPERM", "oa": "EPERM",
                       "bad-domain": "EINVAL", "no-handle": "ENOENT", "closed": "EINVAL"}


def test_libdrm_amdgpu_works_on_the_double(found: dict[str, Any]) -> None:
    if found["amdgpu"]["libdrm"] == "absent":
        pytest.skip("libdrm_amdgpu.so.1 is not installed")
    assert found["amdgpu"]["libdrm"] == "ok"


def test_xe_and_i915_refuse_as_the_drivers_do(found: dict[str, Any]) -> None:
    assert {name: found["xe"][name] for name in ("vram-wb", "vram-4k", "no-handle")} == {
        "vram-wb": "EINVAL", "vram-4k": "EINVAL", "no-handle": "ENOENT"}
    assert {name: found["i915"][name] for name in ("gtt", "fixed", "no-handle")} == {
        "gtt": "ENODEV", "fixed": "ENODEV", "no-handle": "ENOENT"}
    system, vram = found["xe"]["regions"]
    assert system[:2] == [0, 0]
    assert vram[:3] == [1, 1, 65536]


def test_everything_unloads(found: dict[str, Any]) -> None:
    assert found["unload"] == []


def test_the_double_is_wrong_where_it_is_told_to_be(found: dict[str, Any]) -> None:
    right = {"fresh": "00", "no-handle": "ENOENT", "first-page": "11"}
    wrong = {"fault=none": {}, "fault=wrong_errno": {"no-handle": "EINVAL"}, "fault=stale_data": {"fresh": "a5"},
             "fault=neighbour_page": {"first-page": "22"}, "visible_mib=4": {}}
    for parameters, difference in wrong.items():
        seen = {name: found[parameters][name] for name in right}
        assert seen == {**right, **difference}, parameters
