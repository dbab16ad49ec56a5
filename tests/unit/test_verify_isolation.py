# SPDX-License-Identifier: MIT
"""A case may crash, hang, leak or upset the kernel: it is told apart, it ends, and nothing of it stays."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from drmbench.conformance import isolation
from drmbench.conformance.calls import RefusedError, madvise
from drmbench.conformance.case import Case, Failed, case, expect, expect_errno, expect_signal
from drmbench.conformance.child import ForkedChild
from drmbench.conformance.isolation import Ended, Place, run_case
from drmbench.conformance.kernel_log import KernelLog, complaints_in
from drmbench.targets import find_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drmbench.conformance.subject import Subject
    from drmbench.conformance.verdict import Judgement

SIZE = 16 * mmap.PAGESIZE
LIMIT_S = 20.0


def made(run: Callable[[Subject], None], limit_s: float = LIMIT_S) -> Case:
    return case("made-up/case", rule="r", source="s", time_limit_s=limit_s)(run)


@pytest.fixture
def place() -> Place:
    """Where the cases run: a memfd."""
    targets, _unusable = find_targets(["memfd"], writing=True, floor=False)
    return Place(targets[0], "memfd", SIZE)


@pytest.fixture
def kmsg(tmp_path: Path) -> Path:
    """A file that stands in for /dev/kmsg."""
    path = tmp_path / "kmsg"
    path.write_text("6,1,1,-;WARNING: CPU: 0 PID: 1 at before.c:1 long ago\n")
    return path


@pytest.fixture
def ended(place: Place, kmsg: Path) -> Iterator[Callable[..., Ended]]:
    """Run one function as a case on a memfd."""
    with KernelLog(str(kmsg)) as log:
        yield lambda run, limit_s=LIMIT_S: run_case(made(run, limit_s), place, log)


@pytest.fixture
def judged(ended: Any) -> Callable[..., Judgement]:
    """The same, with the judgement alone."""
    return lambda *arguments: ended(*arguments).judgement


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestEnds:
    def test_well(self, ended: Any) -> None:
        how = ended(lambda _subject: None)
        assert (how.judgement.verdict, how.kernel_log) == ("pass", [])
        assert how.duration_ns > 0

    def test_by_a_crash(self, judged: Any) -> None:
        judgement = judged(lambda _subject: ctypes.string_at(0))
        assert (judgement.verdict, judgement.actual) == ("fail", "it was killed by SIGSEGV")

    def test_by_killing_itself(self, judged: Any) -> None:
        judgement = judged(lambda _subject: os.kill(os.getpid(), signal.SIGKILL))
        assert (judgement.verdict, judgement.actual) == ("fail", "it was killed by SIGKILL")

    def test_by_going_away_without_a_word(self, judged: Any) -> None:
        judgement = judged(lambda _subject: os._exit(3))
        assert judgement.verdict == "broken"
        assert "exit status 3" in judgement.reason

    def test_by_the_time_limit_with_all_that_it_forked(self, judged: Any, tmp_path: Path) -> None:
        path = tmp_path / "pid"

        def hangs(_subject: Subject) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            pid = os.fork()
            path.write_text(str(pid or os.getpid()))
            time.sleep(1000)

        started = time.monotonic()
        judgement = judged(hangs, 0.5)
        assert time.monotonic() - started < LIMIT_S
        assert (judgement.verdict, judgement.expected) == ("fail", "it ends within 0.5 s")
        assert judgement.actual.startswith("it had to be killed (state S")
        deadline = time.monotonic() + 10
        while alive(int(path.read_text())) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not alive(int(path.read_text()))

    def test_not_at_all_is_reported_and_left_behind(self, judged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        # A process in uninterruptible sleep looks like one that nobody kills.
        monkeypatch.setattr(ForkedChild, "kill", lambda _self: None)
        monkeypatch.setattr(isolation, "_DIES_WITHIN_S", 0.2)
        judgement = judged(lambda _subject: time.sleep(1000), 0.2)
        assert judgement.verdict == "fail"
        said = judgement.actual
        assert said.startswith("SIGKILL does not end it (state ")
        pid = int(said.partition("; process ")[2].split()[0])
        assert alive(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def test_with_an_unexpected_refusal(self, judged: Any) -> None:
        judgement = judged(lambda _subject: madvise(1, mmap.PAGESIZE, 0))
        assert (judgement.verdict, judgement.what, judgement.actual) == ("fail", "madvise", "EINVAL")


def leak_a_mapping(subject: Subject) -> None:
    with subject.buffer() as buffer:
        buffer.map(buffer.locate()[0], mmap.PROT_READ | mmap.PROT_WRITE)


def forks_and_leaves(_subject: Subject) -> None:
    if os.fork() == 0:
        time.sleep(1000)


class TestLeftBehind:
    @pytest.mark.parametrize(("leak", "says"), [
        (lambda _subject: os.open("/dev/null", os.O_RDONLY), "-> /dev/null"),
        (leak_a_mapping, "64 KiB mapped rw-s from /memfd:drmbench"),
        (lambda _subject: os.close(0), "descriptor 0 of the harness was closed"),
        (forks_and_leaves, "a process that it forked"),
    ])
    def test_fails_a_case_that_passed(self, judged: Any, leak: Any, says: str) -> None:
        judgement = judged(leak)
        assert (judgement.verdict, judgement.what) == ("fail", "left behind")
        assert says in judgement.actual

    def test_memory_that_stays_when_the_process_is_gone(self, judged: Any, tmp_path: Path) -> None:
        held = [os.memfd_create("drmbench-test") for _run in range(4)]
        runs = tmp_path / "runs"

        def leaks(_subject: Subject) -> None:
            with runs.open("a") as file:
                file.write("x")
            os.write(held[runs.stat().st_size], bytes(1 << 20))

        try:
            judgement = judged(leaks)
        finally:
            for fd in held:
                os.close(fd)
        assert runs.stat().st_size == 3
        assert (judgement.verdict, judgement.what) == ("fail", "left behind")
        assert "of shared memory, 3 times in a row" in judgement.actual


class TestKernelLog:
    trace = (
        "4,10,5,-;------------[ cut here ]------------\n4,11,5,-;WARNING: CPU: 0 PID: 7 at drivers/gpu/drm/x.c:1\n"
        " SUBSYSTEM=drm\n4,12,5,-;Call Trace:\n4,13,5,-;---[ end trace 0000000000000000 ]---\n6,14,6,-;usb 1-1: hello\n"
    )

    def test_a_warning_meanwhile_is_attached(self, ended: Any, kmsg: Path) -> None:
        def upsets(_subject: Subject) -> None:
            with kmsg.open("a") as file:
                file.write(self.trace)

        how = ended(upsets)
        assert how.kernel_log == [
            "------------[ cut here ]------------", "WARNING: CPU: 0 PID: 7 at drivers/gpu/drm/x.c:1", "Call Trace:",
            "---[ end trace 0000000000000000 ]---",
        ]

    def test_and_fails_the_case(self, drmbench: Any, kmsg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def upsets(_subject: Subject) -> None:
            with kmsg.open("a") as file:
                file.write(self.trace)

        monkeypatch.setattr("drmbench.conformance.kernel_log.KMSG", str(kmsg))
        monkeypatch.setattr("drmbench.cli.verifying.CASES", (made(upsets), made(lambda _subject: None)))
        ran = drmbench("verify", "--device", "memfd", "--json", "-")
        assert ran.status == 1
        assert [(r["verdict"], r["what"]) for r in ran.json["results"]] == [("fail", "kernel log"), ("pass", "")]

    def test_ordinary_lines_are_none(self, ended: Any, kmsg: Path) -> None:
        def talks(_subject: Subject) -> None:
            with kmsg.open("a") as file:
                file.write("6,2,2,-;[drm] Initialized vkms 1.0.0\n3,3,3,-;python[7]: segfault at 0 ip 0\n")

        assert ended(talks).kernel_log == []

    @pytest.mark.parametrize("line", [
        "BUG: unable to handle page fault for address: ffffc90000000000", "UBSAN: array-index-out-of-bounds in x.c",
        "WARNING: possible circular locking dependency detected", "refcount_t: underflow; use-after-free.",
        "INFO: task python3:42 blocked for more than 120 seconds.", "BUG: KASAN: slab-use-after-free in drm_gem_mmap",
        "general protection fault, probably for non-canonical address", "Oops: 0000 [#1] PREEMPT SMP",
    ])
    def test_what_counts_as_a_complaint(self, line: str) -> None:
        assert complaints_in(["quiet", line]) == [line]

    def test_a_taint_flag_tells_where_the_log_cannot_be_read(self, tmp_path: Path) -> None:
        tainted = tmp_path / "tainted"
        tainted.write_text("4096\n")
        with KernelLog("/nonexistent", str(tainted)) as log:
            assert log.complaints() == []
            tainted.write_text("4608\n")
            assert log.complaints() == ["the kernel is now tainted: W (warning)"]
            assert log.complaints() == []


class TestSecondProcess:
    def test_sees_the_same_memory_and_sends_an_answer(self, judged: Any) -> None:
        def asks(subject: Subject) -> None:
            with subject.mapped() as (_place, address):
                from drmbench.conformance import memory

                subject.in_second_process(lambda: memory.fill(address, SIZE, 7))
                expect("difference", None, memory.difference(address, SIZE, 7))
                expect("answer", [1, "two"], subject.in_second_process(lambda: [1, "two"]))

        assert judged(asks).verdict == "pass"

    def test_its_failure_and_its_crash_are_the_case_s(self, judged: Any) -> None:
        def fails() -> None:
            raise Failed("fork", "EINVAL", "success")

        judgement = judged(lambda subject: subject.in_second_process(fails))
        assert (judgement.verdict, judgement.what, judgement.actual) == ("fail", "second process: fork", "success")
        judgement = judged(lambda subject: subject.in_second_process(lambda: ctypes.string_at(0)))
        assert judgement.actual == "it was killed by SIGSEGV"
        judgement = judged(lambda subject: subject.in_second_process(lambda: 1 // 0))
        assert (judgement.verdict, "ZeroDivisionError" in judgement.reason) == ("broken", True)

    def test_one_that_hangs_does_not_outlive_the_case(self, judged: Any) -> None:
        judgement = judged(lambda subject: subject.in_second_process(lambda: time.sleep(1000), limit_s=0.3))
        assert (judgement.verdict, judgement.what) == ("fail", "the second process")

    def test_it_runs_beside_the_case(self, judged: Any) -> None:
        def both(subject: Subject) -> None:
            reading, writing = os.pipe()
            with subject.second_process(lambda: os.read(reading, 5).decode()) as second:
                os.write(writing, b"hello")
                expect("answer", "hello", second.result())
            os.close(reading)
            os.close(writing)

        assert judged(both).verdict == "pass"


class TestExpectations:
    def test_names_of_errnos(self) -> None:
        def refused() -> None:
            raise RefusedError("mmap", 19)

        with pytest.raises(Failed) as failed:
            expect_errno("mmap", 22, refused)
        assert (failed.value.expected, failed.value.actual) == ("EINVAL", "ENODEV")
        assert expect_errno("mmap", {22, 19}, refused) == 19

    def test_signals(self, judged: Any) -> None:
        def reads_beyond_the_end(subject: Subject) -> None:
            from drmbench.conformance import memory

            with subject.buffer() as buffer:
                place, _stage = buffer.locate()
                with buffer.map(place, mmap.PROT_READ) as mapping:
                    expect_signal("store", signal.SIGSEGV, lambda: memory.write(mapping.address, b"x"))
                    os.ftruncate(place.fd, mmap.PAGESIZE)
                    expect_signal("load", signal.SIGBUS, lambda: memory.read(mapping.address, SIZE))
                    expect_signal("load", signal.SIGSEGV, lambda: memory.read(mapping.address, SIZE))

        judgement = judged(reads_beyond_the_end)
        assert (judgement.verdict, judgement.expected, judgement.actual) == ("fail", "SIGSEGV", "SIGBUS")
