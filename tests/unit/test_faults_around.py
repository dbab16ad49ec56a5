# SPDX-License-Identifier: MIT
"""What goes wrong around a run: SIGTERM at any moment, a disk that fills up, clocks that step back, a sysfs that lies.

Each is told in a line, and what had finished is kept.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drmbench import environment, native
from drmbench.errors import DrmbenchError, one_line
from drmbench.kernel_files import KernelFiles
from drmbench.store import destination, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The measuring lock is the machine's; two test runs at once must not refuse each other.
OWN_LOCK = f"""
from drmbench import cli, measuring_lock
measuring_lock._NAME = "\\0drmbench-test-{os.getpid()}-apart"
cli.main()
"""
DRMBENCH = (sys.executable, "-c", OWN_LOCK)
# Command -> arguments with which it runs for minutes and finishes something in the first seconds.
LONG = {
    "fault-latency": ("--size", "64KiB", "--runs", "100000"),
    "compare-populate": ("--size", "64KiB", "--runs", "100000"),
    "explain": ("--size", "1MiB", "--runs", "1000"),
    "verify": ("--size", "64MiB"),
    "stress": ("--seconds", "600", "--threads", "2", "--seed", "1"),
}


def users_environment() -> dict[str, str]:
    """Environment of a drmbench that the user runs, without what a test or a lab has set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DRMBENCH")}


def processes_of(session: int) -> list[str]:
    """Command lines of the session's processes."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except (OSError, ValueError):
            continue
    return found


def seconds_of_cpu(process: subprocess.Popen[str]) -> float:
    """What it and its ended children have used; how long that takes is the machine's business."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class TestSigterm:
    """At whatever moment it comes: no traceback, no process, no half-written file; a report where something ended."""

    def terminated(self, command: str, folder: Path, after_s: float) -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a drmbench that is sent SIGTERM after so much work."""
        process = subprocess.Popen(
            [*DRMBENCH, command, "--device", "memfd", "--json", str(folder / "report.json"), *LONG[command]],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=folder,
            env=users_environment(), start_new_session=True,
        )
        try:
            while process.poll() is None and seconds_of_cpu(process) < after_s:
                time.sleep(0.01)
            process.terminate()
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        deadline = time.monotonic() + 5  # children die with their parent, a moment later
        while processes_of(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_of(process.pid) == []
        return process.returncode, out, err

    @pytest.mark.parametrize("after_s", [0.1, 0.4, 0.8, 2.5])
    @pytest.mark.parametrize("command", LONG)
    def test_whatever_runs(self, command: str, after_s: float, tmp_path: Path) -> None:
        status, out, err = self.terminated(command, tmp_path, after_s)
        assert "Traceback" not in err
        if status == -signal.SIGTERM:  # it had not begun
            assert out == ""
        else:
            assert status == 1
            assert err.splitlines()[-1].startswith("drmbench: interrupted: ")
        assert [path.name for path in tmp_path.iterdir()] == (["report.json"] if out else [])
        assert out or after_s < 2
        if out:
            report = load(str(tmp_path / "report.json"))
            assert report.results
            assert "interrupted" in {caveat.id for caveat in report.caveats}


class TestFullDisk:
    """Results are on stdout before the file is written; the room for a usual report is kept from the start."""

    @pytest.mark.parametrize("command", ["fault-latency", "compare-populate", "explain", "stress", "verify"])
    def test_results_are_printed_all_the_same(self, drmbench: Any, command: str) -> None:
        arguments = {"stress": ("--seconds", "0.2"), "verify": ("--case", "mmap-contract/zero-length")}.get(
            command, ("--size", "64KiB", "--runs", "1"))
        ran = drmbench(command, "--device", "memfd", "--json", "/dev/full", *arguments)
        assert ran.status == 1
        assert ran.out.count("\n") > 3
        assert ran.err.splitlines()[-1].startswith("drmbench: /dev/full: write: ENOSPC")

    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """80 KiB of tmpfs in a mount namespace of this test's, which then is gone with its process."""
        mount = shutil.which("mount")
        if mount is None or os.geteuid() != 0:
            pytest.skip("mounting a tmpfs takes root")
        if subprocess.run([mount, "-t", "tmpfs", "-o", "size=80k", "drmbench", str(tmp_path)], check=False).returncode:
            pytest.skip("no tmpfs can be mounted here")
        yield tmp_path
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)

    def fill(self, folder: Path) -> None:
        """Use up all that is left."""
        with open(folder / "others", "wb", buffering=0) as file:
            while os.statvfs(folder).f_bavail:
                file.write(bytes(mmap.PAGESIZE))

    def test_the_room_that_was_found_is_kept(self, small_disk: Path) -> None:
        path = small_disk / "report.json"
        with destination(str(path)) as file:
            self.fill(small_disk)
            file.save({"text": "x" * 60_000})
        assert len(json.loads(path.read_text())["text"]) == 60_000

    def test_a_report_that_is_too_large_leaves_the_old_one(self, small_disk: Path) -> None:
        path = small_disk / "report.json"
        path.write_text("old")
        with destination(str(path)) as file:
            self.fill(small_disk)
            with pytest.raises(DrmbenchError, match=r"ENOSPC.*choose another place"):
                file.save({"text": "x" * 100_000})
        assert path.read_text() == "old"
        assert sorted(entry.name for entry in small_disk.iterdir()) == ["others", "report.json"]


