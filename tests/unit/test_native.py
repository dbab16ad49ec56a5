# SPDX-License-Identifier: MIT
"""The C kernels against known counts: faults, samples, signals, clock and histogram."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drmbench import native

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = mmap.PAGESIZE
PAGES = 23  # a prime, so that no window and no huge page divides it
RW = mmap.PROT_READ | mmap.PROT_WRITE
SHARED_ANON = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
PR_SET_THP_DISABLE = 41


@pytest.fixture(autouse=True)
def _no_huge_pages() -> Iterator[None]:
    libc = ctypes.CDLL(None)
    assert libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0
    yield
    libc.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)


@pytest.fixture(scope="module", autouse=True)
def clock() -> native.Clock:
    return native.calibrate_clock()


@pytest.fixture
def address() -> Iterator[int]:
    """A fresh shared anonymous mapping of 23 pages."""
    mapped, _stage = native.timed_mmap(0, PAGES * PAGE, RW, SHARED_ANON, -1, 0)
    yield mapped
    native.timed_munmap(mapped, PAGES * PAGE)


def span(address: int, access: int = native.WRITE, order: list[int] | None = None) -> native.Span:
    pages = np.array(range(PAGES) if order is None else order, dtype=np.uint32)
    return native.Span(address, PAGES * PAGE, PAGE, pages, access)


class TestTouch:
    """23 pages give 23 faults and 23 samples."""

    @pytest.mark.parametrize("access", [native.READ, native.WRITE, native.WRITE_NOTHING])
    def test_counting_sees_one_fault_for_each_page(self, address: int, access: int) -> None:
        assert span(address, access).count_faults().tolist() == [1] * PAGES

    def test_counting_again_sees_none(self, address: int) -> None:
        span(address).count_faults()
        assert span(address).count_faults().tolist() == [0] * PAGES

    def test_timing_gives_one_sample_for_each_touch(self, address: int) -> None:
        faulted, hit = native.Histogram(), native.Histogram()
        expected = np.ones(PAGES, dtype=np.uint8)
        expected[5] = 0
        stage = span(address).time_touches(expected, faulted, hit)
        assert (faulted.count, hit.count) == (PAGES - 1, 1)
        assert stage.faults == PAGES
        assert int(faulted.bucket_counts().sum()) == PAGES - 1
        assert stage.ns > 0

    def test_each_touch_can_be_kept_by_itself(self, address: int) -> None:
        faulted, hit = native.Histogram(), native.Histogram()
        ticks = np.zeros(PAGES, dtype=np.uint32)
        span(address).time_touches(np.ones(PAGES, dtype=np.uint8), faulted, hit, ticks)
        assert (int(ticks.min()), int(ticks.max())) == faulted.extremes_ticks
        assert int(ticks.sum(dtype=np.uint64)) == faulted.native.sum_ticks
        with pytest.raises(TypeError, match="uint32"):
            span(address).time_touches(np.ones(PAGES, dtype=np.uint8), faulted, hit, ticks[:-1])

    def test_the_sum_pass_counts_the_same(self, address: int) -> None:
        assert span(address).time_sum().faults == PAGES
        assert span(address).time_sum().faults == 0

    def test_only_the_ordered_pages_are_touched(self, address: int) -> None:
        assert span(address, order=[3, 3, 19]).count_faults().tolist() == [1, 0, 1]
        assert span(address).count_faults().sum() == PAGES - 2

    def test_write_nothing_keeps_every_byte_and_write_does_not(self, address: int) -> None:
        memory = (ctypes.c_uint8 * (PAGES * PAGE)).from_address(address)
        memory[7 * PAGE] = 0xA5
        span(address, native.WRITE_NOTHING).time_sum()
        assert memory[7 * PAGE] == 0xA5
        span(address, native.WRITE).time_sum()
        assert memory[7 * PAGE] != 0xA5

    def test_a_page_outside_the_mapping_is_never_touched(self, address: int) -> None:
        with pytest.raises(ValueError, match="outside"):
            span(address, order=[PAGES])


class TestChild:
    """A forked child counts for itself, and finds of a mapping what fork() copied."""

    @pytest.fixture
    def private(self) -> Iterator[int]:
        """A private mapping of 23 written pages."""
        mapped, _stage = native.timed_mmap(0, PAGES * PAGE, RW, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        span(mapped).count_faults()
        yield mapped
        native.timed_munmap(mapped, PAGES * PAGE)

    def test_copied_page_tables_take_no_fault_to_read_and_one_to_write(self, private: int) -> None:
        assert span(private, native.READ).count_faults_in_child().sum() == 0
        assert list(span(private).count_faults_in_child()) == [1] * PAGES

    def test_a_shared_mapping_of_a_file_is_not_copied_but_faults_again(self, address: int) -> None:
        span(address).count_faults()
        assert list(span(address).count_faults_in_child()) == [1] * PAGES
        assert span(address).count_faults().sum() == 0

    def test_what_the_child_does_not_have_is_its_segfault_and_no_death(self, private: int) -> None:
        native.timed_madvise(private, PAGES * PAGE, mmap.MADV_DONTFORK)
        with pytest.raises(native.TouchFaultError) as fault:
            span(private, native.READ).count_faults_in_child()
        assert (fault.value.signal_number, fault.value.address) == (signal.SIGSEGV, private)

    def test_no_child_is_left(self, private: int) -> None:
        span(private).count_faults_in_child()
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


class TestSignals:
    """A page that cannot be had ends the pass, not the process."""

    @pytest.fixture
    def truncated(self, tmp_path: Path) -> Iterator[int]:
        """A mapping of 23 pages of a file that has only 9."""
        with (tmp_path / "file").open("wb+") as file:
            file.truncate(PAGES * PAGE)
            mapped, _stage = native.timed_mmap(0, PAGES * PAGE, RW, mmap.MAP_SHARED, file.fileno(), 0)
            file.truncate(9 * PAGE)
            yield mapped
            native.timed_munmap(mapped, PAGES * PAGE)

    def test_sigbus_names_the_page(self, truncated: int) -> None:
        with pytest.raises(native.TouchFaultError) as stop:
            span(truncated, native.READ).count_faults()
        assert stop.value.signal_number == signal.SIGBUS
        assert stop.value.address == truncated + 9 * PAGE
        assert stop.value.touches_done == 9

    def test_every_kind_of_pass_is_guarded(self, truncated: int) -> None:
        broken = span(truncated)
        with pytest.raises(native.TouchFaultError):
            broken.time_sum()
        with pytest.raises(native.TouchFaultError):
            broken.time_touches(np.ones(PAGES, dtype=np.uint8), native.Histogram(), native.Histogram())

    def test_sigsegv_of_a_read_only_mapping(self) -> None:
        mapped, _stage = native.timed_mmap(0, PAGES * PAGE, mmap.PROT_READ, SHARED_ANON, -1, 0)
        try:
            with pytest.raises(native.TouchFaultError) as stop:
                span(mapped).time_sum()
            assert stop.value.signal_number == signal.SIGSEGV
        finally:
            native.timed_munmap(mapped, PAGES * PAGE)

    def test_a_fault_elsewhere_still_kills(self) -> None:
        program = (
            "import ctypes, mmap, numpy as np\n"
            "from drmbench import native\n"
            f"a, _ = native.timed_mmap(0, {PAGE}, 3, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, -1, 0)\n"
            f"native.Span(a, {PAGE}, {PAGE}, np.zeros(1, dtype=np.uint32), native.WRITE).time_sum()\n"
            "ctypes.string_at(8)\n"
        )
        ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, timeout=60)
        assert ended.returncode == -signal.SIGSEGV


class TestStages:
    """Timed system calls return what the kernel said."""

    def test_a_refusal_is_an_oserror_with_its_errno(self) -> None:
        with pytest.raises(OSError, match="Bad file descriptor"):
            native.timed_close(987654)
        with pytest.raises(OSError, match="Invalid argument"):
            native.timed_mmap(0, 0, RW, SHARED_ANON, -1, 0)

    def test_no_descriptor_is_left(self, tmp_path: Path) -> None:
        before = set(os.listdir("/proc/self/fd"))
        fd, _stage = native.timed_memfd("test", PAGE)
        native.timed_close(fd)
        with pytest.raises(OSError, match="No such file"):
            native.timed_open(str(tmp_path / "missing"), os.O_RDONLY)
        with pytest.raises(OSError, match=r"File too large|Invalid argument"):
            native.timed_memfd("too large", (1 << 63) + 1)
        assert set(os.listdir("/proc/self/fd")) == before

    def test_populate_faults_are_counted_in_mmap(self) -> None:
        mapped, stage = native.timed_mmap(0, PAGES * PAGE, RW, SHARED_ANON | mmap.MAP_POPULATE, -1, 0)
        native.timed_munmap(mapped, PAGES * PAGE)
        assert stage.faults == PAGES


class TestClock:
    """The clock agrees with the kernel's and knows what it costs."""

    def test_its_cost_and_step_are_measured(self, clock: native.Clock) -> None:
        assert 0 < clock.resolution_ns < 1000
        assert 0 < clock.overhead_ns < 10_000

    def test_both_sources_time_the_same_work_alike(self) -> None:
        medians = {}
        for source in ("best", "clock_gettime"):
            native.calibrate_clock(source)
            times = []
            for _ in range(50):
                mapped, _stage = native.timed_mmap(0, PAGES * PAGE, RW, SHARED_ANON, -1, 0)
                times.append(span(mapped).time_sum().ns)
                native.timed_munmap(mapped, PAGES * PAGE)
            medians[source] = sorted(times)[25]
        native.calibrate_clock()
        assert 0.3 < medians["best"] / medians["clock_gettime"] < 3

    def test_an_unknown_source_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no clock"):
            native.calibrate_clock("sundial")
        foreign = "cntvct_el0" if os.uname().machine == "x86_64" else "tsc"
        with pytest.raises(OSError, match="Invalid argument"):
            native.calibrate_clock(foreign)


class TestHistogram:
    """Log-linear buckets: each value lies in its own, none wider than 0.8 %."""

    @pytest.mark.parametrize("ticks", [0, 1, 127, 128, 129, 255, 256, 1000, 12345, 2**20 + 1, 2**43 + 12345])
    def test_a_value_lies_within_its_bucket(self, ticks: int) -> None:
        histogram = native.Histogram()
        histogram.add(ticks)
        (bucket,) = np.flatnonzero(histogram.bucket_counts())
        lower = native.bucket_lower_ticks()
        assert lower[bucket] <= ticks < lower[bucket + 1]
        assert lower[bucket + 1] - lower[bucket] <= max(1, ticks / 128)
        assert histogram.extremes_ticks == (ticks, ticks)

    def test_enormous_values_go_to_the_last_bucket(self) -> None:
        histogram = native.Histogram()
        histogram.add(2**63 - 1)  # from there on a sample is below zero
        assert histogram.bucket_counts()[-1] == 1

    def test_the_bounds_rise_without_a_gap(self) -> None:
        steps = np.diff(native.bucket_lower_ticks())
        assert (steps > 0).all()
        assert (np.diff(steps) >= 0).all()
