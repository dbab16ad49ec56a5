# SPDX-License-Identifier: MIT
"""`drmbench scale`: how many faults each worker takes, what happens when one fails, and cost by buffer size."""

from __future__ import annotations

import errno
import json
import mmap
import os
import signal
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peak_memory import peak_mib
from test_hostile_reports import check, edited, run

from drmbench import native
from drmbench.drivers.baselines import MemfdBackend
from drmbench.scale.cpus import cpus_to_use, worker_counts
from drmbench.scale.crew import Crew, Task, WorkerError
from drmbench.scale.expected import Alone, expected_faults
from drmbench.scale.layouts import shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drmbench.drivers.protocol import BufferObject

PAGE = mmap.PAGESIZE
PAGES = 256
SIZE = str(PAGES * PAGE)
KINDS = ("threads", "processes")


@pytest.fixture
def curves(drmbench: Any) -> Callable[..., dict[str, Any]]:
    """Layout -> its curve, of memfd, quickly."""
    def measured(*arguments: str) -> dict[str, Any]:
        ran = drmbench("scale", "--device", "memfd", "--size", SIZE, "--runs", "2", "--json", "-", *arguments)
        assert ran.status == 0, ran.err
        return {result["layout"]: result for result in ran.json["results"]}

    return measured


class TestCounts:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("layout", ["shared-vma-split", "own-vma", "own-buffer", "own-file"])
    def test_each_worker_faults_on_its_own_pages(self, curves: Any, kind: str, layout: str) -> None:
        one, two, three = curves("--layout", layout, f"--{kind}", "2,3")[layout]["points"]
        assert one["faults_per_worker"] == [PAGES]
        assert two["faults_per_worker"] == [PAGES // 2] * 2
        assert three["faults_per_worker"] == [85, 85, 86]
        for point in (one, two, three):
            assert point["touches"] == point["faults"] == point["expected_min"] == point["expected_max"] == PAGES
            assert (point["fault_ns"]["n"], point["hit_ns"]["n"]) == (2 * PAGES, 0)

    def test_threads_that_touch_the_same_pages_share_their_faults(self, curves: Any) -> None:
        _one, two = curves("--layout", "shared-vma-same", "--threads", "2")["shared-vma-same"]["points"]
        assert two["touches"] == 2 * PAGES
        assert PAGES <= two["faults"] == sum(two["faults_per_worker"]) <= 2 * PAGES
        assert two["fault_ns"]["n"] + two["hit_ns"]["n"] == 2 * two["touches"]

    def test_processes_that_touch_the_same_pages_each_take_them_all(self, curves: Any) -> None:
        _one, two = curves("--layout", "shared-vma-same", "--processes", "2")["shared-vma-same"]["points"]
        assert two["faults_per_worker"] == [PAGES] * 2

    @pytest.mark.parametrize("arguments", [("--phase", "warm"), ("--access", "read")])
    def test_other_touches(self, curves: Any, arguments: tuple[str, ...]) -> None:
        (curve,) = curves("--layout", "shared-vma-split", "--threads", "2", *arguments).values()
        for point in curve["points"]:
            assert point["expected_min"] <= point["faults"] <= point["expected_max"] <= PAGES

    def test_efficiency_is_the_rate_over_that_of_one_worker(self, curves: Any) -> None:
        one, two = curves("--layout", "own-buffer", "--threads", "2")["own-buffer"]["points"]
        assert one["efficiency"] == 1
        assert two["efficiency"] == pytest.approx(two["faults_per_s"] / (2 * one["faults_per_s"]), rel=0.01)
        assert two["wall_ns"] > 0

    def test_what_a_prefault_window_lets_expect(self) -> None:
        ttm = Alone(1024, 64, 16)
        assert expected_faults(ttm, "shared-vma-split", "threads", 1) == (64, 64)
        assert expected_faults(ttm, "shared-vma-split", "threads", 4) == (64, 68)
        assert expected_faults(ttm, "own-buffer", "threads", 3) == (66, 69)
        assert expected_faults(ttm, "shared-vma-same", "processes", 3) == (192, 192)
        assert expected_faults(ttm, "shared-vma-same", "threads", 3) == (64, 192)
        assert expected_faults(Alone(1024, 2048, 1), "own-vma", "processes", 3) == (2048, 2048)
        assert expected_faults(Alone(1024, 0, None), "own-vma", "threads", 3) == (0, 0)

    def test_shares_leave_no_page_out(self) -> None:
        assert shares(10, 3) == [(0, 3), (3, 3), (6, 4)]


class TestWorkers:
    def test_by_default_up_to_the_cpus(self, curves: Any) -> None:
        (curve,) = curves("--layout", "own-vma", "--threads", "1").values()
        assert curve["points"][0]["cpus"] == [cpus_to_use()[0]]
        assert set(cpus_to_use()) == os.sched_getaffinity(0)
        assert worker_counts(1) == (1,)
        assert worker_counts(6) == (1, 2, 3, 4, 6)
        assert worker_counts(64) == (1, 2, 3, 4, 8, 16, 32, 64)

    def test_more_workers_than_cpus_are_labelled(self, drmbench: Any) -> None:
        many = len(cpus_to_use()) + 1
        ran = drmbench("scale", "--device", "memfd", "--size", SIZE, "--runs", "1", "--threads", str(many))
        assert ran.status == 0, ran.err
        assert f" {many}* " in ran.out
        assert "oversubscribed" in ran.out

    def test_a_buffer_that_is_its_mapping_is_mapped_once(self, drmbench: Any) -> None:
        arguments = ("scale", "--device", "anon", "--no-baseline", "--size", SIZE, "--runs", "1", "--threads", "2")
        ran = drmbench(*arguments, "--layout", "all", "--json", "-")
        assert ran.status == 0, ran.err
        assert "own-vma" not in {result["layout"] for result in ran.json["results"]}
        assert [c["id"] for c in ran.json["caveats"]].count("layout-left-out") == 1
        ran = drmbench(*arguments, "--layout", "own-vma")
        assert (ran.status, ran.err.count("\n"), "mapped again" in ran.err) == (1, 1, True)

    @pytest.mark.parametrize(("arguments", "words"), [
        (("--threads", "0"), "1 to 1024 workers"),
        (("--threads", "two"), "no list of numbers"),
        (("--processes", "4096"), "1 to 1024 workers"),
        (("--layout", "heap"), "heap is no layout"),
        (("--threads", "2", "--max-workers", "4"), "--max-workers"),
        (("--size-sweep", "4KiB"), "no range"),
        (("--size-sweep", "8KiB..4KiB"), "more than"),
        (("--size-sweep", "4KiB..8KiB", "--threads", "2"), "leave --threads out"),
        (("--cpu", "0"), "taskset"),
    ])
    def test_what_makes_no_sense(self, drmbench: Any, arguments: tuple[str, ...], words: str) -> None:
        ran = drmbench("scale", "--device", "memfd", *arguments)
        assert (ran.status, ran.out, ran.err.count("\n"), words in ran.err) == (2, "", 1, True), ran.err

    def test_too_few_pages(self, drmbench: Any) -> None:
        ran = drmbench("scale", "--device", "memfd", "--size", "4KiB", "--threads", "2")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert "1 pages are too few for 2 workers" in ran.err


@pytest.fixture
def memory() -> Iterator[int]:
    """The address of PAGES pages, of which a file behind them has half."""
    fd = os.memfd_create("half")
    os.ftruncate(fd, PAGES * PAGE // 2)
    address, _stage = native.timed_mmap(0, PAGES * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
    os.close(fd)
    yield address
    native.timed_munmap(address, PAGES * PAGE)


def tasks(address: int, *shares_of: tuple[int, int], cpu: int = -1) -> list[Task]:
    """A worker for each (first page, pages)."""
    return [Task(address, first, pages, native.WRITE, cpu) for first, pages in shares_of]


class TestFailures:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_signal_of_a_touch_names_the_worker_and_the_page(self, memory: int, kind: Any) -> None:
        with Crew(kind, "whole", tasks(memory, (0, PAGES // 2), (PAGES // 2, PAGES // 2))) as crew:
            crew.start()
            with pytest.raises(WorkerError) as failed:
                crew.wait()
        assert (failed.value.number, failed.value.errno) == (1, errno.EFAULT)
        assert failed.value.reason == f"SIGBUS at page {PAGES // 2} of its mapping"

    def test_a_process_that_is_killed_ends_the_others(self, memory: int) -> None:
        with Crew("processes", "whole", tasks(memory, (0, 1), (1, 1), (2, 1))) as crew:
            pids = crew.start()
            os.kill(pids[1], signal.SIGKILL)
            started = time.monotonic()
            with pytest.raises(WorkerError) as failed:
                crew.wait()
        assert time.monotonic() - started < 30
        assert (failed.value.number, failed.value.reason) == (1, "it was killed by SIGKILL")
        self.no_child_is_left()

    def test_a_process_that_stands_still_is_not_waited_for_for_ever(self, memory: int) -> None:
        with Crew("processes", "whole", tasks(memory, (0, 1), (1, 1))) as crew:
            os.kill(crew.start()[0], signal.SIGSTOP)
            with pytest.raises(TimeoutError):
                crew.wait(limit_s=0.3)
        self.no_child_is_left()

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_crew_that_is_given_up_is_gone(self, memory: int, kind: Any) -> None:
        with Crew(kind, "single", tasks(memory, (0, 1), (1, 1))) as crew:
            crew.start()
        self.no_child_is_left()

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_cpu_that_is_not_there(self, memory: int, kind: Any) -> None:
        with Crew(kind, "whole", tasks(memory, (0, 1), cpu=8000)) as crew:
            crew.start()
            with pytest.raises(WorkerError, match=r"on CPU 8000: .*EINVAL"):
                crew.wait()

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_buffer_without_its_last_pages_is_one_line(self, drmbench: Any, kind: str, monkeypatch: Any) -> None:
        create = MemfdBackend.create

        def cut(self: MemfdBackend, name: str, size_bytes: int) -> tuple[BufferObject, native.Stage]:
            made, stage = create(self, name, size_bytes)
            if size_bytes < PAGES * PAGE:  # not the one that is only counted
                os.ftruncate(made.handle, PAGE)
            return made, stage

        monkeypatch.setattr(MemfdBackend, "create", cut)
        ran = drmbench("scale", "--device", "memfd", "--size", SIZE, f"--{kind}", "2", "--layout", "own-buffer")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert "own-buffer, 2 " in ran.err
        assert "SIGBUS at page 1 of its mapping" in ran.err

    def no_child_is_left(self) -> None:
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


@pytest.fixture
def sweep(drmbench: Any) -> Callable[..., dict[str, Any]]:
    """A sweep of memfd, quickly."""
    def measured(sizes: str, *arguments: str) -> dict[str, Any]:
        ran = drmbench("scale", "--device", "memfd", "--size-sweep", sizes, "--runs", "2", "--json", "-", *arguments)
        assert ran.status == 0, ran.err
        document = ran.json
        assert isinstance(document, dict)
        return document

    return measured


class TestSizes:
    def test_each_size_is_measured(self, sweep: Any) -> None:
        (result,) = sweep("4KiB..1MiB")["results"]
        assert [size["pages"] for size in result["sizes"]] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
        for size in result["sizes"]:
            assert size["faults_per_page"] == 1
            assert size["faults"]["touch"] == size["pages"]
            assert size["repeats"] == max(1, min(64, 512 // size["pages"]))
            assert len(size["total_ns_runs"]) == 2
            assert size["total_ns_per_page"] > size["touch_ns_per_page"] > 0

    def test_the_last_size_need_not_be_a_doubled_one(self, sweep: Any) -> None:
        (result,) = sweep("4KiB..12KiB")["results"]
        assert [size["pages"] for size in result["sizes"]] == [1, 2, 3]

    def test_a_size_that_does_not_fit_is_said_and_the_others_go_on(self, sweep: Any, monkeypatch: Any) -> None:
        monkeypatch.setattr("drmbench.measurement.memory_available_bytes", lambda: 64 * PAGE)
        document = sweep("4KiB..1MiB")
        (result,) = document["results"]
        assert [size["errno"] for size in result["sizes"]] == [None] * 6 + ["ENOMEM"] * 3
        assert result["sizes"][-1]["total_ns_per_page"] is None
        assert "size-refused" in {caveat["id"] for caveat in document["caveats"]}

    def test_memory_stays_what_it_was(self) -> None:
        small, large = (
            peak_mib(f"scale --device memfd --runs 1 --size-sweep {size}MiB..{size}MiB",
                     f"scale --device memfd --runs 1 --size {size}MiB --threads 2") - size
            for size in (64, 512)
        )
        assert large < small + 8


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scale")
    kinds = {
        "crews": ("--size", SIZE, "--threads", "1,2", "--layout", "all"), "sizes": ("--size-sweep", "4KiB..1MiB"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drmbench.measuring_lock._NAME", "\0drmbench-test-shown")
        for name, arguments in kinds.items():
            ran = run("scale", "--device", "memfd", "--device", "anon", "--runs", "1", *arguments,
                      "--json", str(folder / name))
            assert ran.status == 0, ran.err
    return {name: folder / name for name in kinds}


class TestShown:
    @pytest.mark.parametrize(("name", "words"), [("crews", "effic."), ("sizes", "Knee: ")])
    def test_as_text(self, saved: dict[str, Path], name: str, words: str) -> None:
        shown = run("show", str(saved[name]))
        assert words in shown.out
        assert max(map(len, shown.out.splitlines())) <= 80

    @pytest.mark.parametrize(("name", "rows"), [("crews", 18), ("sizes", 18)])
    def test_as_csv_with_a_row_for_each_point(self, saved: dict[str, Path], name: str, rows: int) -> None:
        shown = run("show", str(saved[name]), "--format", "csv")
        assert shown.out.count("\n") == rows + 1

    @pytest.mark.parametrize(("name", "picture"), [("crews", "scaling"), ("sizes", "sizes")])
    def test_as_a_picture(self, saved: dict[str, Path], name: str, picture: str, tmp_path: Path) -> None:
        page, drawn = tmp_path / "page.html", tmp_path / "drawn.svg"
        shown = run("show", str(saved[name]), "--html", str(page), "--svg", f"{picture}:{drawn}")
        assert shown.status == 0, shown.err
        root = ET.fromstring(drawn.read_text())  # noqa: S314 (made here a moment ago)
        assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) >= 18
        assert f'data-picture="{picture}"' in page.read_text()

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(data=st.data())
    def test_sizes_edited_by_hand(self, saved: dict[str, Path], data: st.DataObject) -> None:
        document = edited(json.loads(saved["sizes"].read_text()), data)
        path = saved["sizes"].with_name("edited")
        path.write_text(json.dumps(document))
        check(run("show", str(path)), "table")

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(name=st.sampled_from(["crews", "sizes"]), data=st.data())
    def test_pictures_of_what_was_edited(self, saved: dict[str, Path], name: str, data: st.DataObject) -> None:
        document = edited(json.loads(saved[name].read_text()), data)
        path = saved[name].with_name("edited")
        path.write_text(json.dumps(document))
        shown = run("show", str(path), "--html", "-")
        assert shown.status in {0, 1}
        assert shown.err.count("\n") == shown.status
