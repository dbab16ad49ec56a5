# SPDX-License-Identifier: MIT
"""What the unit tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from made_up_cases import ENDING, install

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.conformance.case import Case


@pytest.fixture(autouse=True)
def _own_measuring_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is the machine's; two test runs at once must not refuse each other."""
    monkeypatch.setattr("drmbench.measuring_lock._NAME", f"\0drmbench-test-{os.getpid()}")


@pytest.fixture
def verify_as(drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `drmbench verify` on memfd in a format, with cases that end in every way, or those given."""
    def run(format_name: str, *arguments: str, cases: tuple[Case, ...] = ENDING) -> Any:
        install(cases, monkeypatch.setattr)
        return drmbench("verify", "--device", "memfd", "--format", format_name, *arguments)

    return run


@pytest.fixture
def nothing_here(verify_as: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The same on a machine without a DRM device, where drmbench exits 77."""
    def run(format_name: str, *arguments: str) -> Any:
        monkeypatch.setattr("drmbench.targets.list_devices", list)
        return verify_as(format_name, "--device", "vkms", *arguments)

    return run
