# SPDX-License-Identifier: MIT
"""One step between two markers, and faults by address: on memory that every machine has."""

from __future__ import annotations

import errno
import mmap
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drmbench import native
from drmbench.workloads.window import NO_MARKERS, Window, sample_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = 64
PAGE = mmap.PAGESIZE
SHARED = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE


def span(address: int, order: list[int], pages: int = PAGES) -> native.Span:
    return native.Span(address, pages * PAGE, PAGE, np.array(order, dtype=np.uint32), native.WRITE)


@pytest.fixture
def markers(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    path = tmp_path / "trace_marker"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    yield fd, path
    os.close(fd)


class TestWindow:
    def test_a_life_between_markers(self, markers: tuple[int, Path]) -> None:
        fd, path = markers
        address, mapped = Window(fd, "mmap").mmap(0, PAGES * PAGE, READ_WRITE, SHARED, -1, 0)
        touched = Window(fd, "touch").touch(span(address, [3]))
        Window(fd, "munmap").munmap(address, PAGES * PAGE)
        assert path.read_text() == "".join(f"drmbench:{step}:{moment}" for step in ("mmap", "touch", "munmap")
                                           for moment in ("begin", "end"))
        assert mapped.ns > 0
        assert touched.faults == 1

    def test_without_markers_nothing_is_written(self) -> None:
        window = Window(NO_MARKERS, "mmap")
        address, _mapped = window.mmap(0, PAGE, READ_WRITE, SHARED, -1, 0)
        assert window.around(lambda: (address, native.Stage(7))) == (address, native.Stage(7))
        window.munmap(address, PAGE)

    def test_what_is_refused_has_its_errno_and_both_markers(self, markers: tuple[int, Path]) -> None:
        fd, path = markers
        with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
            Window(fd, "mmap").mmap(0, 0, READ_WRITE, SHARED, -1, 0)
        assert path.read_text() == "drmbench:mmap:begindrmbench:mmap:end"

    def test_a_signal_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "short"
        path.write_bytes(b"x")
        with path.open("r+b") as file:
            window = Window(NO_MARKERS, "mmap")
            address, _stage = window.mmap(0, 2 * PAGE, READ_WRITE, mmap.MAP_SHARED, file.fileno(), 0)
        with pytest.raises(native.TouchFaultError):
            Window(NO_MARKERS, "touch").touch(span(address, [1], 2))
        Window(NO_MARKERS, "munmap").munmap(address, 2 * PAGE)


def perf_refuses() -> bool:
    address, _stage = native.timed_mmap(0, PAGE, READ_WRITE, SHARED, -1, 0)
    try:
        sample_faults(span(address, [0], 1))
    except OSError:
        return True
    finally:
        native.timed_munmap(address, PAGE)
    return False


@pytest.mark.skipif(perf_refuses(), reason="perf_event_open() is refused here")
class TestFaultSamples:
    def test_every_fault_has_its_page(self) -> None:
        address, _stage = native.timed_mmap(0, PAGES * PAGE, READ_WRITE, SHARED, -1, 0)
        found = sample_faults(span(address, [5, 1, 63]))
        native.timed_munmap(address, PAGES * PAGE)
        assert np.flatnonzero(found.by_page).tolist() == [1, 5, 63]
        assert (found.inside, found.lost) == (3, 0)

    def test_more_touches_than_the_ring_holds_at_once(self) -> None:
        pages = 40_000
        address, _stage = native.timed_mmap(0, pages * PAGE, READ_WRITE, SHARED, -1, 0)
        found = sample_faults(span(address, list(range(pages)), pages))
        native.timed_munmap(address, pages * PAGE)
        assert (found.inside, found.lost) == (pages, 0)
        assert found.by_page.tolist() == [1] * pages

    def test_nothing_stays_open(self) -> None:
        before = set(os.listdir("/proc/self/fd"))
        address, _stage = native.timed_mmap(0, PAGE, READ_WRITE, SHARED, -1, 0)
        sample_faults(span(address, [0], 1))
        native.timed_munmap(address, PAGE)
        assert set(os.listdir("/proc/self/fd")) == before
