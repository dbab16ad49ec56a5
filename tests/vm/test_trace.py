# SPDX-License-Identifier: MIT
"""trace on every device of the lab on 6.1: the calls of each way of mapping, and a tracer that is left as it was."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_lab_devices import LAB

from drmbench.targets import find_targets
from drmbench.trace.call_path import call_path
from drmbench.trace.session import Session, Wanted
from drmbench.trace.tracefs import Tracefs
from drmbench.workloads.fault_check import CheckedBuffer

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACING = Path("/sys/kernel/tracing")
SIZE = "1MiB"
PAGES = 256
SYSTEM_CALL = ["__x64_sys_mmap", "ksys_mmap_pgoff", "vm_mmap_pgoff", "do_mmap", "mmap_region"]
GEM = ["drm_gem_mmap", "drm_vma_offset_lookup_locked", "drm_vma_node_is_allowed", "drm_gem_mmap_obj"]
SHMEM = ["drm_gem_shmem_mmap", "drm_gem_get_pages"]
SHMEM_FAULT = ["drm_gem_shmem_fault", "vmf_insert_pfn", "insert_pfn"]
TTM_FAULT = ["ttm_bo_vm_reserve", "ttm_bo_vm_fault_reserved", "vmf_insert_pfn_prot"]

# Driver -> what its mmap calls and what its fault calls, in order; [] where a touch does not fault.
CALLS: dict[str, tuple[list[str], list[str]]] = {
    "vkms": ([*GEM, *SHMEM], SHMEM_FAULT),
    "vgem": ([*GEM, *SHMEM], SHMEM_FAULT),
    "bochs-drm": ([*GEM, "drm_gem_ttm_mmap", "ttm_bo_mmap_obj"], TTM_FAULT),
    "qxl": ([*GEM, "drm_gem_ttm_mmap", "ttm_bo_mmap_obj"], TTM_FAULT),
    "amdgpu": ([*GEM, "ttm_bo_mmap_obj"], TTM_FAULT),
    "etnaviv": ([*GEM, "etnaviv_gem_mmap"], ["etnaviv_gem_fault", "etnaviv_gem_get_pages", "vm_insert_page"]),
    "mi0283qt": ([*GEM, "drm_gem_dma_mmap", "remap_pfn_range"], []),
    "i915": (["i915_mmap", "drm_vma_node_is_allowed"], ["i915_vm_fault", "drm_gem_get_pages", "apply_to_page_range"]),
}
HERE = [driver for driver in CALLS if driver in LAB]
# Runs once as root, so that all is imported: the interpreter may lie where only root can read.
AS_NOBODY = """
import os, sys
from drmbench import cli, trace_runner
from drmbench.cli import trace, tracing
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
sys.exit(cli.run(["trace", "--device", "memfd"]))
"""


@pytest.fixture(scope="module", autouse=True)
def _tracefs() -> None:
    """Mounted, as drmbench never does; and used once, since the first user of all makes the buffers larger."""
    if not (TRACING / "trace").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", str(TRACING)], check=True)
    for name, text in (("set_ftrace_filter", "handle_mm_fault"), ("current_tracer", "function_graph"),
                       ("current_tracer", "nop"), ("set_ftrace_filter", "")):
        (TRACING / name).write_text(text)
    (TRACING / "trace").write_text("")


def state() -> dict[str, str]:
    """Every setting of the tracer that a session could change, the recorded text, and the instances."""
    names = ["current_tracer", "tracing_on", "max_graph_depth", "trace_clock", "buffer_size_kb", "set_event"]
    paths = [TRACING / name for name in names]
    for pattern in ("set_*pid", "set_ftrace_*", "set_graph_*", "options/*", "per_cpu/*/buffer_size_kb",
                    "events/exceptions/page_fault_user/*"):
        paths += TRACING.glob(pattern)
    found = {str(path): path.read_text() for path in paths if path.name not in {"hist", "trigger", "inject"}}
    lines = (TRACING / "trace").read_text().splitlines()
    found["trace"] = "\n".join(line for line in lines if not line.startswith("#"))
    found["instances"] = " ".join(sorted(os.listdir(TRACING / "instances")))
    return found


@pytest.fixture(autouse=True)
def _left_as_it_was() -> Iterator[None]:
    before = state()
    yield
    assert state() == before


@pytest.fixture(scope="module")
def reports() -> dict[str, Any]:
    """One run of a kind serves all tests."""
    return {}


def devices(drivers: list[str]) -> list[str]:
    return [word for driver in drivers for word in ("--device", driver)]


def traced(drmbench: Any, reports: dict[str, Any], *arguments: str) -> dict[str, Any]:
    """The report on every driver of the table."""
    key = " ".join(arguments)
    if key not in reports:
        ran = drmbench("trace", *devices(HERE), "--size", SIZE, "--json", "-", *arguments)
        assert ran.status == 0, ran.err
        reports[key] = ran.json
    found = reports[key]
    assert isinstance(found, dict)
    return found


def steps(report: dict[str, Any], driver: str) -> dict[str, Any]:
    """The steps of the driver's first buffer kind by name."""
    results = [result for result in report["results"] if result["target"]["driver"] == driver]
    return {step["name"]: step for step in results[0]["steps"]}


