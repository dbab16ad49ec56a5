# SPDX-License-Identifier: MIT
"""`drmbench fleet run`: what becomes of every board, whatever happens to it, its place or its coordinator."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from lab import BIN, Lab, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DRMBENCH = str(BIN / "drmbench")
QUICK = ("fault-latency", "--device", "memfd", "--size", "64KiB", "--runs", "2", "--no-baseline")


@pytest.fixture
def shelf(lab: Lab, server: tuple[Service, Path]) -> Callable[..., None]:
    """Fill the lab with places; a name with "gone" in it is one that nobody answers at."""
    def fill(*names: str, tags: dict[str, dict[str, str]] | None = None) -> None:
        nobody = Service(free_port())
        lab.start_exporter({name: nobody if "gone" in name else server[0] for name in names})
        lab.add_places({name: (tags or {}).get(name, {}) for name in names})

    return fill


@pytest.fixture
def fleet(lab: Lab, server: tuple[Service, Path], tmp_path: Path) -> Callable[..., Any]:
    """Run `drmbench fleet run` and wait for it; its report lies in `tmp_path / fleet.json`."""
    def run(*arguments: str, command: tuple[str, ...] = QUICK, remote: str = DRMBENCH) -> Any:
        return subprocess.run(
            line(lab, server[1], tmp_path, *arguments, command=command, remote=remote),
            capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL,
        )

    return run


def line(lab: Lab, key: Path, folder: Path, *arguments: str, command: tuple[str, ...], remote: str) -> list[str]:
    where = ("--remote", remote) if remote else ()
    return [DRMBENCH, "fleet", "run", "--coordinator", lab.address, "--ssh-key", str(key), "--connect-timeout", "3",
            "--json", str(folder / "fleet.json"), "--jobs", "1", *where, *arguments, "--", *command]


def boards(folder: Path) -> dict[str, dict[str, Any]]:
    report = json.loads((folder / "fleet.json").read_text())
    return {board["place"]: board for board in report["boards"]}


def program(folder: Path, name: str, text: str) -> str:
    """A program that stands for drmbench on a board."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


