# SPDX-License-Identifier: MIT
"""The command line of `drmbench vm`: what is an option, what is the command, and one line for every mistake."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from drmbench import cli
from drmbench.vm import lab

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.vm.lab import Request


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What `vm run` asked the lab for; the lab answers with exit status 5."""
    seen: list[Request] = []

    def record(request: Request) -> int:
        seen.append(request)
        return 5

    monkeypatch.setattr(lab, "run_command", record)
    return seen


def test_the_commands_status_is_ours(requests: list[Request]) -> None:
    assert cli.run(["vm", "run", "--", "drmbench", "fault-latency", "--device", "vkms"]) == 5
    assert requests[0].command == ("drmbench", "fault-latency", "--device", "vkms")
    assert requests[0].kernel == "debian-6.1"
    assert requests[0].devices == ()


def test_our_options_end_where_the_command_begins(requests: list[Request]) -> None:
    line = ["vm", "run", "--device", "qxl", "--device", "vkms", "--cpus", "2", "prog", "--cpus", "9", "--", "x"]
    assert cli.run(line) == 5
    assert requests[0].command == ("prog", "--cpus", "9", "--", "x")
    assert requests[0].devices == ("qxl", "vkms")
    assert requests[0].cpus == 2


@pytest.mark.parametrize(("words", "said"), [
    (["--devise", "vkms", "--", "true"], "--devise"),
    ([], "COMMAND is missing"),
    (["--"], "COMMAND is missing"),
    (["--cpus", "0", "--", "true"], "--cpus"),
    (["--timeout", "0", "--", "true"], "--timeout"),
    (["--device", "vkm", "--", "true"], "did you mean vkms"),
    (["--memory", "2X", "--", "true"], "is not a size"),
    (["--memory", "1MiB", "--", "true"], "too little to boot"),
    (["--kernel", "debian-6.2", "--", "true"], "did you mean debian-6.1"),
])
def test_a_mistake_is_one_line_and_status_2(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["vm", "run", *words]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("drmbench: vm")
    assert said in err


def test_list_shows_everything_and_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cli.run(["vm", "list"]) == 0
    text = capfd.readouterr().out
    assert "debian-6.1 *" in text
    assert "vkms *" in text
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("* default"))


def test_list_as_json_says_what_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                          capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cli.run(["vm", "list", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert [kernel["state"] for kernel in document["kernels"] if kernel["name"] == "debian-6.1"] == ["available"]
    assert {device["name"] for device in document["devices"] if device["default"]} == {"vkms", "vgem"}


@pytest.mark.parametrize("name", ["debian-5", "nope"])
def test_fetch_of_an_unknown_kernel_is_a_usage_error(name: str) -> None:
    assert cli.run(["vm", "fetch", "--kernel", name]) == 2
