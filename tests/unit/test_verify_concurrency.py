# SPDX-License-Identifier: MIT
"""Cases with threads, signals and limits: they find what they look for, and give back what they took."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from drmbench.conformance.case import Skipped
from drmbench.conformance.cases import CASES
from drmbench.conformance.cgroup import memory_cgroup
from drmbench.conformance.isolation import Place, work_through
from drmbench.conformance.threads import together
from drmbench.drivers.baselines import MemfdBackend
from drmbench.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.drivers.protocol import BufferObject, MmapOffset
    from drmbench.native import Stage

SIZE = 1 << 16


class Shrinking(MemfdBackend):
    """Its buffers lose their pages when their handle is closed, mapped or not."""

    def destroy(self, buffer_object: BufferObject) -> Stage:
        os.ftruncate(buffer_object.handle, 0)
        return super().destroy(buffer_object)


class Interrupted(MemfdBackend):
    """Its offsets cannot be asked for once a signal has come."""

    came = False

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            raise InterruptedError(4, "Interrupted system call")
        return super().map_offset(buffer_object)


def judged(backend: type[MemfdBackend], name: str) -> Any:
    """The judgement of one case on a stand-in."""
    target = Target("baseline", None, "stand-in", "a memfd", ("memfd",), "named",
                    lambda: contextlib.nullcontext(backend()))
    (case,) = [each for each in CASES if each.name == name]
    return work_through(case, Place(target, "memfd", SIZE))


class TestWhatIsFound:
    @pytest.mark.parametrize("name", [
        "concurrency/threads-one-mapping", "concurrency/threads-own-buffers", "concurrency/processes-one-buffer",
        "concurrency/processes-own-buffers", "concurrency/fault-against-munmap", "concurrency/fault-against-destroy",
        "signals/whole-life", "limits/address-space",
    ])
    def test_nothing_where_nothing_is_wrong(self, name: str) -> None:
        assert judged(MemfdBackend, name).verdict == "pass"

    def test_pages_that_go_with_the_handle(self) -> None:
        judgement = judged(Shrinking, "concurrency/fault-against-destroy")
        assert (judgement.verdict, judgement.what) == ("fail", "access to the mapping")
        assert "SIGBUS" in judgement.actual

    def test_a_call_that_a_signal_interrupts(self) -> None:
        judgement = judged(Interrupted, "signals/whole-life")
        assert (judgement.verdict, judgement.actual) == ("fail", "EINTR")

    def test_limits_are_as_before_afterwards(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM)
        judged(MemfdBackend, "limits/address-space")
        judged(MemfdBackend, "signals/whole-life")
        assert (resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM)) == before


class TestThreads:
    def test_they_run_at_the_same_time(self) -> None:
        meeting = threading.Barrier(3)
        assert sorted(together([partial(meeting.wait, 10)] * 3)) == [0, 1, 2]

    def test_what_one_raises_comes_when_all_have_ended(self) -> None:
        ended = []

        def late() -> None:
            time.sleep(0.05)
            ended.append(True)

        with pytest.raises(ZeroDivisionError):
            together([lambda: 1 // 0, late])
        assert ended == [True]


class TestCgroup:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A folder that stands in for /sys/fs/cgroup, where files do not come by themselves."""
        (tmp_path / "cgroup.subtree_control").write_text("cpu memory")
        return tmp_path

    def test_a_root_that_may_not_be_changed_is_a_reason_to_skip(self, tmp_path: Path) -> None:
        with pytest.raises(Skipped, match="ENOENT"), memory_cgroup(1, str(tmp_path)):
            pytest.fail("there is none")

    def test_it_is_limited_and_counts_the_killed(self, root: Path) -> None:
        with memory_cgroup(4096, str(root)) as group:
            (group.folder / "memory.events").write_text("low 0\noom 2\noom_kill 1\n")
            assert (group.folder / "memory.max").read_text() == "4096"
            assert group.killed == 1
            for file in group.folder.iterdir():  # rmdir() of the real thing takes them along
                file.unlink()
        assert [path.name for path in root.iterdir()] == ["cgroup.subtree_control"]
