# SPDX-License-Identifier: MIT
"""Cases that take a device from its driver: they come last, some devices are spared, and an oops is told apart."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from drmbench.conformance.attachment import Attachment
from drmbench.conformance.case import Case, case
from drmbench.conformance.child import ForkedChild
from drmbench.conformance.isolation import Place
from drmbench.conformance.kernel_log import KernelLog
from drmbench.conformance.known import excluded, load_known
from drmbench.conformance.turns import Detachable
from drmbench.conformance.verdict import verdict_of
from drmbench.errors import DrmbenchError
from drmbench.targets import find_targets

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.conformance.subject import Subject


def made(name: str, run: Any, **how: Any) -> Case:
    return case(f"made-up/{name}", rule="It does what it should.", source="nowhere", **how)(run)


def fine(_subject: Subject) -> None:
    return None


@pytest.fixture
def verify(drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `drmbench verify` with these cases, twice on memfd as if it had two buffer kinds; the results."""
    def run(*chosen: Case) -> Any:
        monkeypatch.setattr("drmbench.cli.verifying.CASES", chosen)
        monkeypatch.setattr("drmbench.conformance.suite.select_kinds",
                            lambda targets, _buffer: [(targets[0], "memfd"), (targets[0], "memfd")])
        return drmbench("verify", "--device", "memfd", "--json", "-").json["results"]

    return run


class TestOrder:
    def test_they_run_after_all_others_and_once_a_device(self, verify: Any) -> None:
        results = verify(made("last", fine, last=True), made("usual", fine))
        assert [r["case"] for r in results] == ["made-up/usual", "made-up/usual", "made-up/last"]


class TestWhatTheKernelChose:
    def test_it_is_reported_of_a_case_that_passed(self, verify: Any) -> None:
        (result, _again) = verify(made("open-rule", lambda _subject: "it took\x1b[31m the left road"))
        assert (result["verdict"], result["observed"]) == ("pass", "it took [31m the left road")

    def test_the_table_shows_it(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = (made("open-rule", lambda _subject: "it took the left road"),)
        monkeypatch.setattr("drmbench.cli.verifying.CASES", chosen)
        ran = drmbench("verify", "--device", "memfd")
        assert "made-up/open-rule on memfd: it took the left road" in ran.out


class TestSpared:
    """known.toml excludes what would bring the kernel down with it."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        """A list with one exclusion."""
        path = tmp_path / "known.toml"
        path.write_text('[[excluded]]\nneed="lab-unbind"\ndriver="qxl"\nwhy="it panics"\nsource="here"\nfrom="5.16"\n')
        return str(path)

    def test_a_driver_and_its_kernels(self, path: str) -> None:
        asked = {"driver": "qxl", "kernel": "6.1.0-56-amd64", "path": path}
        assert excluded("lab-unbind", **asked) == "left out: it panics (here)"
        assert excluded("lab-unbind", **{**asked, "driver": "bochs-drm"}) == ""
        assert excluded("lab-unbind", **{**asked, "kernel": "5.10.0-30-amd64"}) == ""
        assert excluded("root", **asked) == ""

    def test_it_is_no_known_breach(self, path: str) -> None:
        assert load_known(path) == []

    @pytest.mark.parametrize("text", ['from="soon"\n', "driver=1\n", 'case="a/b"\n'])
    def test_one_that_cannot_be_understood(self, path: str, text: str) -> None:
        with open(path, "a", encoding="ascii") as file:
            file.write(f'[[excluded]]\nneed="root"\nwhy="w"\nsource="s"\n{text}')
        with pytest.raises(DrmbenchError):
            excluded("root", driver="d", kernel="6.1", path=path)


class TestAttachment:
    def test_a_device_without_a_bus_has_none(self) -> None:
        with pytest.raises(OSError, match="device"):
            Attachment.of_node("/dev/null")

    def test_without_a_driver_nothing_is_taken_away(self, tmp_path: Path) -> None:
        alone = Attachment(str(tmp_path), "")
        assert not alone.can_unbind
        assert alone.nodes == []
        assert alone.node_like("/dev/dri/card0") is None


class TestPutBack:
    @pytest.fixture
    def device(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """A file that stands in for a device: it has a node while the file is there, and bind() makes it."""
        device = tmp_path / "device"
        device.touch()
        monkeypatch.setattr(Attachment, "nodes", property(lambda _self: ["/dev/dri/card0"] * device.exists()))
        return device

    def run(self, device: Path, *cases: Case) -> list[Any]:
        (target,), _unusable = find_targets(["memfd"], writing=True, floor=False)
        place = Place(replace(target, node="/dev/dri/card0"), "memfd", 1 << 16)
        detachable = Detachable(place, Attachment(str(device), ""))
        with KernelLog(os.devnull) as log:
            return [detachable.run(each, log).judgement for each in cases]

    def taken_and_killed(self, device: Path) -> Case:
        def run(_subject: Subject) -> None:
            device.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

        return made("killed", run, last=True)

    def test_a_case_that_is_killed_leaves_the_device_to_the_next(self, device: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Attachment, "bind", lambda _self, _timeout_s: device.touch())
        found = self.run(device, self.taken_and_killed(device), made("next", fine, last=True))
        assert [judgement.verdict for judgement in found] == ["fail", "pass"]

    def test_a_device_that_does_not_come_back_is_left_alone(self, device: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Attachment, "bind", lambda _self, _timeout_s: os.kill(os.getpid(), signal.SIGKILL))
        found = self.run(device, self.taken_and_killed(device), made("next", fine, last=True))
        assert [judgement.verdict for judgement in found] == ["fail", "skip"]
        assert found[1].reason == "made-up/killed left no node behind"


class TestOops:
    def test_a_case_that_the_kernel_loses_on_its_way_out_fails(self) -> None:
        child = ForkedChild(lambda: b"")
        os.waitpid(child.pid, 0)  # reaped by somebody else: that is what it is like
        assert child.wait(10)
        judgement = verdict_of(child)
        child.close()
        assert (judgement.verdict, judgement.what) == ("fail", "the process")
        assert "it vanished" in judgement.actual
