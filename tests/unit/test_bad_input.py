# SPDX-License-Identifier: MIT
"""Nonsense gets one line (who: what: errno: way out), the right exit status and no traceback."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from drmbench.drivers.baselines import FileBackend
from drmbench.errors import DrmbenchError, errno_name
from drmbench.measuring_lock import only_one_measurement
from drmbench.units import format_bytes, format_ns, format_ratio, parse_bytes

if TYPE_CHECKING:
    from pathlib import Path

SIZE = str(16 * mmap.PAGESIZE)


class TestCommandLine:
    @pytest.mark.parametrize(("arguments", "says"), [
        (["--size", "0"], "not a positive multiple"),
        (["--size", "-1"], "not a size"),
        (["--size", "4097"], "not a positive multiple"),
        (["--size", "1.5MiB"], "not a size"),
        (["--size", "9999999TiB"], "address space"),
        (["--runs", "0"], "range"),
        (["--order", "stride:0"], "no order"),
        (["--order", "backwards"], "no order"),
        (["--cpu", "123456"], "usable here"),
        (["--buffer", "dmub"], "did you mean dumb"),
        (["--device", "vkmss"], "did you mean vkms"),
        (["--device", "file:"], "no path"),
        (["--device", "pci:vendor"], "KEY=VALUE"),
        (["--device", "pci:vendor=zebra"], "no PCI id"),
        (["--device", "drm:"], "nothing follows"),
        (["--frobnicate"], "No such option"),
        (["--access", "execute"], "--access"),
    ])
    def test_usage_errors_exit_2(self, drmbench: Any, arguments: list[str], says: str) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", *arguments)
        assert ran.status == 2
        assert ran.out == ""
        assert ran.err.count("\n") == 1
        assert ran.err.startswith("drmbench: ")
        assert says in ran.err

    def test_an_unknown_command(self, drmbench: Any) -> None:
        ran = drmbench("fault-latencey")
        assert (ran.status, ran.err.count("\n")) == (2, 1)

    def test_more_than_the_memory_there_is(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--size", "1TiB")
        assert ran.status == 1
        assert "memfd: create (1 TiB): ENOMEM" in ran.err

    @pytest.mark.parametrize(("device", "says"), [
        ("/dev/dri/card99", "ENOENT"),
        ("/dev/null", "ENOTTY: this is no DRM node"),
        ("file:/nonexistent", "ENOENT"),
        ("file:/dev", "EISDIR"),
        ("file:/dev/null", "ENODEV: only a regular file"),
    ])
    def test_what_cannot_be_opened_exits_1(self, drmbench: Any, device: str, says: str) -> None:
        ran = drmbench("fault-latency", "--device", device, "--size", SIZE)
        assert ran.status == 1
        assert says in ran.err
        assert ran.err.count("\n") == 1

    def test_an_empty_file(self, drmbench: Any, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        ran = drmbench("fault-latency", "--device", f"file:{tmp_path / 'empty'}")
        assert (ran.status, "EFBIG" in ran.err) == (1, True)

    def test_control_characters_never_reach_the_terminal(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "vk\x1b[31mms\nx")
        assert ran.status == 2
        assert "\x1b" not in ran.err
        assert ran.err.count("\n") == 1

    def test_one_of_two_devices_failing_keeps_the_other(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--device", "file:/nonexistent", "--size", SIZE)
        assert ran.status == 1
        assert "memfd  write cold" in ran.out
        assert "file:/nonexistent: open" in ran.err


class TestTwoAtOnce:
    def test_the_second_is_told_who_measures(self, drmbench: Any) -> None:
        with only_one_measurement():
            ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE)
        assert ran.status == 1
        assert f"EBUSY: another drmbench (pid {os.getpid()}) is measuring" in ran.err

    def test_the_machine_is_free_again_after_a_failure(self, drmbench: Any) -> None:
        for _ in range(2):
            assert "EISDIR" in drmbench("fault-latency", "--device", "file:/dev", "--size", SIZE).err


class TestInterruption:
    """Ctrl-C and SIGTERM keep and print what is done."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_long_measurement(self, number: signal.Signals, tmp_path: Path) -> None:
        report = tmp_path / "report.json"
        command = [sys.executable, "-m", "drmbench", "fault-latency", "--device", "memfd", "--size", "1MiB",
                   "--runs", "100000", "--json", str(report)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(3)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 1
        assert "What a touch costs" in out
        assert "! interrupted: interrupted; the numbers are those of" in out
        assert "Traceback" not in err
        assert "interrupted" in err
        assert '"interrupted"' in report.read_text()

    def test_before_anything_is_finished(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(*_arguments: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("drmbench.workloads.fault.FaultSeries.prepare", stop)
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE)
        assert (ran.status, ran.out) == (1, "")
        assert ran.err == "drmbench: interrupted: nothing was finished\n"


class TestClosedOutput:
    def test_a_reader_that_goes_away_is_no_traceback(self) -> None:
        command = f"{sys.executable} -m drmbench schema | head -c 10 >/dev/null; exit ${{PIPESTATUS[0]}}"
        ended = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in ended.stderr


    @pytest.mark.parametrize(("arguments", "redirection", "status", "says"), [
        ("schema", ">/dev/full", 1, "ENOSPC"),
        ("fault-latency --device anon --runs 2 --size 64KiB --json -", ">&-", 1, "EBADF"),
        ("fault-latency --device anon --runs 2 --size 64KiB", ">&-", 1, "EBADF"),
        ("fault-latency --device anon --runs 2 --size 64KiB", ">&- 2>&-", 1, ""),
        ("fault-latency --device anon --runs 2 --size 64KiB", "2>&-", 0, ""),
    ])
    def test_results_that_cannot_be_printed(self, arguments: str, redirection: str, status: int, says: str) -> None:
        command = f"{sys.executable} -m drmbench {arguments} {redirection}"
        ended = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60)
        assert ended.returncode == status
        assert ended.stderr.count("\n") == (1 if says else 0)
        assert says in ended.stderr


class TestSigbus:
    """A page that cannot be had ends the measurement with a line, not the process with a signal."""

    def test_a_file_that_shrinks_while_it_is_measured(
        self, drmbench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        path = tmp_path / "data"
        path.write_bytes(b"x" * int(SIZE))
        locate = FileBackend.map_offset

        def shrink(self: FileBackend, buffer_object: Any) -> Any:
            os.truncate(path, 3 * mmap.PAGESIZE)
            return locate(self, buffer_object)

        monkeypatch.setattr(FileBackend, "map_offset", shrink)
        ran = drmbench("fault-latency", "--device", f"file:{path}", "--size", SIZE)
        assert ran.status == 1
        assert ran.err.startswith(f"drmbench: file:{path}: touch: EFAULT: SIGBUS at page 3 of 16")
        assert ran.err.count("\n") == 1


class TestUnits:
    @pytest.mark.parametrize(("text", "size_bytes"), [
        ("4096", 4096), ("64KiB", 65536), ("64k", 65536), ("16 MiB", 1 << 24), ("1G", 1 << 30), ("2TB", 2 << 40),
    ])
    def test_sizes(self, text: str, size_bytes: int) -> None:
        assert parse_bytes(text) == size_bytes

    @pytest.mark.parametrize("text", ["", "MiB", "-4", "+4", "1.5G", "4 4", "0x10", "\N{ARABIC-INDIC DIGIT ONE}"])
    def test_what_is_no_size(self, text: str) -> None:
        with contextlib.suppress(ValueError):
            pytest.fail(f"{text!r} was taken for {parse_bytes(text)}")

    def test_printing(self) -> None:
        assert [format_bytes(n) for n in (1, 4096, 4097, 1 << 26)] == ["1 B", "4 KiB", "4097 B", "64 MiB"]
        assert [format_ns(n) for n in (0, 999, 1000, 12345, 999_499, 1_234_567, 5e9)] == [
            "0 ns", "999 ns", "1.00 us", "12.3 us", "999 us", "1.23 ms", "5.00 s",
        ]
        assert format_ns(None) == format_ratio(None) == "-"
        assert [format_ratio(1.234), format_ratio(250)] == ["1.23x", "250x"]


class TestErrors:
    def test_one_line_with_everything(self) -> None:
        error = DrmbenchError(
            "radeon", "GEM_CREATE(gtt)", errno=22, reason="no working GART", remedy="try --buffer gem:vram",
        )
        assert str(error) == "radeon: GEM_CREATE(gtt): EINVAL: no working GART: try --buffer gem:vram"

    def test_kernel_names(self) -> None:
        assert [errno_name(n) for n in (95, 11, 22, 4095)] == ["EOPNOTSUPP", "EAGAIN", "EINVAL", "errno 4095"]
