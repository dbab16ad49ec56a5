# SPDX-License-Identifier: MIT
"""What the unit tests share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _own_measuring_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is the machine's; two test runs at once must not refuse each other."""
    monkeypatch.setattr("drmbench.measuring_lock._NAME", f"\0drmbench-test-{os.getpid()}")
