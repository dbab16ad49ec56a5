# SPDX-License-Identifier: MIT
"""`drmbench stress`: options, report, replays, and the defects that it finds in a back-end."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jsonschema
import pytest
from lossy_memfd import lossy_target

from drmbench.stress import inquest, trial
from drmbench.stress.neighbours import alone, in_company

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lossy_memfd import Defect

SECONDS = ("--seconds", "1.5")
MOST_STEPS = 6


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replays are written to the current directory."""
    monkeypatch.chdir(tmp_path)


class TestOnSharedMemory:
    @pytest.mark.parametrize("threads", ["1", "3"])
    def test_all_is_as_it_must_be(self, drmbench: Any, threads: str) -> None:
        ran = drmbench("stress", "--device", "memfd", "--seed", "1", *SECONDS, "--threads", threads, "--json", "-")
        assert ran.status == 0, ran.json["results"]
        (result,) = ran.json["results"]
        assert result["failure"] is None
        assert min(result[name] for name in ("rounds", "pages_checked", "pages_written", "signals", "faults")) > 0
        assert {"create", "map", "write", "read", "fork", "move", "resize"} <= set(result["steps"])
        assert 0 < result["peak_live_bytes"] <= ran.json["parameters"]["live_limit_bytes"]
        assert list(Path().iterdir()) == []

    def test_it_ends_by_time(self, drmbench: Any) -> None:
        started = time.monotonic()
        drmbench("stress", "--device", "memfd", "--seconds", "1", "--threads", "2")
        assert 1 <= time.monotonic() - started < 20

    def test_the_seed_is_told_and_a_fresh_one_each_time(self, drmbench: Any) -> None:
        said = [drmbench("stress", "--device", "memfd", "--seconds", "0.1").err for _run in range(2)]
        assert all(line.startswith("drmbench: stress: seed ") for line in said)
        assert said[0] != said[1]
        assert "seed 77\n" in drmbench("stress", "--device", "memfd", "--seconds", "0.1", "--seed", "77").err

    def test_a_dma_buf_of_udmabuf_where_there_is_one(self, drmbench: Any) -> None:
        if not os.access("/dev/udmabuf", os.R_OK | os.W_OK):
            pytest.skip("no /dev/udmabuf")
        assert drmbench("stress", "--device", "udmabuf", *SECONDS).status == 0


