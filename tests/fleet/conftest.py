# SPDX-License-Identifier: MIT
"""These tests run on this machine alone: a labgrid lab on the loopback interface. `scripts/test fleet`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import Lab, Service, ssh_server

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """The machine itself, as the board behind most places."""
    with ssh_server(tmp_path_factory.mktemp("ssh") / "server") as found:
        yield found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A coordinator without places."""
    folder = tmp_path / "lab"
    folder.mkdir()
    with Lab(folder) as made:
        made.start_coordinator()
        yield made


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of this checkout, as `make wheelhouse` makes them."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run([ROOT / "scripts" / "wheelhouse", folder], check=True, timeout=600, stdin=subprocess.DEVNULL)
    return folder
