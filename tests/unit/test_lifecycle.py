# SPDX-License-Identifier: MIT
"""`drmbench lifecycle` on memory that every machine has: exact counts, limits, and nothing left behind."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
import resource
import signal
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from drmbench.drivers.baselines import MemfdBackend
from drmbench.model import LIFE_OPERATIONS
from drmbench.stats import exact_distribution
from drmbench.targets import Target
from drmbench.vma import vmas
from drmbench.workloads.live_buffers import LiveBuffers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drmbench.drivers.protocol import BufferObject
    from drmbench.native import Stage

QUICK = ("lifecycle", "--device", "memfd", "--sizes", "4KiB,16KiB", "--live", "1,40", "--cycles", "6", "--runs", "2")


def mapped() -> int:
    """How many memfds of ours are mapped."""
    return sum("memfd:drmbench" in vma.path for vma in vmas())


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Whatever a test does, as many descriptors are open after it, and no memfd is mapped."""
    before = descriptors()
    yield
    assert mapped() == 0
    assert descriptors() == before


class FullMemfd(MemfdBackend):
    """Refuses with ENOSPC while `room` buffers are alive."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._alive = 0

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        if self._alive == self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._alive += 1
        return super().create(kind, size_bytes)

    def destroy(self, buffer_object: BufferObject) -> Stage:
        self._alive -= 1
        return super().destroy(buffer_object)


def target(room: int = 1 << 30) -> Target:
    """A memfd that is full at some point."""
    return Target("baseline", None, "memfd", "", ("memfd",), "named", lambda: contextlib.nullcontext(FullMemfd(room)))


class TestCounts:
    def test_every_call_of_every_life_is_there(self, drmbench: Any) -> None:
        ran = drmbench(*QUICK, "--json", "-")
        assert ran.status == 0, ran.err
        found = ran.json["results"]
        assert [(r["target"]["driver"], r["size_bytes"], r["live_buffers"]) for r in found] == [
            (driver, size, live) for driver in ("memfd", "anon") for size in (4096, 16384) for live in (1, 40)
        ]
        for result in found:
            assert (result["runs"], result["cycles"]) == (2, 6)
            assert {each["calls"] for each in result["operations"]} == {12}
            assert {each["latency_ns"]["n"] for each in result["operations"]} == {12}
            assert all(each["per_s"] > 0 for each in result["operations"])

    def test_only_what_has_a_system_call_is_there(self, drmbench: Any) -> None:
        found = drmbench(*QUICK, "--json", "-").json["results"]
        calls = {r["target"]["driver"]: [each["operation"] for each in r["operations"]] for r in found}
        assert calls == {"memfd": ["create", "mmap", "munmap", "destroy"], "anon": ["mmap", "munmap"]}

    def test_the_others_are_mapped_meanwhile(self, drmbench: Any) -> None:
        ran = drmbench(*QUICK, "--live", "1,3000", "--no-baseline", "--json", "-")
        few, many = (r["vmas"] for r in ran.json["results"][:2])
        assert 2999 - 50 <= many - few <= 2999 + 50  # Python's own heap comes and goes

    def test_so_many_live_buffers_as_were_asked_for(self) -> None:
        with LiveBuffers(target(), "memfd", 4096, FullMemfd(1 << 30)) as live:
            for count in (1, 64, 65, 300):
                live.grow(count)
                assert (len(live), mapped()) == (count, count)
            live.shrink(10)
            assert (len(live), mapped()) == (10, 10)
            assert list(live.live_once(None)) == ["create", "map_offset", "mmap", "munmap", "destroy"]
            assert mapped() == 10

    def test_percentiles_of_single_times_are_exact(self) -> None:
        found = exact_distribution([*range(1, 101)])
        assert (found.n, found.min, found.p50, found.p90, found.p99, found.p999, found.max) == (
            100, 1, 50, 90, 99, 100, 100,
        )
        assert exact_distribution([]).p50 is None
        assert exact_distribution([7]).p99 == 7


class TestLimits:
    """What cannot be is known before, named with its errno, and a default gives way where an option does not."""

    @pytest.fixture
    def few_maps(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        path = tmp_path / "max_map_count"
        path.write_text(f"{len(vmas()) + 256 + 50}\n")
        monkeypatch.setattr("drmbench.workloads.live_limits._MAX_MAP_COUNT", path)

    @pytest.mark.usefixtures("few_maps")
    def test_max_map_count_refuses_what_was_asked_for(self, drmbench: Any) -> None:
        ran = drmbench(*QUICK, "--live", "500")
        assert ran.status == 1
        assert "--live 500 of 4 KiB: ENOMEM" in ran.err
        assert "vm.max_map_count" in ran.err
        assert "sysctl" in ran.err

    @pytest.mark.usefixtures("few_maps")
    def test_max_map_count_reduces_the_default(self, drmbench: Any) -> None:
        ran = drmbench("lifecycle", "--device", "memfd", "--sizes", "4KiB", "--cycles", "2", "--runs", "1",
                       "--no-baseline", "--json", "-")
        assert ran.status == 0, ran.err
        counts = [r["live_buffers"] for r in ran.json["results"]]
        assert counts[0] == 1
        assert 1 < counts[-1] < 100
        messages = [c["message"] for c in ran.json["caveats"] if c["id"] == "live-reduced"]
        assert len(messages) == 2
        assert all("ENOMEM" in message for message in messages)

    def test_a_hard_descriptor_limit_refuses(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.workloads.live_limits.resource.getrlimit", lambda _which: (100, 100))
        ran = drmbench(*QUICK, "--live", "500")
        assert ran.status == 1
        assert "EMFILE" in ran.err
        assert "RLIMIT_NOFILE is 100" in ran.err

    def test_memory_refuses(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.workloads.live_limits.memory_available_bytes", lambda: 64 << 20)
        ran = drmbench(*QUICK, "--sizes", "1MiB", "--live", "58")
        assert ran.status == 1
        assert "ENOMEM: 57 fit: 1 MiB each in 90 % of the available memory of 64 MiB" in ran.err

    def test_a_soft_descriptor_limit_is_raised_and_put_back(self, drmbench: Any) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        try:
            ran = drmbench(*QUICK, "--live", "600", "--runs", "1", "--json", "-")
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (256, before[1])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert ran.status == 0, ran.err
        assert {r["live_buffers"] for r in ran.json["results"]} == {600}

    @pytest.fixture
    def full_device(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.runner.find_targets", lambda *_args, **_names: ([target(room=60)], []))

    @pytest.mark.usefixtures("full_device")
    def test_a_full_device_reduces_the_default(self, drmbench: Any) -> None:
        ran = drmbench("lifecycle", "--sizes", "4KiB", "--cycles", "2", "--runs", "3", "--json", "-")
        assert ran.status == 0, ran.err
        assert [(r["live_buffers"], r["runs"]) for r in ran.json["results"]] == [(1, 3), (58, 3)]
        assert "ENOSPC" in next(c["message"] for c in ran.json["caveats"] if c["id"] == "live-reduced")

    @pytest.mark.usefixtures("full_device")
    def test_a_full_device_refuses_what_was_asked_for(self, drmbench: Any) -> None:
        ran = drmbench("lifecycle", "--sizes", "4KiB", "--live", "1,100", "--cycles", "2")
        assert ran.status == 1
        assert "ENOSPC" in ran.err

    @pytest.mark.parametrize(("option", "value"), [
        ("--live", "0"), ("--live", "1,x"), ("--live", "-1"), ("--live", "10000000"), ("--live", ""),
        ("--live", "\u0663"), ("--sizes", "3"), ("--sizes", "4KiB,"), ("--sizes", "many"), ("--cycles", "0"),
    ])
    def test_numbers_that_make_no_sense(self, drmbench: Any, option: str, value: str) -> None:
        ran = drmbench(*QUICK, option, value)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)


class TestInterrupted:
    """Ctrl-C with thousands alive leaves none of them; that is what the fixture of this file looks at."""

    @pytest.mark.parametrize("at", [1, 63, 64, 5000, 9999])
    def test_while_buffers_are_made(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        made = []

        def interrupted(self: LiveBuffers) -> None:
            add(self)
            made.append(mapped() if len(made) % 1000 == 0 else 0)
            if len(made) == at:
                os.kill(os.getpid(), signal.SIGINT)

        add = LiveBuffers._add
        monkeypatch.setattr(LiveBuffers, "_add", interrupted)
        ran = drmbench(*QUICK, "--sizes", "4KiB", "--live", "10000", "--no-baseline")
        assert ran.status == 1
        assert "interrupted" in ran.err
        assert at <= len(made) < at + 64

    def test_in_the_midst_of_a_life(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        class Interrupting(MemfdBackend):
            def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
                made = super().create(kind, size_bytes)
                os.kill(os.getpid(), signal.SIGINT)
                return made

        monkeypatch.setattr("drmbench.targets.MemfdBackend", Interrupting)
        ran = drmbench(*QUICK, "--no-baseline")
        assert ran.status == 1
        assert "interrupted" in ran.err


class TestShown:
    def test_the_table_says_it_in_80_columns(self, drmbench: Any) -> None:
        ran = drmbench(*QUICK, "--live", "1,10000")
        assert ran.status == 0
        assert max(map(len, ran.out.splitlines())) <= 80
        assert "a life takes" in ran.out
        assert "with 10000 alive" in ran.out
        assert "…" not in ran.out

    def test_csv_has_a_row_for_each_operation(self, drmbench: Any) -> None:
        ran = drmbench(*QUICK, "--format", "csv", "--no-baseline")
        rows = list(csv.DictReader(io.StringIO(ran.out)))
        assert [(row["size_bytes"], row["live_buffers"], row["operation"]) for row in rows] == [
            (size, live, name) for size in ("4096", "16384") for live in ("1", "40")
            for name in LIFE_OPERATIONS if name in {"create", "mmap", "munmap", "destroy"}
        ]

    def test_the_picture_has_a_bar_for_each_count(self, drmbench: Any, tmp_path: Path) -> None:
        path = tmp_path / "live.svg"
        assert drmbench(*QUICK, "--no-baseline", "--svg", f"live:{path}").status == 0
        bars = [shape for shape in ET.parse(path).iter() if shape.get("data-live")]  # noqa: S314 (made here)
        assert [bar.get("data-live") for bar in bars] == ["1", "40"] * 8
