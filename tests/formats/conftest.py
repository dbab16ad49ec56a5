# SPDX-License-Identifier: MIT
"""Our formats, read by the programs that they are made for: `make test-formats`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

MADE_UP = str(Path(__file__).parents[1] / "made_up_cases.py")
# All but the one that takes a minute.
SOON = ("--case", "made-up/[!s]*")


@pytest.fixture(scope="session")
def verify() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `drmbench verify` on memfd with cases that end in every way."""
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, MADE_UP, "verify", "--device", "memfd", *SOON, *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"})

    return run