def flat(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every node, in the order of the tree."""
    return [node for call in calls for node in (call, *flat(call["children"]))]


def names(step: dict[str, Any]) -> list[str]:
    return [node["function"] for node in flat(step["calls"])]


def in_order(wanted: list[str], found: list[str]) -> bool:
    rest = iter(found)
    return all(name in rest for name in wanted)


@pytest.mark.parametrize("lab_driver", HERE)
class TestTrees:
    def test_mmap_leads_to_the_driver(self, drmbench: Any, reports: Any, lab_driver: str) -> None:
        step = steps(traced(drmbench, reports), lab_driver)["mmap"]
        assert step["complete"]
        assert in_order([*SYSTEM_CALL, *CALLS[lab_driver][0]], names(step)), names(step)
        assert [call["function"] for call in step["calls"]] == ["__x64_sys_mmap"]

    def test_a_touch_leads_to_its_fault_handler(self, drmbench: Any, reports: Any, lab_driver: str) -> None:
        report = traced(drmbench, reports)
        step = steps(report, lab_driver)["touch"]
        expected = CALLS[lab_driver][1]
        if not expected:
            assert step["calls"] == []
            return
        (root,) = step["calls"]
        address = next(r["address"] for r in report["results"] if r["target"]["driver"] == lab_driver)
        assert (root["function"], root["fault"]["address"], root["fault"]["page"]) == ("handle_mm_fault", address, 0)
        assert in_order(["handle_mm_fault", "__do_fault", *expected], names(step)), names(step)

    def test_munmap_gives_the_pages_back(self, drmbench: Any, reports: Any, lab_driver: str) -> None:
        step = steps(traced(drmbench, reports), lab_driver)["munmap"]
        assert in_order(["__x64_sys_munmap", "unmap_region", "unmap_page_range"], names(step)), names(step)

    def test_an_open_file_without_a_handle_is_refused_by_the_offset_manager(
        self, drmbench: Any, reports: Any, lab_driver: str,
    ) -> None:
        step = steps(traced(drmbench, reports, "--step", "denied"), lab_driver)["denied"]
        assert step["errno"] == "EACCES"
        assert in_order([*SYSTEM_CALL, "drm_vma_node_is_allowed"], names(step))
        assert not {"drm_gem_mmap_obj", "drm_gem_get_pages", "remap_pfn_range"} & set(names(step))

    def test_the_kernel_and_the_touch_loop_count_the_same(self, drmbench: Any, reports: Any, lab_driver: str) -> None:
        report = traced(drmbench, reports, "--faults")
        ran = drmbench("fault-latency", "--device", lab_driver, "--size", SIZE, "--runs", "1", "--phase", "cold",
                       "--no-baseline", "--json", "-")
        latency = {r["target"]["buffer"]: r["faults"]["touch"] for r in ran.json["results"]}
        for result in report["results"]:
            if result["target"]["driver"] == lab_driver:
                check = result["check"]
                assert (check["how"], check["equal"], check["differing"]) == ("perf", True, [])
                assert check["kernel_faults"] == check["touch_faults"] == latency[result["target"]["buffer"]]


class TestMechanisms:
    @pytest.mark.parametrize("lab_driver", [d for d in HERE if CALLS[d][1] == TTM_FAULT])
    def test_ttm_inserts_sixteen_pages_at_one_touch(self, drmbench: Any, reports: Any, lab_driver: str) -> None:
        calls = flat(steps(traced(drmbench, reports), lab_driver)["touch"]["calls"])
        assert [call["calls"] for call in calls if call["function"] == "insert_pfn"] == [16]

    @pytest.mark.skipif("i915" not in HERE, reason="this machine has no i915 double")
    def test_i915_inserts_the_whole_object(self, drmbench: Any, reports: Any) -> None:
        calls = flat(steps(traced(drmbench, reports), "i915")["touch"]["calls"])
        assert [call["calls"] for call in calls if call["function"] == "set_entry"] == [PAGES]


class TestReport:
    def test_what_tracing_costs_is_stated(self, drmbench: Any, reports: Any) -> None:
        report = traced(drmbench, reports)
        assert "tracing-overhead" in {caveat["id"] for caveat in report["caveats"]}
        for step in steps(report, HERE[0]).values():
            assert step["untraced_ns"] > 0
            assert step["traced_ns"] > 0
            assert step["repetitions"] > 1

    def test_what_cannot_be_traced_is_named(self, drmbench: Any, reports: Any) -> None:
        for result in traced(drmbench, reports)["results"]:
            assert "exc_page_fault" in result["untraceable"]
            assert (result["lost_events"], result["unread_lines"]) == (0, 0)

    def test_depth_is_the_depth_of_the_tree(self, drmbench: Any) -> None:
        ran = drmbench("trace", "--device", HERE[0], "--step", "mmap", "--depth", "3", "--json", "-")
        assert ran.status == 0, ran.err
        assert names(ran.json["results"][0]["steps"][0]) == ["__x64_sys_mmap", "ksys_mmap_pgoff", "vm_mmap_pgoff"]

    def test_two_drivers_differ_in_what_they_call(self, drmbench: Any, tmp_path: Path) -> None:
        first, second = HERE[0], next(d for d in HERE if CALLS[d][1] != CALLS[HERE[0]][1])
        saved = str(tmp_path / "first.json")
        assert drmbench("trace", "--device", first, "--step", "fault", "--json", saved).status == 0
        ran = drmbench("trace", "--device", second, "--step", "fault", "--against", saved, "--json", "-")
        assert ran.status == 0, ran.err
        (comparison,) = ran.json["comparisons"][:1]
        assert CALLS[first][1][0] in {change["function"] for change in comparison["changes"] if change["after"] == 0}

    def test_the_legacy_ioctl_of_i915_maps_by_itself(self, drmbench: Any) -> None:
        if "i915" not in HERE:
            pytest.skip("this machine has no i915 double")
        ran = drmbench("trace", "--device", "i915", "--buffer", "gem:legacy", "--step", "mmap", "--json", "-")
        assert in_order(["drm_ioctl", "i915_legacy_mmap_ioctl", "vm_mmap_pgoff", "shmem_mmap"],
                        names(ran.json["results"][0]["steps"][0]))

    def test_what_has_no_fake_offset_cannot_be_denied(self, drmbench: Any) -> None:
        ran = drmbench("trace", "--device", "memfd", "--step", "denied")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert "no fake offset" in ran.err


class TestByFtrace:
    """What --faults does where perf is refused."""

    @pytest.mark.parametrize("lab_driver", [d for d in ("vgem", "qxl", "mi0283qt") if d in HERE])
    def test_the_tracepoint_counts_the_same(self, lab_driver: str) -> None:
        (target, *_others), _unusable = find_targets((lab_driver,), writing=True, floor=False)
        tracefs = Tracefs(TRACING)
        functions = call_path(tracefs.read("available_filter_functions"), []).functions
        lines = {line: name for line, name in functions.items() if name == "handle_mm_fault"}
        buffer = CheckedBuffer(target, target.kinds[0], PAGES * 4096, "write")
        check = buffer.check(lambda: Session(tracefs, Wanted(lines, cpu=0)), perf=False)
        faults = {"vgem": PAGES, "qxl": PAGES // 16, "mi0283qt": 0}[lab_driver]
        assert (check.how, check.touch_faults, check.kernel_faults, check.equal) == ("tracepoint", faults, faults, True)


class TestPutBack:
    """The autouse fixture compares the tracer's state around each of these."""

    @pytest.fixture
    def _settings_of_somebody(self) -> Iterator[None]:
        """Left by a user whose tracer is off."""
        settings = {"set_ftrace_filter": "drm_gem_mmap", "set_graph_function": "do_fault", "max_graph_depth": "2",
                    "options/funcgraph-proc": "1", "options/funcgraph-irqs": "0", "options/funcgraph-duration": "0",
                    "set_ftrace_notrace": "mmap_region", "trace_clock": "global", "set_ftrace_pid": "1"}
        for name, text in settings.items():
            (TRACING / name).write_text(text)
        yield
        for name, text in {**dict.fromkeys(settings, ""), "max_graph_depth": "0", "options/funcgraph-proc": "0",
                           "options/funcgraph-irqs": "1", "options/funcgraph-duration": "1",
                           "trace_clock": "local"}.items():
            (TRACING / name).write_text(text)

    @pytest.mark.usefixtures("_settings_of_somebody")
    def test_settings_of_somebody_else(self, drmbench: Any) -> None:
        before = state()
        ran = drmbench("trace", "--device", HERE[0], "--step", "mmap", "--json", "-")
        assert ran.status == 0, ran.err
        assert in_order([*SYSTEM_CALL, *CALLS[HERE[0]][0]], names(ran.json["results"][0]["steps"][0]))
        assert state() == before

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_a_trace_that_is_ended_by_a_signal(self, number: int) -> None:
        before = state()
        command = [sys.executable, "-m", "drmbench", "trace", "--device", HERE[0], "--size", "4MiB"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as tracing:
            wait_until(busy)
            tracing.send_signal(number)
        assert tracing.returncode in {1, -number}
        wait_until(lambda: not busy())
        wait_until(lambda: state() == before)

    @pytest.mark.parametrize(("name", "text", "idle"), [
        ("current_tracer", "blk", "nop"), ("set_event", "exceptions:page_fault_user", ""),
        ("trace_marker", "somebody's marker", None),
    ])
    def test_a_busy_tracer_is_refused(self, drmbench: Any, name: str, text: str, idle: str | None) -> None:
        (TRACING / name).write_text(text)
        try:
            ran = drmbench("trace", "--device", HERE[0])
            used = (TRACING / "trace" if idle is None else TRACING / name).read_text()
        finally:
            if idle is not None:
                (TRACING / name).write_text(idle)
            (TRACING / "trace").write_text("")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert "EBUSY: somebody uses it" in ran.err
        assert text in used


class TestWhatIsMissing:
    def test_without_rights_one_line_says_so(self) -> None:
        ended = subprocess.run([sys.executable, "-c", AS_NOBODY], text=True, capture_output=True, check=False,
                               timeout=300, stdin=subprocess.DEVNULL)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
        assert "EACCES" in ended.stderr
        assert "run as root" in ended.stderr

    def test_where_it_is_not_mounted_the_command_is_named(self) -> None:
        script = f"umount {TRACING}; exec {sys.executable} -m drmbench trace --device memfd"
        ended = subprocess.run(["unshare", "-m", "sh", "-c", script], text=True, capture_output=True, check=False,
                               timeout=300, stdin=subprocess.DEVNULL)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
        assert "sudo mount -t tracefs tracefs /sys/kernel/tracing" in ended.stderr


def busy() -> bool:
    """Whether a session is set up, here or in an instance; state() would take longer than the session lasts."""
    tracers = []
    for path in (TRACING / "current_tracer", *TRACING.glob("instances/drmbench-*/current_tracer")):
        with contextlib.suppress(OSError):
            tracers.append(path.read_text().strip())
    return set(tracers) != {"nop"}


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_table_is_of_this_kernel() -> None:
    assert os.uname().release.startswith("6.1."), json.dumps(HERE)
