# SPDX-License-Identifier: MIT
"""The lab's other kernels: each is fetched, booted once with every display device, and counted.

What is expected per 1024 pages: GEM shmem took one fault a page until it learnt to track stores (7.1), which
makes a first store two; TTM maps 16 pages at a fault, the GEM DMA helper all in mmap(); bochs moved from TTM to
GEM shmem between 6.12 and 7.2. `drmbench compare` must find that in the reports, from 6.1 to each of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drmbench.vm.cache import CachedKernel, kernel_folder
from drmbench.vm.fetch import fetch
from drmbench.vm.kmod import BuiltModules

DRMBENCH = [sys.executable, "-m", "drmbench"]
LIMIT_S = 1200
DEVICES = ("vkms", "vgem", "bochs", "cirrus", "qxl", "virtio-gpu", "radeon", "mi0283qt", "etnaviv", "i915")
FAULTS = "fault-latency --size 4MiB --runs 1 --warm-up 0 --access all --phase cold --no-baseline --json faults.json"
POPULATE = ("compare-populate --device vgem --device virtio_gpu --device qxl --size 4MiB --runs 1 --no-baseline "
            "--strategies lazy,map-populate,touch --json populate.json")
VERIFY = "verify --device vgem --device qxl --device etnaviv --device i915 --json verify.json"
TRACE = "trace --device vgem --device qxl --buffer dumb"
# Whatever a tracing session could leave behind; drmbench itself never mounts tracefs.
TRACER = ("( cd /sys/kernel/tracing && grep -H . current_tracer tracing_on max_graph_depth set_ftrace_filter "
          "set_ftrace_pid set_graph_function set_event set_event_pid options/* && ls instances && grep -v ^# trace; "
          "true )")

# Faults of 1024 pages: of a write pass, of a read pass, of a write pass after a read pass.
SHMEM, TTM, TRACKED, DMA = (1024, 1024, 0), (64, 64, 0), (2048, 1024, 1024), (0, 0, 0)
# Driver -> what a first touch calls, in order.
CALLED = {
    "debian-5.10": {"vgem": ["vgem_gem_fault"], "qxl": ["ttm_bo_vm_fault", "ttm_bo_vm_fault_reserved", "insert_pfn"]},
    "debian-6.12": {"vgem": ["drm_gem_shmem_fault", "vmf_insert_pfn", "insert_pfn"],
                    "qxl": ["ttm_bo_vm_fault", "ttm_bo_vm_fault_reserved", "insert_pfn"]},
    "debian-newest": {"vgem": ["drm_gem_shmem_fault", "vmf_insert_pfn", "drm_gem_shmem_pfn_mkwrite"],
                      "qxl": ["ttm_bo_vm_fault", "ttm_bo_vm_fault_reserved", "insert_pfn"]},
}
# (case, driver) of what breaks a rule and is known to; nothing else may.
ON_ALL = {("ioctls/absurd-size", "etnaviv"), ("ioctls/no-bytes", "etnaviv"), ("limits/memory-cgroup", "etnaviv"),
          ("mmap-contract/private", "i915")}
KNOWN = {
    "debian-5.10": {*ON_ALL, ("content/fresh", "qxl")},
    "debian-6.12": {*ON_ALL, ("mmap-contract/private", "etnaviv")},
    "debian-newest": {*ON_ALL, ("mmap-contract/private", "etnaviv")},
}
EXPECTED = {
    "debian-5.10": {"vkms": SHMEM, "vgem": SHMEM, "bochs-drm": TTM, "cirrus": SHMEM, "qxl": TTM,
                    "virtio_gpu": SHMEM, "radeon": TTM, "mi0283qt": DMA},
    "debian-6.12": {"vkms": SHMEM, "vgem": SHMEM, "bochs-drm": TTM, "cirrus": SHMEM, "qxl": TTM,
                    "virtio_gpu": SHMEM, "radeon": TTM, "mi0283qt": DMA},
    "debian-newest": {"vkms": TRACKED, "vgem": TRACKED, "bochs-drm": TRACKED, "cirrus-qemu": TRACKED, "qxl": TTM,
                      "virtio_gpu": TRACKED, "radeon": TTM, "mi0283qt": DMA},
}


class Run:
    """One boot of one kernel, and the reports that came out of it."""

    def __init__(self, kernel: str, folder: Path) -> None:
        fetch(kernel)
        cached = CachedKernel.read(kernel_folder(kernel))
        assert cached is not None
        self.kernel = kernel
        self.cached = cached
        devices = [word for device in DEVICES for word in ("--device", device)]
        script = (
            f"drmbench {FAULTS} >/dev/null && drmbench {POPULATE} >/dev/null && drmbench {VERIFY} >/dev/null && "
            "(test -e /sys/kernel/tracing/trace || mount -t tracefs tracefs /sys/kernel/tracing) && "
            f"{TRACER} >before && drmbench {TRACE} --step all --faults --json trace.json >/dev/null && "
            f"drmbench {TRACE} --step denied --json denied.json >/dev/null && {TRACER} >after"
        )
        path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        self.ran = subprocess.run(
            [*DRMBENCH, "vm", "run", "--kernel", kernel, "--timeout", str(LIMIT_S - 60), *devices, "--share", ".",
             "--", "sh", "-c", script],
            cwd=folder, env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, check=False, timeout=LIMIT_S)
        assert self.ran.returncode == 0, self.ran.stderr
        self.path = folder / "faults.json"
        self.faults: dict[str, Any] = json.loads((folder / "faults.json").read_text())
        self.populate: dict[str, Any] = json.loads((folder / "populate.json").read_text())
        self.verify: dict[str, Any] = json.loads((folder / "verify.json").read_text())
        self.trace: dict[str, Any] = json.loads((folder / "trace.json").read_text())
        self.denied: dict[str, Any] = json.loads((folder / "denied.json").read_text())
        self.tracer = [(folder / moment).read_text() for moment in ("before", "after")]


@pytest.fixture(scope="module")
def of_6_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of vgem on 6.1, which is the base of the comparisons."""
    folder = tmp_path_factory.mktemp("base")
    script = f"drmbench {FAULTS} --device vgem >/dev/null"
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [*DRMBENCH, "vm", "run", "--kernel", "debian-6.1", "--timeout", str(LIMIT_S - 60), "--device", "vgem",
         "--share", ".", "--", "sh", "-c", script],
        cwd=folder, env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}, text=True, capture_output=True,
        stdin=subprocess.DEVNULL, check=False, timeout=LIMIT_S)
    assert ran.returncode == 0, ran.stderr
    return folder / "faults.json"