class TestReport:
    def test_the_schema_of_somebody_else_accepts_it_and_show_prints_it(self, drmbench: Any, lossy: Any) -> None:
        ran = lossy("wrong errno", "--json", "report.json")
        document = json.loads(Path("report.json").read_text())
        jsonschema.Draft202012Validator(drmbench("schema").json).validate(document)
        assert drmbench("show", "report.json").out == ran.out
        assert "EBUSY" in drmbench("show", "report.json", "--format", "csv").out
        assert "EBUSY" in drmbench("show", "report.json", "--format", "markdown").out
        assert max(len(line) for line in ran.out.splitlines()) <= 80

    @pytest.mark.parametrize(("arguments", "status", "says"), [
        (("--device", "anon"), 77, "the buffer is its mapping"),
        (("--device", "memfd", "--threads", "0"), 2, "--threads"),
        (("--device", "memfd", "--seconds", "0"), 2, "--seconds"),
        (("--device", "memfd", "--size", "4G"), 2, "--size"),
        (("--device", "memfd", "--unbind"), 77, "a driver is only taken away in the lab"),
        (("--device", "memfd", "--unbind", "--threads", "2"), 2, "--unbind"),
        (("--device", "memfd", "--replay", "missing.json"), 1, "missing.json: read: ENOENT"),
        (("--device", "memfd", "--save", "missing/replay.json"), 1, "missing/replay.json: write: ENOENT"),
    ])
    def test_what_makes_no_sense_is_said_in_a_line(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch,
                                                   arguments: tuple[str, ...], status: int, says: str) -> None:
        monkeypatch.delenv("DRMBENCH_VM_KERNEL", raising=False)
        ran = drmbench("stress", *arguments)
        assert (ran.status, ran.out) == (status, "")
        assert says in ran.err.splitlines()[-1]

    def test_a_file_s_bytes_are_left_alone(self, drmbench: Any) -> None:
        Path("data").write_bytes(bytes(1 << 20))
        ran = drmbench("stress", "--device", "file:data", *SECONDS)
        assert (ran.status, "its bytes must not be changed" in ran.err) == (77, True)
        assert Path("data").read_bytes() == bytes(1 << 20)

    def test_ctrl_c_keeps_what_was_counted(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        real, rounds = trial.Lab.run, []

        def until_interrupted(self: trial.Lab, *rest: Any) -> Any:
            rounds.append(1)
            if len(rounds) > 2:
                raise KeyboardInterrupt
            return real(self, *rest)

        monkeypatch.setattr(trial.Lab, "run", until_interrupted)
        ran = drmbench("stress", "--device", "memfd", "--seconds", "100", "--json", "-")
        assert ran.status == 1
        assert ran.json["results"][0]["rounds"] == 2
        assert ran.json["caveats"][0]["id"] == "interrupted"


@pytest.fixture
def lossy(drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `drmbench stress` on a memfd back-end with a defect."""
    monkeypatch.setattr(trial, "_HANGS_AFTER_S", 1.0)

    def run(defect: Defect, *arguments: str, once: str = "", keeper: socket.socket | None = None) -> Any:
        target = lossy_target(defect, once=once, keeper=keeper)
        monkeypatch.setattr("drmbench.stress.suite.find_targets", lambda *_all, **_named: ([target], []))
        wanted = () if "--replay" in arguments else ("--seed", "3", "--seconds", "2")
        return drmbench("stress", *wanted, *arguments)

    return run


class Kept:
    """Memfds that a lossy back-end sends here instead of freeing them, and what others on the machine seem to take.

    Descriptors on their way through a socket belong to no process, so nobody misses them. The amount is counted here
    and not read from /proc/meminfo, where other tests and the whole machine are.
    """

    def __init__(self, noise_kib: Iterator[int]) -> None:
        self.here, self.keeper = socket.socketpair()
        self.here.setblocking(False)
        self.keeper.setblocking(False)
        self._noise = noise_kib
        self._used = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.here.close()
        self.keeper.close()

    def is_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As the machine's memory."""
        for module in ("conformance.left_behind", "stress.campaign", "stress.trial"):
            monkeypatch.setattr(f"drmbench.{module}.machine_memory", self.machine_memory)

    def machine_memory(self) -> dict[str, int]:
        """What was kept ever, and the noise."""
        with contextlib.suppress(BlockingIOError):
            while True:
                _data, fds, _flags, _address = socket.recv_fds(self.here, 1, 16)
                for fd in fds:
                    self._used += os.fstat(fd).st_size
                    os.close(fd)
        self._used += next(self._noise) << 10
        return {"shared memory": self._used}


class TestDefects:
    """Each is found, and the replay is small, fails again with the defect and passes without it."""

    @pytest.mark.parametrize(("defect", "category", "says"), [
        ("loses writes", "content", "zeros"),
        ("not zero", "content", "the word"),
        ("wrong errno", "errno", "EBUSY"),
        ("leaks a descriptor", "left behind", "-> /memfd:drmbench"),
        ("crashes", "crash", "it was killed by SIGSEGV"),
    ])
    def test_is_found_and_its_replay_is_small(self, lossy: Any, defect: Defect, category: str, says: str) -> None:
        ran = lossy(defect, "--save", "replay.json", "--json", "report.json")
        assert ran.status == 1
        failure = json.loads(Path("report.json").read_text())["results"][0]["failure"]
        assert (failure["category"], failure["reproduced"], failure["replay"]) == (category, "yes", "replay.json")
        assert 1 <= sum(map(len, failure["program"])) <= MOST_STEPS
        again = lossy(defect, "--replay", "replay.json", "--json", "-")
        assert again.status == 1
        assert again.json["results"][0]["failure"]["category"] == category
        assert says in again.json["results"][0]["failure"]["actual"]
        whole = lossy("none", "--replay", "replay.json", "--json", "-")
        assert (whole.status, whole.json["results"][0]["rounds"]) == (0, 1)

    def test_a_hang_is_ended(self, lossy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inquest, "_LONGEST_TRIAL_S", 1.0)
        monkeypatch.setattr(inquest, "_BUDGET_S", 15.0)
        ran = lossy("hangs", "--json", "-")
        failure = ran.json["results"][0]["failure"]
        assert (ran.status, failure["category"], failure["reproduced"]) == (1, "hang", "yes")
        assert "had to be killed (state S" in failure["actual"]

    @pytest.mark.parametrize("noise", [(0,), (0, 300, -200, 0, 0, 70), (0, 0, 0, 500, -500)])
    def test_memory_that_no_process_holds_any_more(
        self, lossy: Any, monkeypatch: pytest.MonkeyPatch, noise: tuple[int, ...],
    ) -> None:
        monkeypatch.setattr("drmbench.conformance.left_behind._SETTLE_S", 0.0)
        monkeypatch.setattr(inquest, "_BUDGET_S", 1.0)
        with Kept(itertools.cycle(noise)) as kept:
            kept.is_measured(monkeypatch)
            ran = lossy("keeps memory", "--size", "64KiB", "--json", "-", "--seconds", "0.3", keeper=kept.keeper)
        failure = ran.json["results"][0]["failure"]
        assert (ran.status, failure["category"]) == (1, "memory")
        assert "of shared memory more" in failure["actual"]

    def test_what_others_take_is_only_a_remark(self, lossy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.conformance.left_behind._SETTLE_S", 0.0)
        with Kept(step * step for step in itertools.count(5)) as kept:
            kept.is_measured(monkeypatch)
            ran = lossy("none", "--size", "64KiB", "--json", "-", "--seconds", "0.3")
        assert (ran.status, ran.json["results"][0]["failure"]) == (0, None)
        assert "memory-grown" in {note["id"] for note in ran.json["caveats"]}

    def test_threads_fail_as_well(self, lossy: Any) -> None:
        ran = lossy("wrong errno", "--threads", "3", "--json", "-")
        failure = ran.json["results"][0]["failure"]
        assert (failure["category"], failure["reproduced"]) == ("errno", "yes")
        assert [len(steps) for steps in failure["program"]] == [1]

    def test_what_does_not_happen_again_is_said_to(self, lossy: Any, tmp_path: Path) -> None:
        once = tmp_path / "once"
        once.touch()
        ran = lossy("fails once", "--save", "replay.json", once=str(once))
        assert ran.status == 1
        assert "did not fail" in ran.out
        assert len(json.loads(Path("replay.json").read_text())["program"]["threads"][0]) >= 1

    def test_without_save_the_replay_is_named_after_driver_and_seed(self, lossy: Any) -> None:
        ran = lossy("wrong errno")
        assert Path("stress-lossy-3.json").exists()
        assert "--replay stress-lossy-3.json" in ran.out.replace("\n  ", " ")

    def test_the_failure_outlives_a_place_that_cannot_be_written(self, lossy: Any,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
        folder = Path("gone")
        folder.mkdir()
        monkeypatch.chdir(folder)
        Path("../gone").rmdir()
        ran = lossy("wrong errno")
        assert ran.status == 1
        assert "EBUSY" in ran.out
        assert "write: ENOENT" in ran.err


class TestReplayFiles:
    replay: dict[str, Any] = {  # noqa: RUF012 (read only)
        "format": "drmbench-stress-replay-1", "buffer_pages": 4, "live_pages": 16,
        "program": {"shared": [], "threads": [[
            {"type": "create", "handle": 0, "file": 0, "pages": 4},
            {"type": "map", "mapping": 0, "handle": 0, "file": 0, "pages": 4, "prot": "write"},
            {"type": "fork", "accesses": [{"type": "write", "mapping": 0, "first": 0, "count": 4, "tag": 1}]},
        ]]},
    }

    def test_one_written_by_hand(self, drmbench: Any) -> None:
        Path("replay.json").write_text(json.dumps(self.replay))
        ran = drmbench("stress", "--device", "memfd", "--replay", "replay.json", "--json", "-")
        assert ran.status == 0
        assert ran.json["results"][0]["rounds"] == 1
        assert ran.json["results"][0]["steps"] == {"create": 1, "map": 1, "fork": 1, "read": 1, "unmap": 1,
                                                   "destroy": 1}
        assert ran.json["results"][0]["pages_checked"] == 4

    def test_again_and_again_until_the_time_is_over(self, drmbench: Any) -> None:
        Path("replay.json").write_text(json.dumps(self.replay))
        ran = drmbench("stress", "--device", "memfd", "--replay", "replay.json", *SECONDS, "--json", "-")
        assert ran.json["results"][0]["rounds"] > 1

    @pytest.mark.parametrize("change", [
        {"format": "drmbench-stress-replay-99"}, {"buffer_pages": 1 << 40}, {"live_pages": -1}, {"program": None},
        {"program": {"shared": [], "threads": []}}, {"program": {"shared": [], "threads": [[{"type": "reboot"}]]}},
        {"program": {"shared": [], "threads": [[{"type": "create", "handle": 8, "file": 0, "pages": 1}]]}},
        {"program": {"shared": [], "threads": [[{"type": "read", "mapping": 0, "first": -1, "count": 1}]]}},
        {"program": {"shared": [0], "threads": [[]]}}, {"program": {"shared": [], "threads": [[]] * 65}},
    ])
    def test_nonsense_is_refused(self, drmbench: Any, change: dict[str, Any]) -> None:
        Path("replay.json").write_text(json.dumps({**self.replay, **change}))
        ran = drmbench("stress", "--device", "memfd", "--replay", "replay.json")
        assert ran.status == 1
        assert "this is no replay of drmbench stress" in ran.err

    @pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": 1}'])
    def test_so_is_what_is_no_json(self, drmbench: Any, data: bytes) -> None:
        Path("replay.json").write_bytes(data)
        ran = drmbench("stress", "--device", "memfd", "--replay", "replay.json")
        assert (ran.status, ran.err.count("\n")) == (1, 1)

    def test_the_seed_and_the_threads_are_the_file_s(self, drmbench: Any) -> None:
        Path("replay.json").write_text(json.dumps(self.replay))
        for option in ("--seed", "--threads"):
            assert drmbench("stress", "--device", "memfd", "--replay", "replay.json", option, "1").status == 2


class TestNeighbours:
    def test_memory_is_looked_at_when_no_round_is_on(self) -> None:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            with in_company():
                os.write(writing, b"in")
                time.sleep(0.3)
                os.write(writing, b"out")
            os._exit(0)
        assert os.read(reading, 2) == b"in"
        with in_company():  # rounds go side by side
            pass
        with alone():
            assert os.read(reading, 3) == b"out"
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)


