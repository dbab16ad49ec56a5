# SPDX-License-Identifier: MIT
"""`drmbench fault-latency` on buffers that every machine has: what it counts, prints and saves."""

from __future__ import annotations

import csv
import io
import json
import mmap
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from peak_memory import peak_mib

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = mmap.PAGESIZE
PAGES = 64
SIZE = str(PAGES * PAGE)
STAGES = {"create", "map_offset", "mmap", "touch", "munmap", "destroy"}


def results(drmbench: Callable[..., Any], *arguments: str) -> list[dict[str, Any]]:
    """The results of one run on a small buffer, without the baselines that run along."""
    ran = drmbench("fault-latency", "--size", SIZE, "--runs", "3", "--no-baseline", "--json", "-", *arguments)
    assert ran.status == 0, ran.err
    found = ran.json["results"]
    assert isinstance(found, list)
    return found


class TestCounts:
    """Faults are counted, so on a known mapping they are known."""

    @pytest.mark.parametrize("device", ["anon", "memfd"])
    def test_a_write_to_each_page_of_shared_memory_faults_once(self, drmbench: Any, device: str) -> None:
        (cold,) = results(drmbench, "--device", device, "--phase", "cold")
        assert cold["faults"]["touch"] == PAGES
        assert cold["faults_per_page"] == 1
        assert cold["prefault_window_pages"] == 1
        assert cold["fault_ns"]["n"] == 3 * PAGES
        assert cold["hit_ns"]["n"] == 0
        assert cold["hit_ns"]["p50"] is None

    def test_no_other_stage_of_a_memfd_faults(self, drmbench: Any) -> None:
        (cold,) = results(drmbench, "--device", "memfd", "--phase", "cold")
        assert {stage: n for stage, n in cold["faults"].items() if n} == {"touch": PAGES}

    def test_a_warm_write_faults_too_because_the_mapping_is_new(self, drmbench: Any) -> None:
        cold, warm = results(drmbench, "--device", "memfd")
        assert (cold["phase"], warm["phase"]) == ("cold", "warm")
        assert warm["faults"]["touch"] == PAGES

    def test_a_warm_read_of_cached_pages_shows_the_fault_around_window(self, drmbench: Any) -> None:
        (warm,) = results(drmbench, "--device", "memfd", "--access", "read", "--phase", "warm")
        window = warm["prefault_window_pages"]
        assert window > 1
        assert warm["faults"]["touch"] <= PAGES // window + 1
        assert warm["hit_ns"]["n"] == 3 * PAGES - warm["fault_ns"]["n"]

    @pytest.mark.parametrize("order", ["reverse", "random", "stride:7"])
    def test_the_order_changes_neither_the_count_nor_the_window(self, drmbench: Any, order: str) -> None:
        (cold,) = results(drmbench, "--device", "memfd", "--phase", "cold", "--order", order)
        assert cold["order"] == order
        assert cold["faults"]["touch"] == PAGES
        assert cold["prefault_window_pages"] == 1

    def test_read_then_write_reports_both_passes(self, drmbench: Any) -> None:
        (cold,) = results(drmbench, "--device", "memfd", "--phase", "cold", "--access", "read-then-write")
        assert [p["access"] for p in cold["passes"]] == ["read", "write"]
        assert [p["faults"] for p in cold["passes"]] == [PAGES, 0]
        assert cold["fault_ns"]["n"] + cold["hit_ns"]["n"] == 3 * 2 * PAGES

    def test_all_accesses_are_separate_results(self, drmbench: Any) -> None:
        found = results(drmbench, "--device", "anon", "--access", "all")
        assert [r["access"] for r in found] == ["write", "read", "read-then-write"]

    def test_anon_has_no_warm_phase_and_says_so(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "anon", "--size", SIZE, "--no-baseline", "--json", "-")
        assert [r["phase"] for r in ran.json["results"]] == ["cold"]
        assert "no-warm-phase" in {c["id"] for c in ran.json["caveats"]}