@pytest.fixture(scope="module", params=sorted(EXPECTED))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(request.param, tmp_path_factory.mktemp("kernel"))


def counted(report: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Driver -> faults of its first buffer kind: of a write pass, of a read pass, of a write pass after a read pass."""
    found: dict[str, dict[str, int]] = {}
    for result in report["results"]:
        if result["target"]["buffer"] == "dumb":
            assert result["pages"] == 1024
            found.setdefault(result["target"]["driver"], {})[result["access"]] = result["passes"][-1]["faults"]
    return {driver: (by["write"], by["read"], by["read-then-write"]) for driver, by in found.items()}


def test_every_driver_takes_the_faults_of_its_kernel(run: Run) -> None:
    assert counted(run.faults) == EXPECTED[run.kernel]


def test_compare_fails_where_vgem_takes_more_faults_than_on_6_1(run: Run, of_6_1: Path) -> None:
    command = [*DRMBENCH, "compare", str(of_6_1), str(run.path), "--fail-if", "faults>+0", "--json", "-"]
    ended = subprocess.run(command, text=True, capture_output=True, check=False, timeout=300)
    assert ended.returncode == (3 if EXPECTED[run.kernel]["vgem"] == TRACKED else 0), ended.stderr
    compared = json.loads(ended.stdout)
    faults = {result["variant"].split(",")[0]: (result["counts"][0]["base"], result["counts"][0]["new"])
              for result in compared["results"] if result["target"]["driver"] == "vgem"}
    write, read, _after = EXPECTED[run.kernel]["vgem"]
    assert faults == {"write": (1024, write), "read": (1024, read),
                      "read-then-write": (1024, sum(EXPECTED[run.kernel]["vgem"][1:]))}
    assert {time["verdict"] for result in compared["results"] for time in result["times"]} == {"cannot tell"}


def test_the_full_version_is_in_the_result(run: Run) -> None:
    full = f"{run.kernel} {run.cached.release} ({run.cached.version})"
    assert run.faults["environment"]["lab_kernel"] == full
    assert run.faults["environment"]["kernel"] == run.cached.release


def test_vkms_was_built_for_the_kernel(run: Run) -> None:
    record = BuiltModules.read(kernel_folder(run.kernel))
    assert record is not None
    assert "vkms" in record.built


def test_populate_does_something_for_gem_shmem_before_5_16_only(run: Run) -> None:
    verdicts = {result["target"]["driver"]: {name: strategy["verdict"] for name, strategy in
                                             result["strategies"].items()} for result in run.populate["results"]}
    shmem = "real" if run.kernel == "debian-5.10" else "no-op"
    assert {driver: by["map-populate"] for driver, by in verdicts.items()} == {
        "vgem": shmem, "virtio_gpu": shmem, "qxl": "no-op",
    }
    assert {by["touch"] for by in verdicts.values()} == {"real"}


def test_verify_finds_what_is_known_and_nothing_else(run: Run) -> None:
    by_verdict: dict[str, set[tuple[str, str]]] = {}
    for result in run.verify["results"]:
        by_verdict.setdefault(result["verdict"], set()).add((result["case"], result["target"]["driver"]))
    assert by_verdict.pop("known") == KNOWN[run.kernel]
    assert sorted(by_verdict) == ["pass", "skip"], by_verdict.get("fail")
    assert {driver for _case, driver in by_verdict["pass"]} == {"vgem", "qxl", "etnaviv", "i915"}
    assert not {"known-outdated", "kernel-log-unread"} & {caveat["id"] for caveat in run.verify["caveats"]}


def calls_of(step: dict[str, Any]) -> list[tuple[str, int]]:
    """(function, so many calls in a row) of every call, in order."""
    def flat(calls: list[dict[str, Any]]) -> list[tuple[str, int]]:
        return [each for call in calls for each in ((call["function"], call["calls"]), *flat(call["children"]))]

    return flat(step["calls"])


class TestTrace:
    def test_a_touch_leads_to_the_drivers_fault_handler(self, run: Run) -> None:
        for result in run.trace["results"]:
            called = calls_of(next(step for step in result["steps"] if step["name"] == "touch"))
            rest = (function for function, _calls in called)
            wanted = ["handle_mm_fault", *CALLED[run.kernel][result["target"]["driver"]]]
            assert all(function in rest for function in wanted), called
            if result["target"]["driver"] == "qxl":
                assert ("insert_pfn", 16) in called

    def test_the_kernel_counts_the_faults_that_we_count(self, run: Run) -> None:
        assert [r["target"]["driver"] for r in run.trace["results"]] == ["vgem", "qxl"]
        for result in run.trace["results"]:
            assert result["check"]["equal"]
            assert result["check"]["kernel_faults"] == EXPECTED[run.kernel][result["target"]["driver"]][0] // 4

    def test_a_second_open_file_is_denied(self, run: Run) -> None:
        for result in run.denied["results"]:
            (step,) = result["steps"]
            assert step["errno"] == "EACCES"
            assert "drm_vma_node_is_allowed" in dict(calls_of(step))

    def test_the_tracer_is_left_as_it_was(self, run: Run) -> None:
        before, after = run.tracer
        assert before == after
        assert "current_tracer:nop" in before
        tracers = {result["tracer"] for result in run.trace["results"]}
        assert tracers == {"global" if run.kernel == "debian-5.10" else "instance"}