# A libc whose clocks step back: of MONOTONIC_RAW every 5th read, of REALTIME an hour at each.
BACKWARDS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    static unsigned long raw_reads, wall_reads;
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (clock == CLOCK_MONOTONIC_RAW && ++raw_reads % 5 == 0)
        now->tv_sec -= 10;
    if (clock == CLOCK_REALTIME)
        now->tv_sec -= 3600 * (time_t)++wall_reads;
    return status;
}
"""


@pytest.fixture(scope="module")
def stepping(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Environment of a process whose clocks step back."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(BACKWARDS)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(folder / "clock.so"), str(folder / "clock.c"), "-ldl"],
                   check=True)
    return {**users_environment(), "LD_PRELOAD": str(folder / "clock.so"), "DRMBENCH_CLOCK": "clock_gettime"}


class TestClocks:
    def report(self, stepping: Mapping[str, str], *arguments: str) -> Any:
        ended = subprocess.run([*DRMBENCH, *arguments, "--device", "memfd", "--json", "-"], check=False, text=True,
                               capture_output=True, env=stepping, timeout=120, stdin=subprocess.DEVNULL)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    @pytest.mark.parametrize("command", ["fault-latency", "compare-populate", "explain"])
    def test_no_interval_becomes_a_huge_one_and_the_report_says_so(
        self, stepping: Mapping[str, str], command: str,
    ) -> None:
        report = self.report(stepping, command, "--size", "64KiB", "--runs", "2")
        (said,) = [caveat for caveat in report["caveats"] if caveat["id"] == "clock-went-backwards"]
        assert re.search(r"backwards in [1-9][0-9]* timed intervals", said["message"])
        # Addresses are the largest numbers; nothing is near 2^63.
        assert max(numbers(report["results"])) < 1e15

    def test_a_wall_clock_that_is_set_back_changes_a_date_and_nothing_else(
        self, stepping: Mapping[str, str],
    ) -> None:
        report = self.report(stepping, "stress", "--seconds", "0.5", "--seed", "1")
        (result,) = report["results"]
        assert result["failure"] is None
        assert 5e8 <= result["duration_ns"] < 6e10

    def test_a_sample_below_zero_counts_as_none(self) -> None:
        before, histogram = native.backward_intervals(), native.Histogram()
        for ticks in (7, 2**64 - 5, 2**63, 2**63 - 1):
            histogram.add(ticks)
        assert native.backward_intervals() - before == 2
        assert (histogram.count, histogram.extremes_ticks) == (4, (0, 2**63 - 1))


def numbers(value: Any) -> Iterator[float]:
    """All numbers of a document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


LIES = [b"", b"\n", b"\xff\xfe\x00\x01", b"\x1b[2J\x1b]0;pwned\x07", b"[", b"[always] [never] [madvise]",
        b"-1 -9223372036854775809 1e999 NaN", b"x" * 200_000, b"MemAvailable: 99999999999999999999 kB\nShmem: -7 kB\n"]


class TestLyingSysfs:
    """Files of /sys and /proc may hold anything."""

    @pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
    @pytest.mark.parametrize("command", [("fault-latency", "--runs", "1"), ("explain", "--runs", "1"),
                                         ("verify", "--case", "mmap-contract/*"), ("stress", "--seconds", "0.2")],
                             ids=lambda command: command[0])
    def test_what_they_say_is_shown_harmlessly(
        self, drmbench: Any, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], lie: bytes,
    ) -> None:
        read = Path.read_text
        lies = ("/sys/kernel/mm/", "/sys/devices/system/cpu/", "/proc/cpuinfo", "/proc/meminfo")

        def read_text(self: Path, *arguments: Any, **named: Any) -> str:
            if str(self).startswith(lies):
                return lie.decode(named.get("encoding") or "utf-8", named.get("errors") or "strict")
            return read(self, *arguments, **named)

        told = KernelFiles.text

        def text(self: KernelFiles, path: str) -> str:
            return lie.decode("utf-8", "replace") if path.startswith(lies) else told(self, path)

        monkeypatch.setattr(Path, "read_text", read_text)
        monkeypatch.setattr(KernelFiles, "text", text)
        assert environment._read(KernelFiles(), "/proc/cpuinfo") == one_line(lie.decode("utf-8", "replace"))
        ran = drmbench(command[0], "--device", "memfd", "--size", "64KiB", *command[1:])
        assert ran.status == 0, ran.err
        assert not [c for c in ran.out + ran.err if not c.isprintable() and c != "\n"]
        assert max(map(len, ran.out.splitlines())) <= 80