class TestList:
    def test_places_with_their_tags_and_who_has_them(
        self, lab: Lab, shelf: Any, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        shelf("one", "two", tags={"one": {"soc": "imx8"}})
        monkeypatch.setenv("LG_HOSTNAME", "desk")
        monkeypatch.setenv("LG_USERNAME", "ann")
        lab.acquire("two")
        ran = subprocess.run([DRMBENCH, "fleet", "list", "--coordinator", lab.address], capture_output=True, text=True,
                             check=True, timeout=60)
        rows = [row.split() for row in ran.stdout.splitlines()]
        assert rows[2:] == [["one", "free", "1", "soc=imx8"], ["two", "taken", "by", "desk/ann", "1"]]

    def test_no_coordinator(self) -> None:
        ran = subprocess.run([DRMBENCH, "fleet", "list", "--coordinator", f"127.0.0.1:{free_port()}"],
                             capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 1
        assert ran.stderr.count("\n") == 1
        assert "labgrid coordinator: does not answer: start labgrid-coordinator" in ran.stderr


class TestStates:
    def test_finished_boards_bring_their_reports_and_are_given_back(
        self, lab: Lab, shelf: Any, fleet: Any, tmp_path: Path,
    ) -> None:
        shelf("one", "two", "other")
        ran = fleet("--place", "one", "--place", "t*")
        assert ran.returncode == 0, ran.stderr
        found = boards(tmp_path)
        assert {name: board["state"] for name, board in found.items()} == {"one": "finished", "two": "finished"}
        assert [r["faults"]["touch"] for b in found.values() for r in b["report"]["results"]] == [16] * 4
        assert set(lab.holders().values()) == {""}
        assert "memfd memfd, write, cold, sequential, 64 KiB" in ran.stdout
        assert not list(tmp_path.glob("*.boards"))

    def test_taken_by_somebody_else(
        self, lab: Lab, shelf: Any, fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        shelf("one", "two")
        with monkeypatch.context() as other:
            other.setenv("LG_HOSTNAME", "desk")
            other.setenv("LG_USERNAME", "ann")
            lab.acquire("two")
        assert fleet("--all").returncode == 1
        assert boards(tmp_path)["two"]["state"] == "taken"
        assert boards(tmp_path)["two"]["reason"] == "taken by desk/ann"
        assert boards(tmp_path)["one"]["state"] == "finished"
        assert lab.holders()["two"] == "desk/ann"

    def test_unreachable(self, shelf: Any, fleet: Any, tmp_path: Path) -> None:
        shelf("gone", "one")
        assert fleet("--all").returncode == 1
        assert boards(tmp_path)["gone"]["state"] == "unreachable"
        assert "Connection refused" in boards(tmp_path)["gone"]["reason"]
        assert boards(tmp_path)["one"]["state"] == "finished"

    def test_dies_in_the_middle(self, shelf: Any, fleet: Any, tmp_path: Path) -> None:
        # The connection goes as by a reboot: sshd's process for it is killed.
        dies = program(tmp_path, "dies", "echo 'last words' >&2; sleep 0.2; p=$PPID\n"
                       'until [ "$(ps -o comm= -p $p)" = sshd ]; do p=$(ps -o ppid= -p $p); done; kill -KILL $p')
        shelf("one")
        assert fleet("--all", remote=dies).returncode == 1
        board = boards(tmp_path)["one"]
        assert board["state"] == "lost"
        assert "last words" in board["output"]

    def test_hangs(self, shelf: Any, fleet: Any, tmp_path: Path) -> None:
        mark = tmp_path / "ended"
        hangs = program(tmp_path, "hangs",
                        f"trap 'touch {mark}; exit' TERM\necho begun >&2\nwhile :; do sleep 0.1; done")
        shelf("one")
        assert fleet("--all", "--timeout", "3", remote=hangs).returncode == 1
        board = boards(tmp_path)["one"]
        assert (board["state"], board["reason"]) == ("timed-out", "not finished after 3 s")
        assert "begun" in board["output"]
        assert mark.exists()  # it was ended on the board too

    def test_prints_nonsense_for_the_terminal(self, shelf: Any, fleet: Any, tmp_path: Path) -> None:
        evil = program(tmp_path, "evil", r"printf '\033]0;evil\007{\n'; printf '\033[2Jdrmbench: no\n' >&2; exit 1")
        shelf("one")
        ran = fleet("--all", remote=evil)
        assert ran.returncode == 1
        assert boards(tmp_path)["one"]["state"] == "failed"
        assert "\033" not in ran.stdout + ran.stderr + (tmp_path / "fleet.json").read_text()

    def test_nothing_there_supports_it(self, shelf: Any, fleet: Any) -> None:
        shelf("one")
        ran = fleet("--all", command=("fault-latency", "--device", "vkms"))
        assert ran.returncode == 77, ran.stdout

    def test_no_such_program(self, shelf: Any, fleet: Any, tmp_path: Path) -> None:
        shelf("one")
        assert fleet("--all", remote="/nonexistent/drmbench").returncode == 1
        assert boards(tmp_path)["one"]["exit_status"] == 127
        assert "not found" in boards(tmp_path)["one"]["reason"]


class TestInterruption:
    def start(self, lab: Lab, key: Path, folder: Path, remote: str, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            line(lab, key, folder, "--all", *more, command=QUICK, remote=remote), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )

    def slow(self, folder: Path) -> str:
        """A board that measures, but only where `go` is there; else it waits for it."""
        return program(folder, "slow", f"touch {folder}/begun; until [ -e {folder}/go ]; do sleep 0.1; done\n"
                                       f'exec {shlex.quote(DRMBENCH)} "$@"')

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_places_are_given_back_and_resume_runs_what_is_missing(
        self, lab: Lab, shelf: Any, server: tuple[Service, Path], tmp_path: Path, fleet: Any, number: signal.Signals,
    ) -> None:
        shelf("a", "b", "c")
        first = program(tmp_path, "first", f'[ -e {tmp_path}/once ] && exec {self.slow(tmp_path)} "$@"\n'
                                           f'touch {tmp_path}/once; exec {shlex.quote(DRMBENCH)} "$@"')
        process = self.start(lab, server[1], tmp_path, first)
        until = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(number)
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "every place is given back" in err
        assert {name: b["state"] for name, b in boards(tmp_path).items()} == {
            "a": "finished", "b": "interrupted", "c": "interrupted"}
        assert set(lab.holders().values()) == {""}
        date = boards(tmp_path)["a"]["date"]

        ran = fleet("--all", "--resume", str(tmp_path / "fleet.json"))
        assert ran.returncode == 0, ran.stderr
        assert {b["state"] for b in boards(tmp_path).values()} == {"finished"}
        assert boards(tmp_path)["a"]["date"] == date
        assert " a: " not in ran.stderr

    def test_killed_and_resumed_from_what_lies_beside_the_report(
        self, lab: Lab, shelf: Any, server: tuple[Service, Path], tmp_path: Path, fleet: Any,
    ) -> None:
        shelf("a", "b")
        first = program(tmp_path, "first", f'[ -e {tmp_path}/once ] && exec {self.slow(tmp_path)} "$@"\n'
                                           f'touch {tmp_path}/once; exec {shlex.quote(DRMBENCH)} "$@"')
        process = self.start(lab, server[1], tmp_path, first)
        until = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        process.kill()
        process.communicate(timeout=60)
        (tmp_path / "go").touch()
        held = {name for name, holder in lab.holders().items() if holder}
        assert held == {"b"}
        subprocess.run([BIN / "labgrid-client", "-x", lab.address, "-p", "b", "release"], check=True, timeout=60,
                       capture_output=True)
        ran = fleet("--all", "--resume", str(tmp_path / "fleet.json"))
        assert ran.returncode == 0, ran.stderr
        assert " a: " not in ran.stderr

    def test_the_coordinator_goes_away_and_comes_back(
        self, lab: Lab, shelf: Any, server: tuple[Service, Path], tmp_path: Path,
    ) -> None:
        shelf("a", "b")
        process = self.start(lab, server[1], tmp_path, self.slow(tmp_path))
        until = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        lab.stop_coordinator()
        (tmp_path / "go").touch()
        time.sleep(2)
        lab.start_coordinator()
        lab.restart_exporter()
        _out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert {b["state"] for b in boards(tmp_path).values()} == {"finished"}
        caveats = {c["id"] for c in json.loads((tmp_path / "fleet.json").read_text())["caveats"]}
        assert "coordinator-lost" in caveats
        assert set(lab.holders().values()) == {""}


class TestWheelhouse:
    def test_drmbench_is_installed_once_in_an_environment_of_its_own(
        self, shelf: Any, fleet: Any, tmp_path: Path, wheelhouse: Path,
    ) -> None:
        shelf("one")
        ran = fleet("--all", "--wheelhouse", str(wheelhouse), remote="")
        assert ran.returncode == 0, ran.stderr + (tmp_path / "fleet.json").read_text()
        assert "deploying" in ran.stderr
        again = fleet("--all", "--wheelhouse", str(wheelhouse), remote="")
        assert again.returncode == 0, again.stderr
        assert boards(tmp_path)["one"]["deploy_ns"] < 5e9

    def test_no_wheel_for_the_board(self, shelf: Any, fleet: Any, tmp_path: Path) -> None:
        house = tmp_path / "house"
        house.mkdir()
        (house / "drmbench-0.1.0-cp311-abi3-linux_riscv64.whl").touch()
        shelf("one")
        assert fleet("--all", "--wheelhouse", str(house), remote="").returncode == 1
        assert "no wheel of drmbench is for this architecture" in boards(tmp_path)["one"]["reason"]


class TestUsage:
    @pytest.mark.parametrize(("arguments", "complaint"), [
        (["--remote", "x", "--", "fault-latency"], "which boards?"),
        (["--all", "--", "fault-latency"], "either --remote PROGRAM or --wheelhouse DIR"),
        (["--all", "--remote", "x", "--", "show", "f"], "is none that measures"),
        (["--all", "--remote", "x", "--", "fault-latency", "--json", "f"], "before the --"),
        (["--all", "--remote", "x"], "is missing"),
        (["--tag", "x", "--remote", "x", "--", "verify"], "KEY=VALUE"),
        (["--all", "--wheelhouse", "/nonexistent", "--", "verify"], "no wheel of drmbench"),
    ])
    def test_a_line_that_says_what_to_write(self, drmbench: Any, arguments: list[str], complaint: str) -> None:
        ran = drmbench("fleet", "run", *arguments)
        assert ran.status in {1, 2}
        assert ran.err.count("\n") == 1
        assert complaint in ran.err

    def test_resume_of_nothing(self, drmbench: Any, tmp_path: Path) -> None:
        ran = drmbench("fleet", "run", "--all", "--remote", "x", "--resume", str(tmp_path / "no"), "--", "verify")
        assert ran.status == 1
        assert "neither this report nor its .boards folder" in ran.err

    def test_an_unknown_place(self, shelf: Any, fleet: Any) -> None:
        shelf("one")
        ran = fleet("--place", "onne")
        assert ran.returncode == 77
        assert "place onne: the coordinator has 1 places and none fits" in ran.stderr
