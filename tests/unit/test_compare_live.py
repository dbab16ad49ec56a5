# SPDX-License-Identifier: MIT
"""`drmbench compare --live`: what is given twice is measured in turns, in one session, and compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from made_up_runs import result, save

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = 16
COMMON = ("--size", "64KiB", "--runs", "8")


@pytest.fixture
def live(drmbench: Any) -> Callable[..., Any]:
    """Compare live, small and quick."""
    return lambda *arguments: drmbench("compare", "--live", *COMMON, *arguments)


class TestSides:
    def test_two_devices(self, live: Any) -> None:
        document = live("--device", "memfd", "--device", "anon", "--json", "-").json
        assert [side["name"] for side in document["sides"]] == ["memfd", "anon"]
        (only,) = document["results"]
        assert (only["target"]["driver"], only["new_target"]["driver"]) == ("memfd", "anon")
        assert {count["name"]: count["verdict"] for count in only["counts"]}["faults"] == "same"
        assert {(time["base_runs"], time["new_runs"]) for time in only["times"]} == {(8, 8)}
        assert [found["result"].split(",")[2].strip() for found in document["one_sided"]] == ["warm"]

    def test_two_accesses_differ_where_pages_are_mapped_around_a_fault(self, live: Any) -> None:
        ran = live("--device", "memfd", "--access", "write", "--access", "read", "--fail-if", "faults<-0")
        assert ran.status == 3
        assert "memfd, write, warm" in ran.err

    def test_two_strategies(self, live: Any) -> None:
        document = live("--device", "memfd", "--strategy", "touch", "--strategy", "map-populate", "--json", "-").json
        (only,) = document["results"]
        counts = {count["name"]: (count["base"], count["new"]) for count in only["counts"]}
        assert counts == {"faults": (0, 0), "faults.populate": (PAGES, 0), "faults.mmap": (0, PAGES)}

    def test_three_are_each_compared_with_the_first(self, live: Any) -> None:
        ran = live("--device", "memfd", *(word for access in ("write", "read", "read-then-write")
                                          for word in ("--access", access)), "--json", "-")
        assert {result["side"] for result in ran.json["results"]} == {1, 2}

    def test_it_is_said_to_be_live_and_fits_the_screen(self, live: Any) -> None:
        ran = live("--device", "memfd", "--device", "anon")
        assert "measured in turns, in one session" in ran.out
        assert max(map(len, ran.out.splitlines())) <= 80


class TestKernels:
    """Each kernel is booted once and measures what it has; tests/lab/test_kernels.py has the real ones."""

    @pytest.fixture
    def booted(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """The command lines of `vm run`; each leaves a report with one fault more than the one before."""
        lines: list[list[str]] = []

        def run(command: list[str], *, cwd: str, **_rest: Any) -> Any:
            lines.append(command)
            save(Path(cwd) / command[-1], result([1.0], faults=[PAGES + len(lines)]), emulated=True)
            return subprocess.CompletedProcess(command, 0)

        monkeypatch.setattr("drmbench.cli.comparing_kernels.subprocess.run", run)
        return lines

    def test_more_faults_on_the_second_one(self, live: Any, booted: list[list[str]]) -> None:
        ran = live("--kernel", "debian-6.1", "--kernel", "debian-newest", "--device", "vgem", "--fail-if", "faults>+0")
        assert ran.status == 3
        assert "measured apart" in ran.out
        for line, kernel in zip(booted, ("debian-6.1", "debian-newest"), strict=True):
            assert line[line.index("--kernel") + 1] == kernel
            assert line[line.index("--device") + 1] == "vgem"
            assert line[line.index("fault-latency"):][:3] == ["fault-latency", "--access", "write"]
            assert line[line.index("--runs") + 1] == "8"

    def test_a_machine_that_is_lost(self, live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.cli.comparing_kernels.subprocess.run",
                            lambda command, **_rest: subprocess.CompletedProcess(command, 1))
        ran = live("--kernel", "debian-6.1", "--kernel", "debian-newest", "--device", "vgem")
        assert (ran.status, ran.out) == (1, "")
        assert ran.err == "drmbench: debian-6.1: vm run: it ended with status 1: the lines above say why\n"

    def test_one_kernel_is_a_usage_error(self, live: Any, booted: list[list[str]]) -> None:
        assert live("--kernel", "debian-6.1", "--device", "vgem").status == 2
        assert booted == []


class TestUsage:
    @pytest.mark.parametrize("arguments", [
        ("--device", "memfd"),
        ("--device", "memfd", "--device", "memfd"),
        ("--device", "memfd", "--device", "anon", "--access", "read", "--access", "write"),
        ("--device", "memfd", "--strategy", "touch"),
        ("--device", "memfd", "--strategy", "touch", "--strategy", "levitate"),
        ("--device", "memfd", "--device", "anon", "report.json"),
        ("--device", "memfd", "--buffer", "memfd", "--buffer", "levitate"),
    ])
    def test_what_makes_no_sense(self, live: Any, arguments: tuple[str, ...]) -> None:
        ran = live(*arguments)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)

    def test_files_were_measured_already(self, drmbench: Any) -> None:
        ran = drmbench("compare", "a.json", "b.json", "--device", "memfd")
        assert (ran.status, "or give --live" in ran.err) == (2, True)

    def test_a_side_that_cannot_be_measured_is_an_error(self, live: Any) -> None:
        assert live("--device", "memfd", "--device", "file:/nonexistent").status == 1


def test_files_are_compared_without_the_native_code(tmp_path: Path) -> None:
    """On any laptop: no DRM, no libdrm, no C."""
    program = (
        "import sys, runpy\nsys.modules['drmbench._native'] = None\nfrom drmbench import cli\n"
        "status = cli.run(sys.argv[1:])\nsys.exit(status)"
    )
    base = save(tmp_path / "base.json", result([1000.0 + n for n in range(8)]))
    new = save(tmp_path / "new.json", result([2000.0 + n for n in range(8)], faults=[9]))
    words = ["compare", base, new, "--fail-if", "p99>+10%", "--json", "-"]
    ended = subprocess.run([sys.executable, "-c", program, *words], check=False, capture_output=True, text=True,
                           timeout=120)
    assert ended.returncode == 3, ended.stderr
    assert json.loads(ended.stdout)["results"][0]["counts"][0]["verdict"] == "fewer"


class TestSaveBaseline:
    @pytest.mark.parametrize("command", ["fault-latency", "compare-populate"])
    def test_it_is_kept_by_name(self, drmbench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                command: str) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        ran = drmbench(command, "--device", "memfd", *COMMON, "--save-baseline", "good")
        assert (ran.status, "What" in ran.out or "populate" in ran.out) == (0, True)
        assert [path.name for path in (tmp_path / "drmbench" / "baselines").iterdir()] == ["good.json"]
        assert drmbench("compare", "baseline:good", "baseline:good", "--fail-if", "faults>+0").status == 0

    def test_a_place_that_cannot_be_written_is_told_before_measuring(
        self, drmbench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
        ran = drmbench("fault-latency", "--device", "memfd", *COMMON, "--save-baseline", "good")
        assert (ran.status, ran.out, "XDG_DATA_HOME" in ran.err) == (1, "", True)
        assert drmbench("fault-latency", "--device", "memfd", "--save-baseline", "../x").status == 2