class TestUserFile:
    """`--device file:PATH`: somebody's file is measured and stays as it is."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "data.bin"
        path.write_bytes(os.urandom(PAGES * PAGE))
        return path

    def test_write_touches_change_no_byte(self, drmbench: Any, file: Path) -> None:
        before = file.read_bytes()
        found = results(drmbench, "--device", f"file:{file}", "--access", "all")
        assert {r["access"] for r in found} == {"write", "read", "read-then-write"}
        assert all(r["fault_ns"]["n"] > 0 for r in found)
        assert file.read_bytes() == before

    def test_a_read_only_file_is_refused_for_writing(self, drmbench: Any, file: Path) -> None:
        if os.geteuid() == 0:
            # Root may write to any file, but not to one that a program is being executed from.
            shutil.copy(shutil.which("sleep") or "/bin/sleep", file)
            file.chmod(0o755)
            process = subprocess.Popen([file, "60"])
        else:
            file.chmod(0o444)
            process = None
        try:
            ran = drmbench("fault-latency", "--device", f"file:{file}", "--size", str(PAGE))
        finally:
            if process is not None:
                process.kill()
                process.wait()
        assert ran.status == 1
        assert ran.err.startswith(f"drmbench: file:{file}: open")
        assert ("ETXTBSY" if process else "EACCES") in ran.err

    def test_a_file_shorter_than_the_default_is_measured_as_far_as_it_goes(self, drmbench: Any, file: Path) -> None:
        ran = drmbench("fault-latency", "--device", f"file:{file}", "--no-baseline", "--json", "-")
        assert {r["size_bytes"] for r in ran.json["results"]} == {PAGES * PAGE}
        assert "size-reduced" in {c["id"] for c in ran.json["caveats"]}

    def test_an_explicit_size_is_never_reduced(self, drmbench: Any, file: Path) -> None:
        ran = drmbench("fault-latency", "--device", f"file:{file}", "--size", str(2 * PAGES * PAGE))
        assert ran.status == 1
        assert "EFBIG" in ran.err


class TestBaselines:
    """anon and memfd run along as the floor, unless told not to."""

    def test_they_run_along(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--runs", "1", "--json", "-")
        assert {r["target"]["driver"] for r in ran.json["results"]} == {"memfd", "anon"}
        assert {r["target"]["kind"] for r in ran.json["results"]} == {"baseline"}

    def test_a_huge_page_setting_is_not_blamed_for_fault_around(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--access", "read", "--json", "-")
        messages = [c["message"] for c in ran.json["caveats"] if c["id"] == "thp-on-baseline"]
        assert not [m for m in messages if "a fault maps a huge page" in m]


class TestDocument:
    """The JSON is the contract; the rest only reads it."""

    def test_it_has_every_field_of_the_contract(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--runs", "2", "--json", "-")
        document = ran.json
        assert document["schema_version"] == 1
        assert document["command"] == "fault-latency"
        machine = {"kernel", "arch", "cpu_model", "page_size_bytes", "virtualization", "emulated", "thp", "governor"}
        assert machine <= set(document["environment"])
        assert all(set(c) == {"id", "message", "remedy"} for c in document["caveats"])
        result = document["results"][0]
        assert set(result["target"]) == {"kind", "node", "driver", "description", "buffer"}
        assert set(result["faults"]) == set(result["stages_ns"]) == STAGES
        assert set(result["fault_ns"]) == {"n", "min", "p50", "p90", "p99", "p999", "max"}
        assert set(result["clock"]) == {"source", "overhead_ns", "resolution_ns"}
        assert result["pages"] * PAGE == result["size_bytes"] == PAGES * PAGE
        assert result["runs"] == 2

    def test_the_percentiles_are_in_order(self, drmbench: Any) -> None:
        fault_ns = results(drmbench, "--device", "memfd")[0]["fault_ns"]
        values = [fault_ns[name] for name in ("min", "p50", "p90", "p99", "p999", "max")]
        assert values == sorted(values)
        assert values[0] > 0

    def test_ns_per_page_is_the_touch_stage_by_page(self, drmbench: Any) -> None:
        result = results(drmbench, "--device", "memfd")[0]
        assert result["ns_per_page"] == pytest.approx(result["stages_ns"]["touch"] / PAGES, abs=0.01)

    def test_the_flags_are_those_of_a_shared_writable_mapping(self, drmbench: Any) -> None:
        flags = results(drmbench, "--device", "memfd")[0]["vm_flags"]
        assert {"rd", "wr", "sh"} <= set(flags)
        assert not {"pf", "io"} & set(flags)

    def test_a_file_is_written_whole_beside_the_table(self, drmbench: Any, tmp_path: Path) -> None:
        path = tmp_path / "report.json"
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--json", str(path))
        assert ran.status == 0
        assert "What a touch costs" in ran.out
        assert json.loads(path.read_text())["command"] == "fault-latency"
        assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


class TestTable:
    """The first screen, without the manual."""

    def test_it_answers_cost_stage_and_floor_in_80_columns(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--access", "all", "--histogram")
        assert ran.status == 0
        assert max(len(line) for line in ran.out.splitlines()) <= 80
        assert "a touch that faults costs" in ran.out
        assert "is paid in" in ran.out
        assert "touches by latency" in ran.out
        assert "…" not in ran.out

    def test_csv_has_a_row_for_each_result(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--format", "csv", "--runs", "1")
        rows = list(csv.DictReader(io.StringIO(ran.out)))
        assert [(r["target.driver"], r["phase"]) for r in rows] == [
            ("memfd", "cold"), ("memfd", "warm"), ("anon", "cold"),
        ]
        assert rows[0]["faults.touch"] == str(PAGES)

    def test_markdown_is_made_of_tables(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--format", "markdown", "--runs", "1")
        table = [line for line in ran.out.splitlines() if line.startswith("|")]
        assert "| memfd | write cold | 1 | 1 |" in "\n".join(table)
        assert len({line.count("|") for line in table[:5]}) == 1


class TestClock:
    """The clock is calibrated and named with every result."""

    def test_the_portable_clock_counts_the_same_faults(
        self, drmbench: Any, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("DRMBENCH_CLOCK", "clock_gettime")
        (cold,) = results(drmbench, "--device", "memfd", "--phase", "cold")
        assert cold["clock"]["source"] == "clock_gettime"
        assert cold["clock"]["resolution_ns"] >= 1
        assert cold["faults"]["touch"] == PAGES
        assert cold["fault_ns"]["p50"] > 0

    def test_pinning_removes_the_caveat(self, drmbench: Any) -> None:
        allowed = os.sched_getaffinity(0)
        try:
            cpu = str(min(allowed))
            ran = drmbench("fault-latency", "--device", "anon", "--size", SIZE, "--cpu", cpu, "--json", "-")
        finally:
            os.sched_setaffinity(0, allowed)
        assert ran.status == 0
        assert "not-pinned" not in {c["id"] for c in ran.json["caveats"]}


class TestMemory:
    """The tool's own memory does not grow with the buffer."""

    def test_thirty_two_times_the_buffer_costs_less_than_8_mib(self) -> None:
        small, large = (peak_mib(f"fault-latency --device memfd --no-baseline --runs 1 --size {size}MiB") - size
                        for size in (16, 512))
        assert large < small + 8
