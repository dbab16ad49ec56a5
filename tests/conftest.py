# SPDX-License-Identifier: MIT
"""What all tests share: running one drmbench command line in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from drmbench import cli

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Ran:
    """What a command line printed and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Stdout as JSON."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


@pytest.fixture
def drmbench(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run a drmbench command line as the program does, errors and exit status included."""
    for variable in ("DRMBENCH_DEVICE", "IGT_DEVICE", "DRMBENCH_CLOCK"):
        monkeypatch.delenv(variable, raising=False)
    # Tests that say nothing of the number of runs are not about it.
    monkeypatch.setattr("drmbench.repetition.DEFAULT_TIME_BUDGET_S", 0.2)
    monkeypatch.setattr("drmbench.repetition.FEWEST_RUNS", 5)

    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        status = cli.run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(status, out, err)

    return run
