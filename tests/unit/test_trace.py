# SPDX-License-Identifier: MIT
"""drmbench trace from the command line: on memfd, with a folder of files for tracefs and recorded text for a trace."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from test_trace_session import state, tracefs  # noqa: F401 (a fixture)

from drmbench.errors import DrmbenchError
from drmbench.trace.session import Session
from drmbench.workloads import fault_check
from drmbench.workloads.fault_check import Counted, add_trace
from drmbench.workloads.window import sample_faults

if TYPE_CHECKING:
    from drmbench.trace.tracefs import Tracefs

SAMPLE = (Path(__file__).parents[1] / "data" / "trace-ttm.txt").read_text()
ADDRESS = 0x7FACEA656000
AVAILABLE = "do_mmap\nhandle_mm_fault\ndrm_gem_mmap [drm]\n"


@pytest.fixture
def traced(tracefs: Tracefs, monkeypatch: pytest.MonkeyPatch) -> Tracefs:  # noqa: F811 (the fixture)
    """What the commands of these tests take for tracefs; every session records the same."""
    (tracefs.root / "available_filter_functions").write_text(AVAILABLE)
    for cpu in range(1, 64):
        folder = tracefs.root / "per_cpu" / f"cpu{cpu}"
        folder.mkdir()
        (folder / "buffer_size_kb").write_text("1408\n")
        (folder / "stats").write_text("entries: 0\noverrun: 0\ndropped events: 0\n")
    (tracefs.root / "per_cpu" / "cpu0" / "stats").write_text("entries: 0\noverrun: 0\n")
    monkeypatch.setattr("drmbench.trace_runner.find_tracefs", lambda: tracefs)
    monkeypatch.setattr("drmbench.trace_results.threading.get_native_id", lambda: 195)  # the thread of the recording
    monkeypatch.setattr(Session, "text", lambda _session: SAMPLE)
    return tracefs


def run(drmbench: Any, *arguments: str) -> Any:
    return drmbench("trace", "--device", "memfd", "--json", "-", *arguments)


class TestTrace:
    def test_a_life_is_timed_without_tracing_and_then_recorded(self, drmbench: Any, traced: Tracefs) -> None:
        before = state(traced)
        ran = run(drmbench)
        assert ran.status == 0, ran.err
        (result,) = ran.json["results"]
        mmap, touch, munmap = result["steps"]
        assert [step["name"] for step in result["steps"]] == ["mmap", "touch", "munmap"]
        assert mmap["calls"][0]["function"] == "__x64_sys_mmap"
        assert mmap["returned"] == f"{result['address']:#x}"
        assert min(step[key] for step in result["steps"] for key in ("traced_ns", "untraced_ns")) > 0
        # The recording's fault is at another address than this run's mapping, and it has no munmap.
        assert (touch["calls"], touch["other_faults"]) == ([], 1)
        assert (munmap["complete"], munmap["calls"]) == (False, [])
        assert (result["tracer"], result["lost_events"]) == ("global", 0)
        assert "exc_page_fault" in result["untraceable"]
        assert {"tracing-overhead", "untraceable", "nothing-traced"} <= {caveat["id"] for caveat in ran.json["caveats"]}
        assert state(traced) == before

    @pytest.mark.parametrize(("step", "names"), [
        ("mmap", ["mmap"]), ("fault", ["touch"]), ("munmap", ["munmap"]), ("all", ["mmap", "touch", "munmap"]),
    ])
    @pytest.mark.usefixtures("traced")
    def test_a_step_alone(self, drmbench: Any, step: str, names: list[str]) -> None:
        assert [s["name"] for s in run(drmbench, "--step", step).json["results"][0]["steps"]] == names

    @pytest.mark.usefixtures("traced")
    def test_a_trace_against_itself_has_no_change(self, drmbench: Any, tmp_path: Path) -> None:
        path = tmp_path / "saved.json"
        path.write_text(run(drmbench, "--step", "mmap").out)
        (comparison,) = run(drmbench, "--step", "mmap", "--against", str(path)).json["comparisons"]
        assert (comparison["changes"], comparison["same"] > 0) == ([], True)

    def test_events_that_were_lost_are_said(self, drmbench: Any, traced: Tracefs) -> None:
        (traced.root / "per_cpu" / "cpu0" / "stats").write_text("entries: 0\noverrun: 3\n")
        document = run(drmbench).json
        assert document["results"][0]["lost_events"] == 3
        assert "events-lost" in {caveat["id"] for caveat in document["caveats"]}


class TestRefusals:
    def test_a_busy_tracer_is_one_line(self, drmbench: Any, traced: Tracefs) -> None:
        (traced.root / "current_tracer").write_text("function\n")
        ran = run(drmbench)
        assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert "EBUSY: somebody uses it: current_tracer is function" in ran.err

    def test_no_tracefs_is_said_before_anything_is_done(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing() -> Tracefs:
            raise DrmbenchError("trace", "tracefs", reason="it is not mounted", remedy="mount it")

        monkeypatch.setattr("drmbench.trace_runner.find_tracefs", missing)
        monkeypatch.setattr("drmbench.trace_runner.calibrate", lambda: pytest.fail("it was measured"))
        ran = run(drmbench)
        assert (ran.status, ran.err) == (1, "drmbench: trace: tracefs: it is not mounted: mount it\n")

    @pytest.mark.usefixtures("traced")
    def test_memory_without_a_fake_offset_cannot_be_denied(self, drmbench: Any) -> None:
        ran = run(drmbench, "--step", "denied")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert "EOPNOTSUPP: the buffer has no fake offset" in ran.err

    def test_a_report_of_another_command_is_nothing_to_compare_with(self, drmbench: Any, tmp_path: Path) -> None:
        saved = str(tmp_path / "faults.json")
        drmbench("fault-latency", "--device", "memfd", "--size", "16KiB", "--no-baseline", "--json", saved)
        ran = run(drmbench, "--against", saved)
        assert (ran.status, ran.err.count("\n")) == (2, 1)
        assert "this is no report of drmbench trace" in ran.err


class TestFaults:
    @pytest.fixture(autouse=True)
    def _perf(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a machine that lets us use perf would count, where this one does not."""
        def sampled(span: Any) -> Any:
            try:
                return sample_faults(span)
            except OSError:
                pytest.skip("perf_event_open() is refused here")

        monkeypatch.setattr(fault_check, "sample_faults", sampled)

    @pytest.mark.parametrize("access", ["write", "read"])
    def test_both_counts_are_the_same(self, drmbench: Any, access: str) -> None:
        ran = run(drmbench, "--faults", "--access", access, "--size", "4MiB")
        assert ran.status == 0, ran.err
        check = ran.json["results"][0]["check"]
        assert (check["how"], check["equal"]) == ("perf", True)
        assert check["touch_faults"] == check["kernel_faults"] > 0
        assert ran.json["results"][0]["steps"] == []

    @pytest.mark.parametrize("change", [
        lambda seen: dataclasses.replace(seen, inside=seen.inside - 1),
        lambda seen: dataclasses.replace(seen, lost=1),
        lambda seen: dataclasses.replace(seen, by_page=np.roll(np.append(seen.by_page[1:], 3), 0).astype(np.uint8)),
    ])
    def test_a_disagreement_is_an_error(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
        monkeypatch.setattr(fault_check, "sample_faults", lambda span: change(sample_faults(span)))
        ran = run(drmbench, "--faults")
        assert ran.status == 1
        assert "memfd memfd: --faults: the touch loop counted" in ran.err
        assert not ran.json["results"][0]["check"]["equal"]

    def test_without_perf_ftrace_counts(
        self, drmbench: Any, traced: Tracefs, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refused(_span: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(fault_check, "sample_faults", refused)
        before = state(traced)
        ran = run(drmbench, "--faults", "--size", "4KiB")
        # The recording has no fault of this run's mapping, which is a disagreement.
        check = ran.json["results"][0]["check"]
        assert (ran.status, check["how"], check["kernel_faults"], check["outside"]) == (1, "tracepoint", 0, 1)
        assert "perf-refused" in {caveat["id"] for caveat in ran.json["caveats"]}
        assert state(traced) == before

    def test_faults_of_the_mapping_are_told_from_others(self) -> None:
        total = Counted("tracepoint", np.zeros(4, np.uint8), 0, 0)
        ours = add_trace(total, SAMPLE, ADDRESS - 4096, 4 * 4096)
        assert (ours.inside, ours.outside, ours.by_page.tolist()) == (1, 0, [0, 1, 0, 0])
        others = add_trace(dataclasses.replace(total, by_page=np.zeros(4, np.uint8)), SAMPLE, 0x1000, 4 * 4096)
        assert (others.inside, others.outside, others.by_page.tolist()) == (0, 1, [0, 0, 0, 0])

    def test_a_second_attempt_at_a_fault_is_none(self) -> None:
        fault = "33.6 |   0)  ftouch-195   |               |  /* page_fault_user: address=0x1000 ip=0x1 error_code=6 */"
        handled = "33.6 |   0)  ftouch-195   | + 10.000 us   |  handle_mm_fault();"
        lines = ["/* drmbench:touch:begin */", fault, handled, handled, fault, handled, "/* drmbench:touch:end */"]
        text = "\n".join(lines)
        found = add_trace(Counted("tracepoint", np.zeros(1, np.uint8), 0, 0), text, 0x1000, 4096)
        assert (found.inside, found.outside, found.by_page.tolist()) == (2, 0, [2])

    def test_with_neither_perf_nor_addresses_nothing_is_counted(
        self, drmbench: Any, traced: Tracefs, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refused(_span: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(fault_check, "sample_faults", refused)
        (traced.root / "events/exceptions/page_fault_user/enable").unlink()
        ran = run(drmbench, "--faults", "--size", "4KiB")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert "EOPNOTSUPP: perf_event_open() is refused, and this kernel has no tracepoint" in ran.err
